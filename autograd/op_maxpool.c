/* Max pool: [N,H,W,C] -> [N,OH,OW,C]; padding never wins. The first maximum in row order takes the
 * gradient; its position is saved. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_maxpool.h"

#include "autograd/op.h"

static dt_status infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                       dt_error *err)
{
    (void)in_count;
    const dt_maxpool_conf *c = conf;
    return dt_window_infer(&c->window, &in[0], &out[0], err);
}

static void memory(const dt_op_run *r, dt_op_memory *out)
{
    out->saved = (size_t)dt_shape_count(&r->out_shape[0]) * sizeof(int32_t);
}

/* Takes in one input pixel, whose first element is `base` of its picture. Without branches, so that
 * it is done for a vector of channels at a time. */
static void take_pixel(int64_t C, const real *restrict x, int64_t base, real *restrict y,
                       int32_t *restrict at)
{
    for (int64_t i = 0; i < C; i++) {
        real v = x[base + i];
        bool wins = (at[i] < 0) | (v > y[i]) | (v != v); /* nan stays */
        y[i] = wins ? v : y[i];
        at[i] = wins ? (int32_t)(base + i) : at[i];
    }
}

/* One output pixel: value and position (within the picture) of the maximum of each channel. */
static void pool_pixel(const dt_maxpool_conf *c, const dt_shape *xs, const real *x, int64_t oh,
                       int64_t ow, real *y, int32_t *at)
{
    int64_t H = xs->dim[1], W = xs->dim[2], C = xs->dim[3];
    const dt_window_pixels k = dt_window_at(&c->window, H, W, oh, ow);
    for (int64_t i = 0; i < C; i++)
        at[i] = -1, y[i] = 0;
    for (int64_t h = k.h0; h < k.h1; h++)
        for (int64_t w = k.w0; w < k.w1; w++)
            take_pixel(C, x, (h * W + w) * C, y, at);
}

static void forward_one(void *arg, int64_t n, int thread)
{
    (void)thread;
    const dt_op_run *r = arg;
    const dt_shape *xs = &r->in_shape[0], *ys = &r->out_shape[0];
    const real *x = (const real *)r->in[0] + n * xs->dim[1] * xs->dim[2] * xs->dim[3];
    int64_t C = ys->dim[3], base = n * ys->dim[1] * ys->dim[2] * C;
    for (int64_t p = 0; p < ys->dim[1] * ys->dim[2]; p++)
        pool_pixel(r->conf, xs, x, p / ys->dim[2], p % ys->dim[2], (real *)r->out[0] + base + p * C,
                   (int32_t *)r->saved + base + p * C);
}

static void forward(const dt_op_run *r)
{
    dt_op_each(r, r->in_shape[0].dim[0], forward_one);
}

static void backward_one(void *arg, int64_t n, int thread)
{
    (void)thread;
    const dt_op_run *r = arg;
    int64_t in = dt_shape_count(&r->in_shape[0]) / r->in_shape[0].dim[0];
    int64_t out = dt_shape_count(&r->out_shape[0]) / r->out_shape[0].dim[0];
    real *dx = r->d_in[0] + n * in;
    const real *dy = r->d_out[0] + n * out;
    const int32_t *at = (const int32_t *)r->saved + n * out;
    if (!r->add[0])
        for (int64_t i = 0; i < in; i++)
            dx[i] = 0;
    for (int64_t i = 0; i < out; i++)
        dx[at[i]] += dy[i];
}

static void backward(const dt_op_run *r)
{
    dt_op_each(r, r->in_shape[0].dim[0], backward_one);
}

static const dt_maxpool_conf three = { { 3, 3, 2, 2, 1, 1, 0, 0 } },
                             two = { { 2, 2, 2, 2, 0, 0, 0, 0 } },
                             sided = { { 2, 3, 1, 2, 0, 2, 1, -1 } };
static const dt_op_example examples[] = {
    { .in_count = 1, .in = { { 4, { 2, 5, 6, 2 } } }, .conf = &three },
    { .in_count = 1, .in = { { 4, { 1, 4, 5, 3 } } }, .conf = &two },
    { .in_count = 1, .in = { { 4, { 2, 4, 5, 2 } } }, .conf = &sided },
    { .in_count = 0 },
};

static const dt_opt opts[] = {
    DT_WINDOW_OPTS(dt_maxpool_conf),
    DT_OPT_END,
};

const dt_op dt_op_maxpool = {
    .name = "maxpool",
    .in_min = 1,
    .in_max = 1,
    .out_count = 1,
    .opts = opts,
    .conf_size = sizeof(dt_maxpool_conf),
    .grads = 1,
    .accumulates = 1,
    .sign = DT_SIGN_KEEP,
    .grad_kind = DT_GRAD_KINK,
    .moves_codes = true,
    .form = "maxpool",
    .infer = infer,
    .memory = memory,
    .forward = forward,
    .backward = backward,
    .examples = examples,
};
