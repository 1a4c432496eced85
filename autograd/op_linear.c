/* y = x w^T + b: x [...,I], w [O,I], b [O] (optional) -> [...,O]: rows are samples, or tokens. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "autograd/bias.h"
#include "autograd/op_linear_codes.h"
#include "kernels/gemm.h"

static dt_status infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                       dt_error *err)
{
    (void)conf;
    char a[DT_SHAPE_TEXT], b[DT_SHAPE_TEXT];
    dt_shape_print(&in[0], a);
    dt_shape_print(&in[1], b);
    if (in[0].rank < 2 || in[1].rank != 2 || in[0].dim[in[0].rank - 1] != in[1].dim[1])
        return dt_fail(err, DT_ERR_SHAPE, NULL, "input %s and weight %s do not fit", a, b);
    if (in_count == 3 && (in[2].rank != 1 || in[2].dim[0] != in[1].dim[0]))
        return dt_fail(err, DT_ERR_SHAPE, NULL, "bias %s and weight %s do not fit",
                       dt_shape_print(&in[2], a), b);
    out[0] = in[0];
    out[0].dim[in[0].rank - 1] = in[1].dim[0];
    return DT_OK;
}

static int64_t rows(const dt_op_run *r)
{
    return dt_shape_count(&r->in_shape[0]) / r->in_shape[1].dim[1];
}

static void memory(const dt_op_run *r, dt_op_memory *out)
{
    const dt_gemm_kernels *g = &r->kernels->gemm;
    int64_t N = rows(r), O = r->in_shape[1].dim[0], I = r->in_shape[1].dim[1];
    const size_t needs[] = { dt_bias_grad_work(N, O, r->threads),
                             dt_gemm_outer_work(g, O, I, N, r->threads, false),
                             dt_gemm_work(g, N, I, O, r->threads) };
    out->forward_work = dt_gemm_work(g, N, O, I, r->threads);
    out->backward_work = dt_op_most(needs, DT_ARRAY_LEN(needs));
}

static void forward(const dt_op_run *r)
{
    int64_t N = rows(r), I = r->in_shape[1].dim[1], O = r->in_shape[1].dim[0];
    const real *bias = r->in[2];
    real *y = r->out[0];
    for (int64_t n = 0; bias && n < N; n++)
        for (int64_t o = 0; o < O; o++)
            y[n * O + o] = bias[o];
    const dt_gemm_call product = { .kernels = &r->kernels->gemm,
                                   .threads = r->threads,
                                   .tb = true,
                                   .sum = bias != NULL,
                                   .m = N,
                                   .n = O,
                                   .k = I,
                                   .a = r->in[0],
                                   .b = r->in[1],
                                   .c = y,
                                   .work = r->work };
    dt_gemm(&product);
}

static void backward(const dt_op_run *r)
{
    int64_t N = rows(r), I = r->in_shape[1].dim[1], O = r->in_shape[1].dim[0];
    const real *dy = r->d_out[0];
    if (r->d_in[1]) {
        const dt_gemm_outer g = { .kernels = &r->kernels->gemm,
                                  .threads = r->threads,
                                  .m = O,
                                  .n = I,
                                  .k = N,
                                  .a = dy,
                                  .b = r->in[0],
                                  .c = r->d_in[1],
                                  .work = r->work };
        dt_gemm_rows_outer(&g);
    }
    dt_bias_grad(r, N, O, dy, r->work);
    const dt_gemm_call product = { .kernels = &r->kernels->gemm,
                                   .threads = r->threads,
                                   .sum = r->add[0],
                                   .m = N,
                                   .n = I,
                                   .k = O,
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

static const dt_op_example examples[] = {
    { .in_count = 3, .in = { { 2, { 5, 7 } }, { 2, { 3, 7 } }, { 1, { 3 } } } },
    { .in_count = 2, .in = { { 2, { 2, 3 } }, { 2, { 4, 3 } } } },
    { .in_count = 3, .in = { { 3, { 2, 35, 4 } }, { 2, { 3, 4 } }, { 1, { 3 } } } },
    { .in_count = 0 },
};

static int64_t row_count(const void *conf, const dt_shape *x, const dt_shape *w, int64_t *groups)
{
    (void)conf;
    *groups = 1;
    return dt_shape_count(x) / w->dim[1];
}

static void read_rows(const void *conf, const dt_shape *x, const dt_shape *w, const real *data,
                      int64_t group, int64_t first, int64_t n, real *to)
{
    (void)conf;
    (void)x;
    (void)group;
    memcpy(to, data + first * w->dim[1], sizeof *to * (size_t)(n * w->dim[1]));
}

static const dt_op_product product = {
    .x = 0, .w = 1, .bias = 2, .channel_axis = 0, .rows = row_count, .read_rows = read_rows
};

/* Tokens, with a bias. */
static bool on_codes_fits(const dt_shape *x, int in_count)
{
    return x->rank == 3 && in_count == 3;
}

static void on_codes_configure(const void *conf, const dt_fakequant_conf *x,
                               const dt_fakequant_conf *w, void *out)
{
    (void)conf;
    memcpy(out, &(dt_linear_codes_conf){ x, w }, sizeof(dt_linear_codes_conf));
}

static const dt_op_codes on_codes = { .op = "linear_codes",
                                      .fits = on_codes_fits,
                                      .configure = on_codes_configure };

const dt_op dt_op_linear = {
    .name = "linear",
    .in_min = 2,
    .in_max = 3,
    .out_count = 1,
    .grads = 7,
    .reads_in = 3,
    .accumulates = 1,
    .product = &product,
    .on_codes = &on_codes,
    .infer = infer,
    .memory = memory,
    .forward = forward,
    .backward = backward,
    .macs = macs,
    .examples = examples,
};
