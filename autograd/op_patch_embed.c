/* Patches to tokens (Dosovitskiy 2020, arXiv:2010.11929): a convolution whose stride is its kernel,
 * as a product: x [N,H,W,I], w [O,P,Q,I], b [O] -> y [N,(H/P)(W/Q),O]. Pixels of a patch are copied
 * together, in the order of the weight. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "autograd/bias.h"
#include "autograd/op.h"
#include "core/thread.h"
#include "kernels/gemm.h"

static dt_status infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                       dt_error *err)
{
    (void)conf;
    (void)in_count;
    const dt_shape *x = &in[0], *w = &in[1];
    char a[DT_SHAPE_TEXT], b[DT_SHAPE_TEXT];
    dt_shape_print(x, a);
    dt_shape_print(w, b);
    if (x->rank != 4 || w->rank != 4 || x->dim[3] != w->dim[3])
        return dt_fail(err, DT_ERR_SHAPE, NULL, "input %s and weight %s do not fit", a, b);
    if (x->dim[1] % w->dim[1] || x->dim[2] % w->dim[2])
        return dt_fail(err, DT_ERR_SHAPE, NULL, "patches of %lldx%lld do not divide the input %s",
                       (long long)w->dim[1], (long long)w->dim[2], a);
    if (in[2].rank != 1 || in[2].dim[0] != w->dim[0])
        return dt_fail(err, DT_ERR_SHAPE, NULL, "bias %s and weight %s do not fit",
                       dt_shape_print(&in[2], a), b);
    int64_t tokens = x->dim[1] / w->dim[1] * (x->dim[2] / w->dim[2]);
    out[0] = DT_SHAPE(x->dim[0], tokens, w->dim[0]);
    return DT_OK;
}

typedef struct call {
    const dt_op_run *r;
    int64_t H, W, I, O, P, Q, T, K; /* T patches of K numbers a picture */
    real *patches;                  /* backward: [N,T,K] */
    bool back;
} call;

static call call_of(const dt_op_run *r)
{
    const dt_shape *x = &r->in_shape[0], *w = &r->in_shape[1];
    call k = { .r = r, .H = x->dim[1], .W = x->dim[2], .I = x->dim[3], .O = w->dim[0] };
    k.P = w->dim[1];
    k.Q = w->dim[2];
    k.T = r->out_shape[0].dim[1];
    k.K = k.P * k.Q * k.I;
    return k;
}

static size_t batch_bytes(const call *k, int64_t N)
{
    return dt_aligned((size_t)(N * k->T * k->K) * sizeof(real));
}

static size_t picture_bytes(const call *k)
{
    return dt_aligned((size_t)(k->T * k->K) * sizeof(real));
}

static size_t forward_bytes(const call *k) /* of a thread */
{
    return picture_bytes(k) + k->r->kernels->gemm.work(k->T, k->O, k->K);
}

/* Work: patches of a picture and the product's for each thread; backward: those of the batch (later their gradient),
 * and the product's or the sums of the bias. */
static void memory(const dt_op_run *r, dt_op_memory *out)
{
    call k = call_of(r);
    int64_t N = r->in_shape[0].dim[0];
    const dt_gemm_kernels *g = &r->kernels->gemm;
    const size_t needs[] = { dt_bias_grad_work(N * k.T, k.O, r->threads),
                             dt_gemm_outer_work(g, k.O, k.K, N * k.T, r->threads, false),
                             dt_gemm_work(g, N * k.T, k.K, k.O, r->threads) };
    out->forward_work = (size_t)r->threads * forward_bytes(&k);
    out->backward_work = batch_bytes(&k, N) + dt_op_most(needs, DT_ARRAY_LEN(needs));
}

/* Rows of patches of picture n to [T,K], or back from there into the gradient of x. */
static void move(const call *k, int64_t n, real *patches, real *dx)
{
    const real *x = (const real *)k->r->in[0] + n * k->H * k->W * k->I;
    int64_t across = k->W / k->Q, line = k->Q * k->I;
    for (int64_t h = 0; h < k->H; h++)
        for (int64_t j = 0; j < across; j++) {
            int64_t pixel = (h * k->W + j * k->Q) * k->I;
            real *patch = patches + (h / k->P * across + j) * k->K + h % k->P * line;
            if (!dx) {
                memcpy(patch, x + pixel, (size_t)line * sizeof *patch);
                continue;
            }
            for (int64_t i = 0; i < line; i++)
                dx[pixel + i] = k->r->add[0] ? dx[pixel + i] + patch[i] : patch[i];
        }
}

static void forward_one(void *arg, int64_t n, int thread)
{
    const call *k = arg;
    const dt_op_run *r = k->r;
    unsigned char *work = (unsigned char *)r->work + (size_t)thread * forward_bytes(k);
    real *patches = (real *)(void *)work, *y = (real *)r->out[0] + n * k->T * k->O;
    move(k, n, patches, NULL);
    for (int64_t t = 0; t < k->T; t++)
        memcpy(y + t * k->O, r->in[2], (size_t)k->O * sizeof *y);
    const dt_gemm_part p = { .tb = true,
                             .sum = true,
                             .m = k->T,
                             .n = k->O,
                             .k = k->K,
                             .alpha = 1,
                             .a = patches,
                             .b = r->in[1],
                             .c = y,
                             .lda = k->K,
                             .ldb = k->K,
                             .ldc = k->O };
    r->kernels->gemm.part(&p, work + picture_bytes(k));
}

static void forward(const dt_op_run *r)
{
    call k = call_of(r);
    dt_gemm_begin(&r->kernels->gemm);
    dt_parallel(r->threads, r->in_shape[0].dim[0], forward_one, &k);
}

static void gather_one(void *arg, int64_t n, int thread)
{
    (void)thread;
    const call *k = arg;
    move(k, n, k->patches + n * k->T * k->K, NULL);
}

static void scatter_one(void *arg, int64_t n, int thread)
{
    (void)thread;
    const call *k = arg;
    move(k, n, k->patches + n * k->T * k->K, k->r->d_in[0] + n * k->H * k->W * k->I);
}

static void backward(const dt_op_run *r)
{
    call k = call_of(r);
    int64_t N = r->in_shape[0].dim[0], rows = N * k.T;
    k.patches = r->work;
    void *behind = (unsigned char *)r->work + batch_bytes(&k, N);
    if (r->d_in[1]) {
        dt_parallel(r->threads, N, gather_one, &k);
        const dt_gemm_outer g = { .kernels = &r->kernels->gemm,
                                  .threads = r->threads,
                                  .m = k.O,
                                  .n = k.K,
                                  .k = rows,
                                  .a = r->d_out[0],
                                  .b = k.patches,
                                  .c = r->d_in[1],
                                  .work = behind };
        dt_gemm_rows_outer(&g);
    }
    dt_bias_grad(r, rows, k.O, r->d_out[0], behind);
    if (r->d_in[0]) {
        const dt_gemm_call product = { .kernels = &r->kernels->gemm,
                                       .threads = r->threads,
                                       .m = rows,
                                       .n = k.K,
                                       .k = k.O,
                                       .a = r->d_out[0],
                                       .b = r->in[1],
                                       .c = k.patches,
                                       .work = behind };
        dt_gemm(&product);
        dt_parallel(r->threads, N, scatter_one, &k);
    }
}

static int64_t macs(const void *conf, const dt_shape *in, const dt_shape *out)
{
    (void)conf;
    return dt_shape_count(out) * in[1].dim[1] * in[1].dim[2] * in[1].dim[3];
}

static const dt_op_example examples[] = {
    { .in_count = 3, .in = { { 4, { 2, 4, 6, 3 } }, { 4, { 5, 2, 3, 3 } }, { 1, { 5 } } } },
    { .in_count = 0 },
};

static const dt_op_product product = { .x = 0, .w = 1, .bias = 2, .channel_axis = 0 };

const dt_op dt_op_patch_embed = {
    .name = "patch_embed",
    .in_min = 3,
    .in_max = 3,
    .out_count = 1,
    .grads = 7,
    .reads_in = 3,
    .accumulates = 1,
    .product = &product,
    .form = "patch_embed",
    .infer = infer,
    .memory = memory,
    .forward = forward,
    .backward = backward,
    .macs = macs,
    .examples = examples,
};
