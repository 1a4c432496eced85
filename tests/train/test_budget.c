/* SPDX-License-Identifier: Apache-2.0 */
#include "train/net/budget.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/nets.h"

static dt_status open_with(const char *text, size_t memory, bool training, dt_error *err)
{
    dt_recipe *recipe;
    dt_session s;
    const dt_recipe_params p = { .tables = &dt_tables, .path = "test.yaml", .text = text };
    ck_assert_msg(dt_recipe_read(&p, &recipe, err) == DT_OK, "%s", err->text);
    const dt_session_params sp = { .recipe = recipe,
                                   .threads = 1,
                                   .isa = "scalar",
                                   .training = training,
                                   .memory = { memory, "the test" },
                                   .eval_batch = recipe->eval.batch,
                                   .eval_key = "eval.batch" };
    dt_status st = dt_session_open(&s, &sp, err);
    if (st == DT_OK) dt_session_close(&s);
    dt_recipe_free(recipe);
    return st;
}

/* Refused with a byte, and then fine with the bytes that were told. */
static void check(const char *text, bool training, const char *key, const char *part)
{
    dt_error err = { .status = DT_OK };
    ck_assert_int_eq(open_with(text, 1, training, &err), DT_ERR_NOMEM);
    ck_assert_msg(strstr(err.text, key) && strstr(err.text, part), "%s", err.text);
    ck_assert_msg(strstr(err.text, " 1 may be used (the test)") != NULL, "%s", err.text);
    const char *number = strstr(err.text, " bytes of memory");
    ck_assert_ptr_nonnull(number);
    while (number[-1] >= '0' && number[-1] <= '9')
        number--;
    size_t wanted = strtoull(number, NULL, 10);
    ck_assert_uint_gt(wanted, 1000);
    /* The process itself may grow between the two. */
    ck_assert_msg(open_with(text, wanted + (8 << 20), training, &err) == DT_OK, "%s", err.text);
}

#define DATA "data: {name: builtin, batch: 8, train_pictures: 32, test_pictures: 32}, "

START_TEST(the_largest_part_names_the_key)
{
    check("{model: {name: smallcnn, width: 4}, " DATA "eval: {batch: 250}}", false,
          "eval.batch: ", "arena of a step ");
    check("{model: {name: vit, dim: 512, depth: 2, heads: 4}, " DATA "eval: {batch: 1}}", true,
          "model.dim: ", "parameters ");
    check("{model: {name: vit, dim: 8, depth: 2, heads: 1, mlp_ratio: 16}, " DATA
          "quant: {weights: {method: lsq, bits: 4}, activations: {method: lsq, bits: 4}}, "
          "dynamics: {oscillation: {momentum: 0.1}}, eval: {batch: 1}}",
          true, ": ", "dynamics ");
}
END_TEST

/* A set is not even drawn for which there is no room. */
START_TEST(a_set_that_is_too_large_names_its_key)
{
    dt_error err = { .status = DT_OK };
    const size_t limit = dt_memory_resident() + ((size_t)20 << 20);
    ck_assert_int_eq(
        open_with("{model: {name: smallcnn, width: 4}, data: {name: builtin, batch: 8, "
                  "train_pictures: 1000000, test_pictures: 32}}",
                  limit, true, &err),
        DT_ERR_NOMEM);
    ck_assert_msg(strncmp(err.text, "data.train_pictures: ", 21) == 0, "%s", err.text);
    const char *number = strstr(err.text, "more than ");
    ck_assert_msg(number && strtoull(number + 10, NULL, 10) > 3072u * 1000000, "%s", err.text);
    ck_assert_msg(strstr(err.text, " may be used (the test)") != NULL, "%s", err.text);
    ck_assert_uint_lt(dt_memory_resident(), limit);
}
END_TEST

/* What cannot be counted before is held, and told with its bytes. */
START_TEST(what_is_held_tells_its_bytes)
{
    dt_capped held;
    dt_error err = { .status = DT_OK };
    const dt_memory_limit limit = { dt_memory_resident() + ((size_t)16 << 20), "the test" };
    dt_budget_hold(&held, &limit);
    void *some = dt_get(&held.alloc, (size_t)1 << 20, "some");
    ck_assert_ptr_nonnull(some);
    ck_assert_int_eq(dt_budget_held(&held, DT_ERR_NOMEM, &limit, "x", "y", &err), DT_ERR_NOMEM);
    ck_assert_int_eq(err.status, DT_OK); /* it was not the limit: what was said stays */
    ck_assert_ptr_null(dt_get(&held.alloc, (size_t)64 << 20, "much"));
    dt_put(&held.alloc, some);
    ck_assert_int_eq(dt_budget_held(&held, DT_OK, &limit, "x", "y", &err), DT_OK);
    ck_assert_int_eq(dt_budget_held(&held, DT_ERR_NOMEM, &limit, "net.onnx", "a smaller one does",
                                    &err),
                     DT_ERR_NOMEM);
    ck_assert_msg(strncmp(err.text, "net.onnx: ", 10) == 0 && strstr(err.text, "the test") &&
                      strtoull(err.text + 20, NULL, 10) > (65u << 20),
                  "%s", err.text);
    dt_budget_hold(&held, NULL);
    dt_put(&held.alloc, dt_get(&held.alloc, (size_t)64 << 20, "much"));
    ck_assert_uint_eq(held.refused, 0);
}
END_TEST

START_TEST(without_a_limit_nothing_is_refused)
{
    dt_error err = { .status = DT_OK };
    ck_assert_int_eq(
        open_with("{model: {name: smallcnn, width: 4}, " DATA "eval: {batch: 8}}", 0, true, &err),
        DT_OK);
    ck_assert_uint_gt(dt_memory_limit_default().bytes, 0);
}
END_TEST

DT_TEST_MAIN("budget", the_largest_part_names_the_key, a_set_that_is_too_large_names_its_key,
             what_is_held_tells_its_bytes, without_a_limit_nothing_is_refused)
