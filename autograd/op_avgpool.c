/* Mean over windows: [N,H,W,C] -> [N,OH,OW,C]. Padding is zeros that count, or is left out of the
 * mean. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_avgpool.h"

#include "autograd/op.h"

static int64_t windows(int64_t size, int kernel, int stride, int pad, int more)
{
    return (size + 2 * pad + more - kernel) / stride + 1;
}

/* At least one pixel in every window, the last included. */
static bool covers(int64_t size, int64_t count, int kernel, int stride, int pad)
{
    return kernel > 0 && stride > 0 && pad >= 0 && pad < kernel && count > 0 &&
           (count - 1) * stride - pad < size;
}

static dt_status infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                       dt_error *err)
{
    (void)in_count;
    const dt_avgpool_conf *c = conf;
    char a[DT_SHAPE_TEXT];
    if (in[0].rank != 4 || c->stride_h < 1 || c->stride_w < 1)
        return dt_fail(err, DT_ERR_SHAPE, NULL,
                       "input %s must have 4 dimensions, strides 1 or more",
                       dt_shape_print(&in[0], a));
    int64_t OH = windows(in[0].dim[1], c->kernel_h, c->stride_h, c->pad_h, c->more_h);
    int64_t OW = windows(in[0].dim[2], c->kernel_w, c->stride_w, c->pad_w, c->more_w);
    if (!covers(in[0].dim[1], OH, c->kernel_h, c->stride_h, c->pad_h) ||
        !covers(in[0].dim[2], OW, c->kernel_w, c->stride_w, c->pad_w))
        return dt_fail(err, DT_ERR_SHAPE, NULL, "windows of %dx%d with this padding do not fit %s",
                       c->kernel_h, c->kernel_w, dt_shape_print(&in[0], a));
    out[0] = DT_SHAPE(in[0].dim[0], OH, OW, in[0].dim[3]);
    return DT_OK;
}

/* The pixels of one window, and what their sum is divided by. */
typedef struct window {
    int64_t h0, h1, w0, w1;
    real size;
} window;

static window window_of(const dt_op_run *r, int64_t oh, int64_t ow)
{
    const dt_avgpool_conf *c = r->conf;
    const int64_t H = r->in_shape[0].dim[1], W = r->in_shape[0].dim[2];
    int64_t h = oh * c->stride_h - c->pad_h, w = ow * c->stride_w - c->pad_w;
    window k = { h < 0 ? 0 : h, h + c->kernel_h < H ? h + c->kernel_h : H, w < 0 ? 0 : w,
                 w + c->kernel_w < W ? w + c->kernel_w : W, 0 };
    k.size =
        (real)(c->count_pad ? (int64_t)c->kernel_h * c->kernel_w : (k.h1 - k.h0) * (k.w1 - k.w0));
    return k;
}

static void forward_picture(void *arg, int64_t n, int thread)
{
    (void)thread;
    const dt_op_run *r = arg;
    const int64_t *x = r->in_shape[0].dim, *y = r->out_shape[0].dim, C = x[3];
    const real *from = (const real *)r->in[0] + n * x[1] * x[2] * C;
    real *to = (real *)r->out[0] + n * y[1] * y[2] * C;
    for (int64_t i = 0; i < y[1] * y[2]; i++, to += C) {
        const window k = window_of(r, i / y[2], i % y[2]);
        for (int64_t c = 0; c < C; c++)
            to[c] = 0;
        for (int64_t h = k.h0; h < k.h1; h++)
            for (int64_t w = k.w0; w < k.w1; w++)
                for (int64_t c = 0; c < C; c++)
                    to[c] += from[(h * x[2] + w) * C + c];
        for (int64_t c = 0; c < C; c++)
            to[c] = to[c] / k.size;
    }
}

static void backward_picture(void *arg, int64_t n, int thread)
{
    (void)thread;
    const dt_op_run *r = arg;
    const int64_t *x = r->in_shape[0].dim, *y = r->out_shape[0].dim, C = x[3];
    const real *g = r->d_out[0] + n * y[1] * y[2] * C;
    real *d = r->d_in[0] + n * x[1] * x[2] * C;
    for (int64_t i = 0; !r->add[0] && i < x[1] * x[2] * C; i++)
        d[i] = 0;
    for (int64_t i = 0; i < y[1] * y[2]; i++, g += C) {
        const window k = window_of(r, i / y[2], i % y[2]);
        for (int64_t h = k.h0; h < k.h1; h++)
            for (int64_t w = k.w0; w < k.w1; w++)
                for (int64_t c = 0; c < C; c++)
                    d[(h * x[2] + w) * C + c] += g[c] / k.size;
    }
}

static void forward(const dt_op_run *r)
{
    dt_op_each(r, r->in_shape[0].dim[0], forward_picture);
}

static void backward(const dt_op_run *r)
{
    dt_op_each(r, r->in_shape[0].dim[0], backward_picture);
}

static const dt_avgpool_conf plain = { .kernel_h = 2, .kernel_w = 3, .stride_h = 2, .stride_w = 1 };
static const dt_avgpool_conf counted = { 3, 3, 1, 2, 1, 1, 0, 0, true },
                             left_out = { 3, 3, 2, 2, 1, 1, 0, 1, false };
static const dt_op_example examples[] = {
    { .in_count = 1, .in = { { 4, { 2, 6, 5, 3 } } }, .conf = &plain },
    { .in_count = 1, .in = { { 4, { 2, 5, 6, 2 } } }, .conf = &counted },
    { .in_count = 1, .in = { { 4, { 2, 5, 6, 2 } } }, .conf = &left_out },
    { .in_count = 0 },
};

static const dt_opt opts[] = {
    DT_OPT_INT(dt_avgpool_conf, kernel_h, 2, 1, 1 << 20, "rows of a window"),
    DT_OPT_INT(dt_avgpool_conf, kernel_w, 2, 1, 1 << 20, "columns of a window"),
    DT_OPT_INT(dt_avgpool_conf, stride_h, 1, 1, 1 << 20, "rows to the next"),
    DT_OPT_INT(dt_avgpool_conf, stride_w, 1, 1, 1 << 20, "columns to the next"),
    DT_OPT_INT(dt_avgpool_conf, pad_h, 0, 0, 1 << 20, "rows of padding above"),
    DT_OPT_INT(dt_avgpool_conf, pad_w, 0, 0, 1 << 20, "columns of padding left"),
    DT_OPT_INT(dt_avgpool_conf, more_h, 0, -(1 << 20), 1 << 20, "rows below beyond those above"),
    DT_OPT_INT(dt_avgpool_conf, more_w, 0, -(1 << 20), 1 << 20, "columns right beyond those left"),
    DT_OPT_BOOL(dt_avgpool_conf, count_pad, false, "padding counts in the mean"),
    DT_OPT_END,
};

const dt_op dt_op_avgpool = {
    .name = "avgpool",
    .in_min = 1,
    .in_max = 1,
    .out_count = 1,
    .opts = opts,
    .conf_size = sizeof(dt_avgpool_conf),
    .grads = 1,
    .accumulates = 1,
    .sign = DT_SIGN_KEEP,
    .window_mean = true,
    .form = "avgpool",
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .examples = examples,
};
