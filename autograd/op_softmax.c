/* Softmax over the last axis: [...,C] -> [...,C]. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op.h"

enum { BLOCK = 64 }; /* rows of a task */

static dt_status infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                       dt_error *err)
{
    (void)conf;
    (void)in_count;
    char a[DT_SHAPE_TEXT];
    if (in[0].rank < 1)
        return dt_fail(err, DT_ERR_SHAPE, NULL, "input %s has no last dimension",
                       dt_shape_print(&in[0], a));
    out[0] = in[0];
    return DT_OK;
}

static int64_t columns(const dt_op_run *r)
{
    return r->in_shape[0].dim[r->in_shape[0].rank - 1];
}

static int64_t block_rows(const dt_op_run *r, int64_t i)
{
    int64_t left = dt_shape_count(&r->in_shape[0]) / columns(r) - i * BLOCK;
    return left < BLOCK ? left : BLOCK;
}

static void forward_block(void *arg, int64_t i, int thread)
{
    (void)thread;
    const dt_op_run *r = arg;
    int64_t at = i * BLOCK * columns(r);
    r->kernels->token.softmax(block_rows(r, i), columns(r), (const real *)r->in[0] + at,
                              (real *)r->out[0] + at);
}

static void backward_block(void *arg, int64_t i, int thread)
{
    (void)thread;
    const dt_op_run *r = arg;
    int64_t at = i * BLOCK * columns(r);
    r->kernels->token.softmax_back(block_rows(r, i), columns(r), (const real *)r->out[0] + at,
                                   r->d_out[0] + at, r->d_in[0] + at, r->add[0]);
}

static void in_blocks(const dt_op_run *r, dt_task task)
{
    int64_t rows = dt_shape_count(&r->in_shape[0]) / columns(r);
    dt_op_each(r, (rows + BLOCK - 1) / BLOCK, task);
}

static void forward(const dt_op_run *r)
{
    in_blocks(r, forward_block);
}

static void backward(const dt_op_run *r)
{
    in_blocks(r, backward_block);
}

static const dt_op_example examples[] = {
    { .in_count = 1, .in = { { 4, { 2, 3, 4, 5 } } } },
    { .in_count = 1, .in = { { 2, { 70, 19 } } } },
    { .in_count = 0 },
};

const dt_op dt_op_softmax = {
    .name = "softmax",
    .in_min = 1,
    .in_max = 1,
    .out_count = 1,
    .grads = 1,
    .reads_out = 1,
    .accumulates = 1,
    .inplace = true,
    .grad_inplace = true,
    .sign = DT_SIGN_NONNEG,
    .row_shares = true,
    .in_float = true,
    .form = "softmax",
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .examples = examples,
};
