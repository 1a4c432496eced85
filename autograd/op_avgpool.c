/* Mean over windows: [N,H,W,C] -> [N,OH,OW,C]. Padding is zeros that count, or is left out of the
 * mean, as what a last window has beyond the padding always is. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_avgpool.h"

#include "autograd/op.h"

static dt_status infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                       dt_error *err)
{
    (void)in_count;
    const dt_avgpool_conf *c = conf;
    if (c->over_h < 0 || c->over_w < 0 || c->over_h >= c->window.kernel_h ||
        c->over_w >= c->window.kernel_w)
        return dt_fail(err, DT_ERR_RANGE, NULL,
                       "over_h %d, over_w %d: less than the window's %dx%d is beyond the padding",
                       c->over_h, c->over_w, c->window.kernel_h, c->window.kernel_w);
    return dt_window_infer(&c->window, &in[0], &out[0], err);
}

bool dt_avgpool_is_even(const dt_avgpool_conf *c, const dt_shape *x, const dt_shape *y)
{
    const dt_conv_shape s = dt_window_shape(&c->window, x, y);
    return !dt_window_is_padded(&s) || (c->count_pad && !c->over_h && !c->over_w);
}

/* Elements of a window from `at` on that count, of `size` and `pad` behind them. */
static int64_t counted(int64_t at, int kernel, int64_t size, int64_t pad)
{
    return at + kernel < size + pad ? kernel : size + pad - at;
}

/* What the sum over a window is divided by. */
static real size_of(const dt_op_run *r, const dt_window_pixels *k, int64_t oh, int64_t ow)
{
    const dt_avgpool_conf *c = r->conf;
    const dt_window *w = &c->window;
    const int64_t *x = r->in_shape[0].dim;
    if (!c->count_pad) return (real)((k->h1 - k->h0) * (k->w1 - k->w0));
    return (real)(counted(oh * w->stride_h - w->pad_h, w->kernel_h, x[1],
                          (int64_t)w->pad_h + w->more_h - c->over_h) *
                  counted(ow * w->stride_w - w->pad_w, w->kernel_w, x[2],
                          (int64_t)w->pad_w + w->more_w - c->over_w));
}

static void forward_picture(void *arg, int64_t n, int thread)
{
    (void)thread;
    const dt_op_run *r = arg;
    const int64_t *x = r->in_shape[0].dim, *y = r->out_shape[0].dim, C = x[3];
    const real *from = (const real *)r->in[0] + n * x[1] * x[2] * C;
    real *to = (real *)r->out[0] + n * y[1] * y[2] * C;
    for (int64_t i = 0; i < y[1] * y[2]; i++, to += C) {
        const dt_window_pixels k = dt_window_at(r->conf, x[1], x[2], i / y[2], i % y[2]);
        const real size = size_of(r, &k, i / y[2], i % y[2]);
        for (int64_t c = 0; c < C; c++)
            to[c] = 0;
        for (int64_t h = k.h0; h < k.h1; h++)
            for (int64_t w = k.w0; w < k.w1; w++)
                for (int64_t c = 0; c < C; c++)
                    to[c] += from[(h * x[2] + w) * C + c];
        for (int64_t c = 0; c < C; c++)
            to[c] = to[c] / size;
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
        const dt_window_pixels k = dt_window_at(r->conf, x[1], x[2], i / y[2], i % y[2]);
        const real size = size_of(r, &k, i / y[2], i % y[2]);
        for (int64_t h = k.h0; h < k.h1; h++)
            for (int64_t w = k.w0; w < k.w1; w++)
                for (int64_t c = 0; c < C; c++)
                    d[(h * x[2] + w) * C + c] += g[c] / size;
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

static const dt_avgpool_conf plain = { .window = { 2, 3, 2, 1, 0, 0, 0, 0 } },
                             with_pad = { { 3, 3, 1, 2, 1, 1, 0, 0 }, .count_pad = true },
                             left_out = { .window = { 3, 3, 2, 2, 1, 1, 0, 1 } },
                             ceiled = { { 3, 3, 2, 2, 1, 0, 1, 1 },
                                        .count_pad = true,
                                        .over_h = 1,
                                        .over_w = 1 };
static const dt_op_example examples[] = {
    { .in_count = 1, .in = { { 4, { 2, 6, 5, 3 } } }, .conf = &plain },
    { .in_count = 1, .in = { { 4, { 2, 5, 6, 2 } } }, .conf = &with_pad },
    { .in_count = 1, .in = { { 4, { 2, 5, 6, 2 } } }, .conf = &left_out },
    { .in_count = 1, .in = { { 4, { 2, 5, 6, 2 } } }, .conf = &ceiled },
    { .in_count = 0 },
};

static const dt_opt opts[] = {
    DT_WINDOW_OPTS(dt_avgpool_conf),
    DT_OPT_BOOL(dt_avgpool_conf, count_pad, false, "padding counts in the mean"),
    DT_OPT_INT(dt_avgpool_conf, over_h, 0, 0, 1 << 20, "rows below that never count"),
    DT_OPT_INT(dt_avgpool_conf, over_w, 0, 0, 1 << 20, "columns right that never count"),
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
