/* Global average pool: [N,H,W,C] -> [N,C]. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op.h"

static dt_status infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                       dt_error *err)
{
    (void)conf;
    (void)in_count;
    char a[DT_SHAPE_TEXT];
    if (in[0].rank != 4)
        return dt_fail(err, DT_ERR_SHAPE, NULL, "input %s must have 4 dimensions",
                       dt_shape_print(&in[0], a));
    out[0] = DT_SHAPE(in[0].dim[0], in[0].dim[3]);
    return DT_OK;
}

static void forward_one(void *arg, int64_t n, int thread)
{
    (void)thread;
    const dt_op_run *r = arg;
    int64_t C = r->in_shape[0].dim[3], pixels = r->in_shape[0].dim[1] * r->in_shape[0].dim[2];
    const real *x = (const real *)r->in[0] + n * pixels * C;
    real *y = (real *)r->out[0] + n * C;
    for (int64_t c = 0; c < C; c++)
        y[c] = 0;
    for (int64_t p = 0; p < pixels; p++)
        for (int64_t c = 0; c < C; c++)
            y[c] += x[p * C + c];
    for (int64_t c = 0; c < C; c++)
        y[c] = y[c] / (real)pixels;
}

static void forward(const dt_op_run *r)
{
    dt_op_each(r, r->in_shape[0].dim[0], forward_one);
}

static void backward_one(void *arg, int64_t n, int thread)
{
    (void)thread;
    const dt_op_run *r = arg;
    int64_t C = r->in_shape[0].dim[3], pixels = r->in_shape[0].dim[1] * r->in_shape[0].dim[2];
    const real *dy = r->d_out[0] + n * C;
    real *dx = r->d_in[0] + n * pixels * C;
    for (int64_t p = 0; p < pixels; p++)
        for (int64_t c = 0; c < C; c++) {
            real g = dy[c] / (real)pixels;
            dx[p * C + c] = r->add[0] ? dx[p * C + c] + g : g;
        }
}

static void backward(const dt_op_run *r)
{
    dt_op_each(r, r->in_shape[0].dim[0], backward_one);
}

static const dt_op_example examples[] = {
    { .in_count = 1, .in = { { 4, { 2, 3, 2, 5 } } } },
    { .in_count = 0 },
};

const dt_op dt_op_gap = {
    .name = "gap",
    .in_min = 1,
    .in_max = 1,
    .out_count = 1,
    .grads = 1,
    .accumulates = 1,
    .sign = DT_SIGN_KEEP,
    .window_mean = true,
    .form = "mean",
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .examples = examples,
};
