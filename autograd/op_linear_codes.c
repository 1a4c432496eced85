/* A linear layer on quantized operands: the sum runs in integers, exactly, and is scaled once:
 *
 *   y = (sum of (c - zero_point) * k) * (scale_x * scale_w[o]) + b[o]
 *
 * with c the stored codes of x and k those of the weight. Gradients are those of linear with
 * respect to the quantized values. The fusing pass makes such nodes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_linear_codes.h"

#include "autograd/bias.h"
#include "autograd/weight_codes.h"
#include "kernels/gemm.h"

/* Codes are int32 while they are summed, in the memory of y. */
static const bool sums_fit_in_place = sizeof(real) == sizeof(int32_t);

typedef struct call {
    const dt_op_run *r;
    const dt_linear_codes_conf *c;
    int64_t rows, K, O;
    dt_conv_shape s;      /* as a convolution of 1x1 over [N,1,T,K] */
    int zero_point, most; /* of x: the code of 0, the largest one */
    real scale_x;
    dt_bias bias;
    real *scale; /* [lanes]: of y */
    int8_t *w;   /* codes of the weight */
} call;

static dt_status infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                       dt_error *err)
{
    char a[DT_SHAPE_TEXT], b[DT_SHAPE_TEXT];
    (void)conf;
    (void)in_count;
    if (in[0].rank != 3 || in[1].rank != 2 || in[0].dim[2] != in[1].dim[1])
        return dt_fail(err, DT_ERR_SHAPE, NULL, "input %s and weight %s do not fit",
                       dt_shape_print(&in[0], a), dt_shape_print(&in[1], b));
    out[0] = DT_SHAPE(in[0].dim[0], in[0].dim[1], in[1].dim[0]);
    return DT_OK;
}

static call sizes_of(const dt_op_run *r)
{
    const dt_shape *x = &r->in_shape[0];
    call k = { .r = r, .c = r->conf, .rows = x->dim[0] * x->dim[1], .K = x->dim[2] };
    k.O = r->in_shape[1].dim[0];
    k.s = (dt_conv_shape){ .N = x->dim[0],
                           .H = 1,
                           .W = x->dim[1],
                           .C = k.K,
                           .O = k.O,
                           .KH = 1,
                           .KW = 1,
                           .SH = 1,
                           .SW = 1,
                           .G = 1,
                           .OH = 1,
                           .OW = x->dim[1] };
    return k;
}

static size_t lane_bytes(const call *k)
{
    return dt_aligned((size_t)dt_bias_lanes(k->O) * sizeof(real));
}

static size_t x_bytes(const call *k)
{
    return dt_aligned((size_t)(k->rows * k->K) * sizeof(real));
}

/* Forward work: scales, the bias, codes of the weight, the kernel's; in double x instead. */
static void memory(const dt_op_run *r, dt_op_memory *out)
{
    call k = sizes_of(r);
    const dt_gemm_kernels *g = &r->kernels->gemm;
    const size_t needs[] = { dt_bias_grad_work(k.rows, k.O, r->threads),
                             dt_gemm_outer_work(g, k.O, k.K, k.rows, r->threads, true),
                             dt_gemm_work(g, k.rows, k.K, k.O, r->threads) };
    out->forward_work = lane_bytes(&k) + dt_bias_work(k.O) + dt_aligned((size_t)(k.O * k.K));
    out->forward_work +=
        sums_fit_in_place ? r->kernels->conv_int.workspace(&k.s, r->threads)
                          : x_bytes(&k) + dt_gemm_work(g, k.rows, k.O, k.K, r->threads);
    out->backward_work = dt_op_most(needs, DT_ARRAY_LEN(needs));
}

static void *const *first_param(const call *k)
{
    return k->r->in + 3;
}

static call begin(const dt_op_run *r)
{
    call k = sizes_of(r);
    dt_grid grid = dt_grid_of_group(k.c->x, &r->in_shape[0], first_param(&k), 0);
    k.zero_point = grid.zero_point - grid.qmin;
    k.most = grid.qmax - grid.qmin;
    k.scale_x = (real)grid.scale;
    return k;
}

static void weight_codes(const call *k)
{
    const dt_weight_codes codes = { .quantizer = k->c->w,
                                    .shape = &k->r->in_shape[1],
                                    .param = first_param(k) + k->c->x->quantizer->param_count,
                                    .w = k->r->in[1],
                                    .scale_x = k->scale_x,
                                    .code = k->w,
                                    .scale = k->scale,
                                    .lanes = k->bias.lanes };
    dt_weight_codes_make(&codes, k->r->threads, k->r->lost);
}

/* Whole rows of sums, as they come from the product. */
static void finish(void *arg, int64_t first, int64_t count, int32_t *sums)
{
    const call *k = arg;
    const dt_tile_kernels *t = &k->r->kernels->tile;
    real *y = (real *)k->r->out[0] + first;
    t->scale_sums(count, k->bias.lanes, sums, k->scale, y);
    dt_bias_add(t, &k->bias, count, y);
}

static void in_reals(const call *k, real *x)
{
    const dt_op_run *r = k->r;
    real *y = r->out[0];
    r->kernels->tile.decode(k->rows * k->K, r->in[0], k->zero_point, k->scale_x, x);
    for (int64_t n = 0; n < k->rows; n++)
        for (int64_t o = 0; o < k->O; o++)
            y[n * k->O + o] = ((const real *)r->in[2])[o];
    const dt_gemm_call product = { .kernels = &r->kernels->gemm,
                                   .threads = r->threads,
                                   .tb = true,
                                   .sum = true,
                                   .m = k->rows,
                                   .n = k->O,
                                   .k = k->K,
                                   .a = x,
                                   .b = r->in[1],
                                   .c = y,
                                   .work = (unsigned char *)x + x_bytes(k) };
    dt_gemm(&product);
}

static void forward(const dt_op_run *r)
{
    call k = begin(r);
    unsigned char *work = r->work;
    k.scale = (real *)(void *)work;
    work += lane_bytes(&k);
    k.bias = dt_bias_lay_out(r->in[2], k.O, work);
    work += dt_bias_work(k.O);
    k.w = (int8_t *)work;
    work += dt_aligned((size_t)(k.O * k.K));
    if (!sums_fit_in_place) {
        in_reals(&k, (real *)(void *)work);
        return;
    }
    weight_codes(&k);
    const dt_conv_int_call product = { .shape = k.s,
                                       .x = r->in[0],
                                       .zero = k.zero_point,
                                       .most = k.most,
                                       .w = k.w,
                                       .y = r->out[0],
                                       .done = finish,
                                       .arg = &k };
    r->kernels->conv_int.forward(&product, work, r->threads);
}

static void backward(const dt_op_run *r)
{
    call k = begin(r);
    const real *dy = r->d_out[0];
    if (r->d_in[1]) {
        const dt_gemm_outer g = { .kernels = &r->kernels->gemm,
                                  .threads = r->threads,
                                  .m = k.O,
                                  .n = k.K,
                                  .k = k.rows,
                                  .a = dy,
                                  .codes = r->in[0],
                                  .zero_point = k.zero_point,
                                  .scale = k.scale_x,
                                  .decode = r->kernels->tile.decode,
                                  .c = r->d_in[1],
                                  .work = r->work };
        dt_gemm_rows_outer(&g);
    }
    dt_bias_grad(r, k.rows, k.O, dy, r->work);
    const dt_gemm_call product = { .kernels = &r->kernels->gemm,
                                   .threads = r->threads,
                                   .sum = r->add[0],
                                   .m = k.rows,
                                   .n = k.K,
                                   .k = k.O,
                                   .a = dy,
                                   .b = r->in[1],
                                   .c = r->d_in[0],
                                   .work = r->work };
    if (r->d_in[0]) dt_gemm(&product);
}

static int64_t macs(const void *conf, const dt_shape *in, const dt_shape *out)
{
    (void)conf;
    return dt_shape_count(out) * in[1].dim[1];
}

static const dt_op_product product = { .x = 0, .w = 1, .bias = 2, .channel_axis = 0 };

const dt_op dt_op_linear_codes = {
    .name = "linear_codes",
    .in_min = 3,
    .in_max = DT_OP_MAX_IN,
    .out_count = 1,
    .conf_size = sizeof(dt_linear_codes_conf),
    .grads = 7,
    .reads_in = ~0u,
    .accumulates = 1,
    .fused = true,
    .product = &product,
    .infer = infer,
    .memory = memory,
    .forward = forward,
    .backward = backward,
    .macs = macs,
};
