/* SPDX-License-Identifier: Apache-2.0 */
#include "train/run/evaluate.h"

#include <math.h>

#include "tests/support/nets.h"

static dt_score evaluate(int64_t batch, int threads, float *predictions)
{
    dt_recipe *recipe;
    dt_session s;
    dt_evaluator e;
    dt_loader *loader;
    dt_score score;
    dt_error err = { .status = DT_OK };
    const dt_recipe_params p = { .tables = &dt_tables,
                                 .path = "test.yaml",
                                 .text =
                                     "{model: {name: smallcnn, width: 4}, data: {name: builtin, "
                                     "batch: 8, train_pictures: 8, test_pictures: 37}}" };
    ck_assert_msg(dt_recipe_read(&p, &recipe, &err) == DT_OK, "%s", err.text);
    const dt_session_params sp = { .recipe = recipe, .threads = threads, .isa = "scalar" };
    ck_assert_msg(dt_session_open(&s, &sp, &err) == DT_OK, "%s", err.text);
    ck_assert_int_eq(dt_session_loader(&s, DT_SPLIT_TEST, batch, &loader, NULL), DT_OK);
    ck_assert_int_eq(dt_evaluator_init(&e, &s.net, dt_net_steps(&s.net), &s.kernels, batch, threads,
                                       NULL, NULL, NULL),
                     DT_OK);
    ck_assert_int_eq(dt_evaluate(&e, loader, NULL, NULL, predictions, &score, NULL), DT_OK);
    dt_loader_close(loader);
    dt_evaluator_fini(&e);
    dt_session_close(&s);
    dt_recipe_free(recipe);
    return score;
}

START_TEST(batch_and_threads_change_no_prediction)
{
    float a[37], b[37];
    dt_score whole = evaluate(37, 1, a), parts = evaluate(10, 3, b);
    ck_assert_int_eq(whole.count, 37);
    ck_assert_int_eq(parts.count, 37);
    ck_assert_mem_eq(a, b, sizeof a);
    ck_assert(whole.sum[0][0] == parts.sum[0][0]);
    /* The loss of a batch is rounded to float. */
    ck_assert_double_eq_tol(whole.loss, parts.loss, 1e-5);
    ck_assert(whole.loss > 1 && whole.loss < 10);
}
END_TEST

DT_TEST_MAIN("evaluate", batch_and_threads_change_no_prediction)
