/* One call of the fakequant op, forward and backward, on plain arrays. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TESTS_PROPERTY_FQ_CALL_H
#define DT_TESTS_PROPERTY_FQ_CALL_H

#include <string.h>

#include "autograd/op.h"
#include "autograd/quantizer.h"
#include "core/alloc.h"
#include "tests/support/run.h"

typedef struct fq_call {
    dt_fakequant_conf conf;
    dt_shape shape;                      /* of x; [groups,..] with groups */
    const real *x, *dy;                  /* dy NULL: forward only */
    real *params[DT_QUANT_MAX_PARAMS];   /* [groups] each; behind them the strength, if it is one */
    real *y, *dx;                        /* filled */
    real *d_params[DT_QUANT_MAX_PARAMS]; /* filled, may be NULL */
} fq_call;

static inline void *fq_pointer(const real *p)
{
    return (void *)(uintptr_t)p; /* inputs are only read */
}

static inline void fq_run(const fq_call *c, int threads)
{
    const dt_op *op = dt_op_find("fakequant");
    dt_shape in[1 + DT_QUANT_MAX_PARAMS] = { c->shape }, out;
    dt_kernels kernels;
    dt_op_memory m = { 0 };
    dt_arena *arena = dt_arena_new(NULL, "test");
    ck_assert_int_eq(dt_kernels_init(&kernels, test_isa, NULL), DT_OK);
    int params = c->conf.quantizer->param_count, inputs = 1 + params + c->conf.strength_in;
    for (int i = 1; i < inputs; i++)
        in[i] = DT_SHAPE(i <= params ? c->conf.site.groups : 1);
    ck_assert_int_eq(op->infer(&c->conf, in, inputs, &out, NULL), DT_OK);
    dt_op_run run = { .conf = &c->conf,
                      .mode = DT_MODE_TRAIN,
                      .threads = threads,
                      .kernels = &kernels,
                      .in_shape = in,
                      .out_shape = &out,
                      .in = { fq_pointer(c->x) },
                      .out = { c->y },
                      .d_in = { c->dx },
                      .d_out = { fq_pointer(c->dy) } };
    for (int i = 1; i < inputs; i++) {
        run.in[i] = c->params[i - 1];
        run.d_in[i] = c->d_params[i - 1];
    }
    op->memory(&run, &m);
    run.saved = dt_arena_get(arena, m.saved);
    run.work = dt_arena_get(arena, m.forward_work + m.backward_work);
    op->forward(&run);
    if (c->dy) op->backward(&run);
    dt_arena_free(arena);
}

#endif
