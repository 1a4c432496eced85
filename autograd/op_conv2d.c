/* 2-D convolution: x [N,H,W,C], w [O,KH,KW,C/G], b [O] (optional) -> y [N,OH,OW,O]. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_conv2d.h"

#include <string.h>

#include "autograd/bias.h"
#include "core/thread.h"

dt_conv_shape dt_conv2d_shape(const dt_conv2d_conf *c, const dt_shape *x, const dt_shape *w)
{
    dt_conv_shape s = {
        .N = x->dim[0],
        .H = x->dim[1],
        .W = x->dim[2],
        .C = x->dim[3],
        .O = w->dim[0],
        .KH = w->dim[1],
        .KW = w->dim[2],
        .SH = c->stride_h,
        .SW = c->stride_w,
        .PH = c->pad_h,
        .PW = c->pad_w,
        .G = c->groups,
        .DH = c->skip_h,
        .DW = c->skip_w,
    };
    s.OH = (s.H + 2 * s.PH + c->more_h - dt_conv_reach(s.KH, s.DH)) / s.SH + 1;
    s.OW = (s.W + 2 * s.PW + c->more_w - dt_conv_reach(s.KW, s.DW)) / s.SW + 1;
    return s;
}

dt_status dt_conv2d_infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                          dt_error *err)
{
    const dt_conv2d_conf *c = conf;
    const dt_shape *x = &in[0], *w = &in[1];
    char a[DT_SHAPE_TEXT], b[DT_SHAPE_TEXT];
    dt_shape_print(x, a);
    dt_shape_print(w, b);
    if (x->rank != 4 || w->rank != 4)
        return dt_fail(err, DT_ERR_SHAPE, NULL, "input %s and weight %s must have 4 dimensions", a,
                       b);
    if (c->stride_h < 1 || c->stride_w < 1 || c->pad_h < 0 || c->pad_w < 0 || c->groups < 1 ||
        c->pad_h + c->more_h < 0 || c->pad_w + c->more_w < 0 || c->skip_h < 0 || c->skip_w < 0)
        return dt_fail(err, DT_ERR_RANGE, NULL, "bad stride, padding, dilation or groups");
    if (x->dim[3] != w->dim[3] * c->groups)
        return dt_fail(err, DT_ERR_SHAPE, NULL, "input %s has %lld channels, weight %s wants %lld",
                       a, (long long)x->dim[3], b, (long long)(w->dim[3] * c->groups));
    if (w->dim[0] % c->groups)
        return dt_fail(err, DT_ERR_SHAPE, NULL, "weight %s: %d groups do not divide the outputs", b,
                       c->groups);
    if (x->dim[1] + 2 * c->pad_h + c->more_h < dt_conv_reach(w->dim[1], c->skip_h) ||
        x->dim[2] + 2 * c->pad_w + c->more_w < dt_conv_reach(w->dim[2], c->skip_w))
        return dt_fail(err, DT_ERR_SHAPE, NULL, "input %s is smaller than the kernel %s", a, b);
    if (in_count == 3 && (in[2].rank != 1 || in[2].dim[0] != w->dim[0]))
        return dt_fail(err, DT_ERR_SHAPE, NULL, "bias %s and weight %s do not fit",
                       dt_shape_print(&in[2], a), b);
    dt_conv_shape s = dt_conv2d_shape(c, x, w);
    out[0] = DT_SHAPE(s.N, s.OH, s.OW, s.O);
    return DT_OK;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* What the kernels work in is free again when a bias is added, and its gradient taken. */
static void memory(const dt_op_run *r, dt_op_memory *out)
{
    dt_conv_shape s = dt_conv2d_shape(r->conf, &r->in_shape[0], &r->in_shape[1]);
    const dt_conv_kernels *k = &r->kernels->conv;
    out->forward_work = k->workspace(&s, DT_CONV_FORWARD, r->threads);
    out->backward_work = k->workspace(&s, DT_CONV_BACKWARD, r->threads);
    if (r->in_count < 3) return;
    out->forward_work = larger(out->forward_work, dt_bias_work(s.O));
    out->backward_work = larger(out->backward_work, dt_conv2d_bias_work(r, &s));
}

typedef struct biased {
    const dt_op_run *r;
    dt_bias bias;
    int64_t picture; /* elements of y */
} biased;

static void add_bias(void *arg, int64_t n, int thread)
{
    (void)thread;
    const biased *k = arg;
    dt_bias_add(&k->r->kernels->tile, &k->bias, k->picture, (real *)k->r->out[0] + n * k->picture);
}

static void forward(const dt_op_run *r)
{
    dt_conv_shape s = dt_conv2d_shape(r->conf, &r->in_shape[0], &r->in_shape[1]);
    r->kernels->conv.forward(&s, r->in[0], r->in[1], r->out[0], r->work, r->threads);
    if (!r->in[2]) return;
    biased k = { r, dt_bias_lay_out(r->in[2], s.O, r->work), s.OH * s.OW * s.O };
    dt_parallel(r->threads, s.N, add_bias, &k);
}

dt_conv_back dt_conv2d_back(const dt_op_run *r, const dt_conv_shape *s)
{
    return (dt_conv_back){ .shape = *s,
                           .x.x = r->in[0],
                           .w = r->in[1],
                           .dy = r->d_out[0],
                           .finish = r->finish,
                           .arg = r->finish_arg,
                           .dx = r->d_in[0],
                           .accumulate = r->add[0],
                           .dw = r->d_in[1] };
}

size_t dt_conv2d_bias_work(const dt_op_run *r, const dt_conv_shape *s)
{
    return dt_bias_grad_work(s->N * s->OH * s->OW, s->O, r->threads);
}

static void finish_picture(void *arg, int64_t n, int thread)
{
    (void)thread;
    const dt_conv_back *b = arg;
    b->finish(b->arg, n, 1, b->dy + n * b->shape.OH * b->shape.OW * b->shape.O);
}

/* The sum over pixels wants all of dy, which is finished for it first. */
void dt_conv2d_bias_grad(const dt_op_run *r, dt_conv_back *b)
{
    const dt_conv_shape *s = &b->shape;
    if (b->finish) dt_parallel(r->threads, s->N, finish_picture, b);
    b->finish = NULL;
    dt_bias_grad(r, s->N * s->OH * s->OW, s->O, b->dy, r->work);
}

static void backward(const dt_op_run *r)
{
    dt_conv_shape s = dt_conv2d_shape(r->conf, &r->in_shape[0], &r->in_shape[1]);
    dt_conv_back b = dt_conv2d_back(r, &s);
    if (r->d_in[2]) dt_conv2d_bias_grad(r, &b);
    r->kernels->conv.backward(&b, r->work, r->threads);
}

int64_t dt_conv2d_macs(const void *conf, const dt_shape *in, const dt_shape *out)
{
    (void)conf;
    return dt_shape_count(out) * in[1].dim[1] * in[1].dim[2] * in[1].dim[3];
}

static const dt_conv2d_conf same = { 1, 1, 1, 1, 1 }, strided = { 2, 1, 0, 2, 1 },
                            grouped = { 2, 2, 1, 1, 2 },
                            sided = { 2, 1, 0, 1, 1, .more_h = 1, .more_w = -1 },
                            dilated = { 1, 2, 2, 1, 2, .skip_h = 1, .skip_w = 2 };
static const dt_op_example examples[] = {
    { .in_count = 2, .in = { { 4, { 2, 4, 5, 3 } }, { 4, { 4, 3, 3, 3 } } }, .conf = &same },
    { .in_count = 2, .in = { { 4, { 1, 5, 4, 2 } }, { 4, { 3, 2, 3, 2 } } }, .conf = &strided },
    { .in_count = 2, .in = { { 4, { 2, 5, 5, 4 } }, { 4, { 6, 3, 3, 2 } } }, .conf = &grouped },
    { .in_count = 3,
      .in = { { 4, { 2, 4, 5, 3 } }, { 4, { 4, 3, 2, 3 } }, { 1, { 4 } } },
      .conf = &sided },
    { .in_count = 2, .in = { { 4, { 2, 5, 8, 4 } }, { 4, { 6, 3, 3, 2 } } }, .conf = &dilated },
    { .in_count = 3,
      .in = { { 4, { 2, 4, 5, 2 } }, { 4, { 3, 3, 3, 2 } }, { 1, { 3 } } },
      .conf = &same },
    { .in_count = 0 },
};

static const dt_opt opts[] = {
    DT_OPT_INT(dt_conv2d_conf, stride_h, 1, 1, 1 << 20, "rows"),
    DT_OPT_INT(dt_conv2d_conf, stride_w, 1, 1, 1 << 20, "columns"),
    DT_OPT_INT(dt_conv2d_conf, pad_h, 0, 0, 1 << 20, "rows of zeros above"),
    DT_OPT_INT(dt_conv2d_conf, pad_w, 0, 0, 1 << 20, "columns of zeros on the left"),
    DT_OPT_INT(dt_conv2d_conf, groups, 1, 1, 1 << 20, "of channels, each by itself"),
    DT_OPT_INT(dt_conv2d_conf, more_h, 0, -(1 << 20), 1 << 20, "rows of zeros below beyond pad_h"),
    DT_OPT_INT(dt_conv2d_conf, more_w, 0, -(1 << 20), 1 << 20,
               "columns of zeros on the right beyond pad_w"),
    DT_OPT_INT(dt_conv2d_conf, skip_h, 0, 0, 1 << 20, "rows left out between two taps"),
    DT_OPT_INT(dt_conv2d_conf, skip_w, 0, 0, 1 << 20, "columns left out between two taps"),
    DT_OPT_END,
};

static int64_t rows(const void *conf, const dt_shape *x, const dt_shape *w, int64_t *out_groups)
{
    dt_conv_shape s = dt_conv2d_shape(conf, x, w);
    *out_groups = s.G;
    return s.N * s.OH * s.OW;
}

/* One row: taps outside of the picture are zeros. */
static void read_row(const dt_conv_shape *s, const real *data, int64_t group, int64_t row, real *to)
{
    const int64_t I = s->C / s->G, ow = row % s->OW, oh = row / s->OW % s->OH;
    const real *picture = data + row / (s->OW * s->OH) * s->H * s->W * s->C + group * I;
    for (int64_t kh = 0; kh < s->KH; kh++)
        for (int64_t kw = 0; kw < s->KW; kw++, to += I) {
            int64_t h = oh * s->SH - s->PH + kh * (s->DH + 1);
            int64_t v = ow * s->SW - s->PW + kw * (s->DW + 1);
            bool inside = h >= 0 && h < s->H && v >= 0 && v < s->W;
            if (inside)
                memcpy(to, picture + (h * s->W + v) * s->C, sizeof *to * (size_t)I);
            else
                memset(to, 0, sizeof *to * (size_t)I);
        }
}

static void read_rows(const void *conf, const dt_shape *x, const dt_shape *w, const real *data,
                      int64_t group, int64_t first, int64_t n, real *to)
{
    const dt_conv_shape s = dt_conv2d_shape(conf, x, w);
    const int64_t K = s.KH * s.KW * (s.C / s.G);
    for (int64_t i = 0; i < n; i++)
        read_row(&s, data, group, first + i, to + i * K);
}

static const dt_op_product product = {
    .x = 0, .w = 1, .bias = 2, .channel_axis = 0, .rows = rows, .read_rows = read_rows
};

static void on_codes_configure(const void *conf, const dt_fakequant_conf *x,
                               const dt_fakequant_conf *w, void *out)
{
    dt_conv2d_codes_conf c = { .x = x, .w = w };
    memcpy(&c.conv, conf, sizeof c.conv);
    memcpy(out, &c, sizeof c);
}

static void on_codes_keep_sums(void *conf, int center)
{
    dt_conv2d_codes_conf *c = conf;
    c->sums = true;
    c->center = center;
}

static const dt_op_codes on_codes = { .op = "conv2d_codes",
                                      .configure = on_codes_configure,
                                      .keep_sums = on_codes_keep_sums };

const dt_op dt_op_conv2d = {
    .name = "conv2d",
    .in_min = 2,
    .in_max = 3,
    .out_count = 1,
    .opts = opts,
    .conf_size = sizeof(dt_conv2d_conf),
    .grads = 7,
    .reads_in = 3,
    .accumulates = 1,
    .takes_unfinished = true,
    .product = &product,
    .on_codes = &on_codes,
    .infer = dt_conv2d_infer,
    .memory = memory,
    .forward = forward,
    .backward = backward,
    .macs = dt_conv2d_macs,
    .examples = examples,
};
