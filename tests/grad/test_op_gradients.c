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
    gradcheck g = {
        .op = op, .conf = e->conf, .in_count = e->in_count, .threads = threads, .skip = e->labels
    };
    memcpy(g.in_shape, e->in, sizeof g.in_shape);
    dt_error err = { 0 };
    ck_assert_msg(op->infer(e->conf, e->in, e->in_count, g.out_shape, &err) == DT_OK, "%s: %s",
                  op->name, err.text);
    for (int i = 0; i < e->in_count; i++)
        g.in[i] = draw(e, i, arena, &rng);
    ck_assert(gradcheck_run(&g));
    ck_assert_msg(g.worst < 1e-6, "%s", g.worst_at);
    ck_assert_msg(g.checked > 3 * g.skipped, "%s: %d checked, %d skipped", op->name, g.checked,
                  g.skipped);
    dt_arena_free(arena);
}

START_TEST(gradients_are_central_differences)
{
    int examples = 0;
    for (const dt_op *const *op = dt_ops; *op; op++) {
        if (strcmp((*op)->name, "fakequant") == 0) continue; /* test_quantizer_gradients.c */
        if ((*op)->fused) continue;                          /* autograd/test_fuse.c */
        ck_assert_msg((*op)->examples, "%s has no examples", (*op)->name);
        for (const dt_op_example *e = (*op)->examples; e->in_count; e++, examples++) {
            check_example(*op, e, 1);
            check_example(*op, e, 3);
        }
    }
    ck_assert_int_ge(examples, 9);
}
END_TEST

DT_TEST_MAIN("op_gradients", gradients_are_central_differences)
