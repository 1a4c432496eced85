/* Every op of the table, with the shapes that its descriptor names. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"
#include "core/rng.h"
#include "tests/support/gradcheck.h"
#include "tests/support/run.h"

static void *draw(const dt_op_example *e, int input, dt_arena *arena, dt_rng *rng)
{
    int64_t n = dt_shape_count(&e->in[input]);
    if (e->labels >> input & 1) {
        int32_t *labels = dt_arena_get(arena, (size_t)n * sizeof *labels);
        for (int64_t i = 0; i < n; i++)
            labels[i] = i == 1 ? -1 : (int32_t)dt_rng_below(rng, (uint32_t)e->classes);
        return labels;
    }
    real *x = dt_arena_get(arena, (size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; i++) {
        x[i] = (real)dt_rng_normal(rng);
        if (e->positive >> input & 1) x[i] = x[i] * x[i] + (real)0.1;
    }
    return x;
}

static void check_example(const dt_op *op, const dt_op_example *e, int threads)
{
    dt_arena *arena = dt_arena_new(NULL, "test");
    dt_rng rng;
    dt_rng_open(&rng, 11, DT_RNG_TEST, dt_hash_name(op->name), 0);
    gradcheck g = { .op = op,
                    .conf = e->conf,
                    .in_count = e->in_count,
                    .threads = threads,
                    .skip = e->labels,
                    .norms = e->norms };
    memcpy(g.in_shape, e->in, sizeof g.in_shape);
    dt_error err = { 0 };
    ck_assert_msg(op->infer(e->conf, e->in, e->in_count, g.out_shape, &err) == DT_OK, "%s: %s",
                  op->name, err.text);
    for (int i = 0; i < e->in_count; i++)
        g.in[i] = draw(e, i, arena, &rng);
    ck_assert(gradcheck_run(&g));
    ck_assert_msg(g.worst < 1e-6, "%s", g.worst_at);
    ck_assert_msg(g.checked > 0, "%s: no element was checked", op->name);
    ck_assert_msg(g.checked > 3 * g.skipped, "%s: %d checked, %d skipped", op->name, g.checked,
                  g.skipped);
    dt_arena_free(arena);
}

/* Whose gradients the examples are to show: quantizers and what the fusing pass makes have suites
 * of their own (test_quantizer_gradients.c, autograd/test_fuse.c). */
static bool is_wanted(const dt_op *op)
{
    return op->backward && !op->quantizes && !op->fused;
}

/* Inputs whose gradients the examples show. */
static unsigned shown(const dt_op *op, int *count)
{
    unsigned inputs = 0;
    for (const dt_op_example *e = op->examples; e && e->in_count; e++) {
        inputs |= ((1u << e->in_count) - 1) & ~e->labels;
        ++*count;
    }
    return inputs;
}

/* Inputs that can have a gradient. Behind in_min, where all can, are parameters of quantizers. */
static unsigned with_gradients(const dt_op *op)
{
    int count = op->grads == ~0u ? op->in_min : op->in_max;
    return op->grads & ((1u << count) - 1);
}

START_TEST(every_input_with_a_gradient_has_an_example)
{
    int examples = 0, rows = 0;
    for (const dt_op *const *op = dt_ops; *op; op++) {
        int count = 0;
        if (!is_wanted(*op)) continue;
        unsigned seen = shown(*op, &count), wanted = with_gradients(*op);
        ck_assert_msg(count > 0, "%s has no examples", (*op)->name);
        ck_assert_msg(wanted != 0 && (wanted & ~seen) == 0,
                      "%s: gradients of inputs %#x, examples show those of %#x", (*op)->name,
                      wanted, seen);
        examples += count;
        rows++;
    }
    ck_assert_int_gt(rows, 0);
    ck_assert_int_ge(examples, rows);
}
END_TEST

START_TEST(gradients_are_central_differences)
{
    int rows = 0, left_out = 0;
    for (const dt_op *const *op = dt_ops; *op; op++, rows++) {
        left_out += !is_wanted(*op);
        for (const dt_op_example *e = (*op)->examples; is_wanted(*op) && e->in_count; e++) {
            check_example(*op, e, 1);
            check_example(*op, e, 3);
        }
    }
    ck_assert_int_lt(left_out, rows / 4);
}
END_TEST

DT_TEST_MAIN("op_gradients", every_input_with_a_gradient_has_an_example,
             gradients_are_central_differences)
