/* Convolution of quantized operands: the sum runs in integers, exactly, and is scaled once:
 *
 *   y = (sum of (c - zero_point) * k) * (scale_x * scale_w[o]) + b[o]
 *
 * with c the stored codes of x and k those of the weight; or, without a bias, y stays sums and
 * scales, for a reader that scales them. Gradients are those of conv2d with
 * respect to the quantized values. The fusing pass makes such nodes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "autograd/bias.h"
#include "autograd/op_conv2d.h"
#include "autograd/sums.h"
#include "autograd/weight_codes.h"
#include "core/thread.h"

enum { CHUNK = 1 << 15, REMADE = 144 };

/* Codes are int32 while they are summed, in the memory of y. */
static const bool sums_fit_in_place = sizeof(real) == sizeof(int32_t);

typedef struct call {
    const dt_op_run *r;
    dt_conv_shape s;
    int zero_point, most; /* of x: the code of 0, the largest one */
    real scale_x;
    int64_t x_count;
    real *scale;   /* [lanes]: of y */
    int64_t lanes; /* a multiple of the output channels */
    dt_bias bias;  /* laid out if there is one */
    int8_t *w;     /* codes of the weight */
    real *x;       /* decoded */
} call;

static size_t weight_bytes(const dt_conv_shape *s)
{
    return dt_aligned((size_t)(s->O * s->KH * s->KW * (s->C / s->G)));
}

static size_t x_bytes(const dt_op_run *r)
{
    return dt_aligned((size_t)dt_shape_count(&r->in_shape[0]) * sizeof(real));
}

static dt_conv_shape shape_of(const dt_op_run *r)
{
    const dt_conv2d_codes_conf *c = r->conf;
    return dt_conv2d_shape(&c->conv, &r->in_shape[0], &r->in_shape[1]);
}

static bool has_bias(const void *conf, int in_count)
{
    const dt_conv2d_codes_conf *c = conf;
    return in_count > 2 + c->x->quantizer->param_count + c->w->quantizer->param_count;
}

static unsigned grads_of(const void *conf, int in_count)
{
    return has_bias(conf, in_count) ? 7 : 3;
}

static dt_status infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                       dt_error *err)
{
    return dt_conv2d_infer(conf, in, has_bias(conf, in_count) ? 3 : 2, out, err);
}

/* The parameters of x's quantizer, then of the weight's. */
static void *const *first_param(const dt_op_run *r)
{
    return r->in + (has_bias(r->conf, r->in_count) ? 3 : 2);
}

/* Forward work: scales of y, the bias, codes of the weight, the kernel's. Backward: the kernels'.
 */
static void memory(const dt_op_run *r, dt_op_memory *out)
{
    dt_conv_shape s = shape_of(r);
    const dt_conv_kernels *k = &r->kernels->conv;
    bool biased = has_bias(r->conf, r->in_count);
    out->forward_work = dt_aligned((size_t)dt_bias_lanes(s.O) * sizeof(real)) + weight_bytes(&s);
    if (biased) out->forward_work += dt_bias_work(s.O);
    if (sums_fit_in_place)
        out->forward_work += r->kernels->conv_int.workspace(&s, r->threads);
    else
        out->forward_work += x_bytes(r) + k->workspace(&s, DT_CONV_FORWARD, r->threads);
    out->backward_work = k->workspace(&s, DT_CONV_BACKWARD, r->threads);
    size_t bias = biased ? dt_conv2d_bias_work(r, &s) : 0;
    if (bias > out->backward_work) out->backward_work = bias;
}

static call begin(const dt_op_run *r)
{
    const dt_conv2d_codes_conf *c = r->conf;
    call k = { .r = r, .s = shape_of(r) };
    dt_grid grid = dt_grid_of_group(c->x, &r->in_shape[0], first_param(r), 0);
    k.zero_point = grid.zero_point - grid.qmin;
    k.most = grid.qmax - grid.qmin;
    k.scale_x = (real)grid.scale;
    k.x_count = dt_shape_count(&r->in_shape[0]);
    k.lanes = dt_bias_lanes(k.s.O);
    return k;
}

static int64_t chunk(int64_t n, int64_t i)
{
    return n - i * CHUNK < CHUNK ? n - i * CHUNK : CHUNK;
}

static void decode_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const call *k = arg;
    k->r->kernels->tile.decode(chunk(k->x_count, i), (const uint8_t *)k->r->in[0] + i * CHUNK,
                               k->zero_point, k->scale_x, k->x + i * CHUNK);
}

static void decode(call *k, void *to)
{
    k->x = to;
    dt_parallel(k->r->threads, (k->x_count + CHUNK - 1) / CHUNK, decode_task, k);
}

static void weight_codes(const call *k)
{
    const dt_conv2d_codes_conf *c = k->r->conf;
    const dt_weight_codes codes = { .quantizer = c->w,
                                    .shape = &k->r->in_shape[1],
                                    .param = first_param(k->r) + c->x->quantizer->param_count,
                                    .w = k->r->in[1],
                                    .scale_x = k->scale_x,
                                    .code = k->w,
                                    .scale = k->scale,
                                    .lanes = k->lanes };
    dt_weight_codes_make(&codes, k->r->threads, k->r->lost);
}

/* Whole pixels of sums, as they come from the product. */
static void scale_sums(void *arg, int64_t first, int64_t count, int32_t *sums)
{
    const call *k = arg;
    const dt_tile_kernels *t = &k->r->kernels->tile;
    real *y = (real *)k->r->out[0] + first;
    t->scale_sums(count, k->lanes, sums, k->scale, y);
    if (k->bias.lanes) dt_bias_add(t, &k->bias, count, y);
}

static void narrow_sums(void *arg, int64_t first, int64_t count, int32_t *sums)
{
    const call *k = arg;
    dt_sums y = dt_sums_at(k->r->out[0], k->s.O);
    k->r->kernels->tile.narrow(count, sums, *y.center, y.sum + first);
}

static void forward(const dt_op_run *r)
{
    call k = begin(r);
    unsigned char *work = r->work;
    k.scale = (real *)(void *)work;
    work += dt_aligned((size_t)k.lanes * sizeof(real));
    k.w = (int8_t *)work;
    work += weight_bytes(&k.s);
    if (has_bias(r->conf, r->in_count)) {
        k.bias = dt_bias_lay_out(r->in[2], k.s.O, work);
        work += dt_bias_work(k.s.O);
    }
    if (!sums_fit_in_place) {
        decode(&k, work);
        r->kernels->conv.forward(&k.s, k.x, r->in[1], r->out[0], work + x_bytes(r), r->threads);
        int64_t count = dt_shape_count(&r->out_shape[0]);
        if (k.bias.lanes) dt_bias_add(&r->kernels->tile, &k.bias, count, r->out[0]);
        return;
    }
    const dt_conv2d_codes_conf *c = r->conf;
    weight_codes(&k);
    if (c->sums) {
        dt_sums y = dt_sums_at(r->out[0], k.s.O);
        *y.center = c->center;
        memcpy(y.scale, k.scale, (size_t)k.s.O * sizeof(real));
    }
    const dt_conv_int_call product = { .shape = k.s,
                                       .x = r->in[0],
                                       .zero = k.zero_point,
                                       .most = k.most,
                                       .w = k.w,
                                       .y = c->sums ? NULL : r->out[0],
                                       .done = c->sums ? narrow_sums : scale_sums,
                                       .arg = &k };
    r->kernels->conv_int.forward(&product, work, r->threads);
}

static void backward(const dt_op_run *r)
{
    call k = begin(r);
    dt_conv_back b = dt_conv2d_back(r, &k.s);
    b.x = (dt_conv_input){ NULL, r->in[0], k.zero_point, k.scale_x };
    if (has_bias(r->conf, r->in_count) && r->d_in[2]) dt_conv2d_bias_grad(r, &b);
    r->kernels->conv.backward(&b, r->work, r->threads);
}

/* Sums of few products: ResNet-20's at 32x32 are a sixth of a step's memory and 2 % of its time.
 * Those of one pixel or one channel are as slow as memory is, so that another pass buys less. */
static bool remakes(const void *conf, const dt_shape *in)
{
    const dt_conv2d_codes_conf *c = conf;
    const int64_t *w = in[1].dim; /* [O,KH,KW,C/G] */
    return c->sums && c->conv.groups == 1 && w[1] * w[2] > 1 && w[1] * w[2] * w[3] <= REMADE;
}

static const dt_op_product product = { .x = 0, .w = 1, .bias = -1, .channel_axis = 0 };

const dt_op dt_op_conv2d_codes = {
    .name = "conv2d_codes",
    .in_min = 2,
    .in_max = DT_OP_MAX_IN,
    .out_count = 1,
    .conf_size = sizeof(dt_conv2d_codes_conf),
    .grads_of = grads_of,
    .reads_in = ~0u,
    .accumulates = 1,
    .takes_unfinished = true,
    .fused = true,
    .product = &product,
    .infer = infer,
    .memory = memory,
    .forward = forward,
    .backward = backward,
    .remakes = remakes,
    .macs = dt_conv2d_macs,
};
