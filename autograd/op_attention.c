/* Attention in one node: qkv [N,T,3C] -> y [N,T,C],
 *
 *   y[n,:,h] = P v,  P = softmax(scale q k^T)         (Vaswani 2017, arXiv:1706.03762)
 *
 * with any of q, k, scale q k^T, P and v quantized per tensor on the way. A task is one head of one
 * sample; its matrices are scratch of its thread. Nothing is kept for backward, which computes them
 * again from qkv. The fusing pass makes such nodes of slice, attention_scores, softmax,
 * attention_mix and the quantizers between them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_attention.h"

#include <string.h>

#include "autograd/op_fakequant.h"
#include "core/thread.h"
#include "kernels/gemm.h"

typedef struct call {
    const dt_op_run *r;
    int64_t N, T, C, H, d;
    real scale;
    bool quantized[DT_ATTENTION_SITES];
    dt_encode e[DT_ATTENTION_SITES];
    real params[DT_ATTENTION_SITES][DT_QUANT_MAX_PARAMS];
    dt_quant_site site[DT_ATTENTION_SITES];
    int first[DT_ATTENTION_SITES]; /* input of its first parameter */
    dt_encode_sums *sums;          /* backward: [N * H][SITES] */
    unsigned char *scratch;        /* [threads][each] */
    size_t each;                   /* bytes: matrices, then a product's work */
    size_t matrices;
} call;

/* One head's matrices. */
typedef struct head {
    const real *raw[3];    /* q, k, v before their quantizers */
    const real *q, *k, *v; /* and behind them */
    int64_t raw_ld, qk_ld[2], v_ld;
    real *scores, *probs, *coded; /* [T,T]: raw scores; P; P quantized */
    real *grad;                   /* [T,T] */
    real *d[3];                   /* [T,d] */
} head;

static dt_status infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                       dt_error *err)
{
    const dt_attention_conf *c = conf;
    char a[DT_SHAPE_TEXT];
    int want = 1;
    for (int i = 0; i < DT_ATTENTION_SITES; i++)
        want += c->quant[i] ? c->quant[i]->quantizer->param_count : 0;
    int heads = c->heads.heads;
    if (in_count != want)
        return dt_fail(err, DT_ERR_ARG, NULL, "%d inputs, not %d", want, in_count);
    if (in[0].rank != 3 || heads < 1 || in[0].dim[2] % (3 * (int64_t)heads))
        return dt_fail(err, DT_ERR_SHAPE, NULL, "input %s is not q, k and v of %d heads",
                       dt_shape_print(&in[0], a), heads);
    out[0] = DT_SHAPE(in[0].dim[0], in[0].dim[1], in[0].dim[2] / 3);
    return DT_OK;
}

static call sizes_of(const dt_op_run *r)
{
    const dt_attention_conf *c = r->conf;
    const dt_shape *y = &r->out_shape[0];
    call k = { .r = r, .N = y->dim[0], .T = y->dim[1], .C = y->dim[2], .H = c->heads.heads };
    k.d = k.C / k.H;
    k.scale = (real)c->heads.scale;
    return k;
}

static int64_t aligned(int64_t elements)
{
    const int64_t line = DT_ALIGN / (int64_t)sizeof(real);
    return (elements + line - 1) / line * line;
}

/* Elements of a thread's scratch. */
static int64_t scratch_of(const call *k, bool back)
{
    int64_t columns = aligned(k->T * k->d), square = aligned(k->T * k->T);
    return back ? 9 * columns + 4 * square : 3 * columns + square;
}

static size_t sums_bytes(const call *k)
{
    return (size_t)aligned(k->N * k->H * DT_ATTENTION_SITES *
                           (int64_t)(sizeof(dt_encode_sums) / sizeof(real))) *
           sizeof(real);
}

size_t dt_attention_work(const dt_op_run *r, const dt_attention_head *h)
{
    const dt_gemm_kernels *g = &r->kernels->gemm;
    const size_t needs[] = { g->work(h->T, h->S, h->d), g->work(h->T, h->d, h->S),
                             g->work(h->S, h->d, h->T) };
    return dt_op_most(needs, DT_ARRAY_LEN(needs));
}

void dt_attention_multiply(const dt_op_run *r, const dt_attention_head *h, const dt_gemm_part *p,
                           int thread)
{
    r->kernels->gemm.part(p, dt_gemm_thread_work(r->work, dt_attention_work(r, h), thread));
}

/* Bytes of a thread: matrices, then the largest of its products. */
static void lay_out(call *k, bool back)
{
    const dt_attention_head h = { .T = k->T, .S = k->T, .C = k->C, .d = k->d };
    k->matrices = (size_t)scratch_of(k, back) * sizeof(real);
    k->each = k->matrices + dt_attention_work(k->r, &h);
}

static void memory(const dt_op_run *r, dt_op_memory *out)
{
    call k = sizes_of(r);
    lay_out(&k, false);
    out->forward_work = (size_t)r->threads * k.each;
    lay_out(&k, true);
    out->backward_work = sums_bytes(&k) + (size_t)r->threads * k.each;
}

static void multiply(const call *k, const dt_gemm_part *p, int thread)
{
    k->r->kernels->gemm.part(p, k->scratch + (size_t)thread * k->each + k->matrices);
}

/* What the quantizers do in this call. */
static call begin(const dt_op_run *r, bool back)
{
    const dt_attention_conf *c = r->conf;
    call k = sizes_of(r);
    const dt_shape operand = DT_SHAPE(k.N, k.T, k.C), square = DT_SHAPE(k.N, k.H, k.T, k.T);
    int next = 1;
    for (int i = 0; i < DT_ATTENTION_SITES; i++) {
        const dt_fakequant_conf *q = c->quant[i];
        k.first[i] = next;
        if (!q) continue;
        bool of_scores = i == DT_ATTENTION_SCORES || i == DT_ATTENTION_PROBS;
        k.quantized[i] = true;
        k.site[i] = dt_fakequant_site(q, of_scores ? &square : &operand);
        dt_fakequant_plan(q, &k.site[i], r->in + next, NULL, 0, k.params[i], &k.e[i]);
        next += q->quantizer->param_count;
    }
    unsigned char *work = r->work;
    if (back) {
        k.sums = (dt_encode_sums *)(void *)work;
        work += sums_bytes(&k);
    }
    k.scratch = work;
    lay_out(&k, back);
    return k;
}

static real *take(real **scratch, int64_t elements)
{
    real *p = *scratch;
    *scratch += aligned(elements);
    return p;
}

static void gather(const call *k, const real *from, int64_t ld, real *to)
{
    for (int64_t t = 0; t < k->T; t++)
        memcpy(to + t * k->d, from + t * ld, (size_t)k->d * sizeof *to);
}

/* q, k or v (part 0..2) behind its quantizer; `ld` is set. */
static const real *operand(const call *k, head *h, int part, int site, bool back, real **scratch,
                           int64_t *ld)
{
    const real *x = h->raw[part];
    *ld = h->raw_ld;
    if (!k->quantized[site]) return x;
    real *y = take(scratch, k->T * k->d), *raw = back ? take(scratch, k->T * k->d) : y;
    gather(k, x, h->raw_ld, raw);
    k->r->kernels->tile.encode(k->T * k->d, raw, &k->e[site], y);
    h->raw[part] = raw;
    *ld = k->d;
    return y;
}

/* Everything up to the probabilities, of head i. */
static head prepare(const call *k, int64_t i, int thread, bool back)
{
    real *scratch = (real *)(void *)(k->scratch + (size_t)thread * k->each);
    const dt_kernels *kernels = k->r->kernels;
    int64_t n = i / k->H, at = (i % k->H) * k->d, TT = k->T * k->T;
    const real *qkv = (const real *)k->r->in[0] + n * k->T * 3 * k->C + at;
    head h = { .raw = { qkv, qkv + k->C, qkv + 2 * k->C }, .raw_ld = 3 * k->C };
    h.q = operand(k, &h, 0, DT_ATTENTION_Q, back, &scratch, &h.qk_ld[0]);
    h.k = operand(k, &h, 1, DT_ATTENTION_K, back, &scratch, &h.qk_ld[1]);
    h.v = operand(k, &h, 2, DT_ATTENTION_V, back, &scratch, &h.v_ld);
    h.scores = h.probs = h.coded = take(&scratch, TT);
    if (back && k->quantized[DT_ATTENTION_SCORES]) h.probs = h.coded = take(&scratch, TT);
    if (back && k->quantized[DT_ATTENTION_PROBS]) h.coded = take(&scratch, TT);
    if (back) {
        h.grad = take(&scratch, TT);
        for (int part = 0; part < 3; part++)
            h.d[part] = take(&scratch, k->T * k->d);
    }
    const dt_gemm_part product = { .tb = true,
                                   .m = k->T,
                                   .n = k->T,
                                   .k = k->d,
                                   .alpha = k->scale,
                                   .a = h.q,
                                   .b = h.k,
                                   .c = h.scores,
                                   .lda = h.qk_ld[0],
                                   .ldb = h.qk_ld[1],
                                   .ldc = k->T };
    multiply(k, &product, thread);
    const real *logits = h.scores;
    if (k->quantized[DT_ATTENTION_SCORES]) {
        kernels->tile.encode(TT, h.scores, &k->e[DT_ATTENTION_SCORES], h.probs);
        logits = h.probs;
    }
    kernels->token.softmax(k->T, k->T, logits, h.probs);
    if (k->quantized[DT_ATTENTION_PROBS])
        kernels->tile.encode(TT, h.probs, &k->e[DT_ATTENTION_PROBS], h.coded);
    return h;
}

static void forward_head(void *arg, int64_t i, int thread)
{
    const call *k = arg;
    head h = prepare(k, i, thread, false);
    real *y = (real *)k->r->out[0] + (i / k->H) * k->T * k->C + (i % k->H) * k->d;
    const dt_gemm_part product = { .m = k->T,
                                   .n = k->d,
                                   .k = k->T,
                                   .alpha = 1,
                                   .a = h.coded,
                                   .b = h.v,
                                   .c = y,
                                   .lda = k->T,
                                   .ldb = h.v_ld,
                                   .ldc = k->C };
    multiply(k, &product, thread);
}

/* g becomes the gradient before a quantizer; the sums of the head go to their place. */
static void back_quant(const call *k, int64_t i, int site, int64_t n, const real *x, real *g)
{
    dt_encode_sums *sums = &k->sums[i * DT_ATTENTION_SITES + site];
    if (!k->quantized[site]) return;
    *sums = (dt_encode_sums){ 0 };
    for (int64_t at = 0; at < n; at += DT_POINT_BLOCK) {
        int64_t m = n - at < DT_POINT_BLOCK ? n - at : DT_POINT_BLOCK;
        k->r->kernels->tile.encode_back(m, x + at, g + at, &k->e[site], g + at, false, sums);
    }
}

/* d[0..2]: gradients of q, k and v behind their quantizers. */
static void back_products(const call *k, int64_t i, const head *h, const real *dy, int thread)
{
    const dt_kernels *kernels = k->r->kernels;
    int64_t T = k->T, d = k->d, C = k->C;
    const dt_gemm_part dp = { .tb = true,
                              .m = T,
                              .n = T,
                              .k = d,
                              .alpha = 1,
                              .a = dy,
                              .b = h->v,
                              .c = h->grad,
                              .lda = C,
                              .ldb = h->v_ld,
                              .ldc = T };
    multiply(k, &dp, thread);
    const dt_gemm_part dv = { .ta = true,
                              .m = T,
                              .n = d,
                              .k = T,
                              .alpha = 1,
                              .a = h->coded,
                              .b = dy,
                              .c = h->d[2],
                              .lda = T,
                              .ldb = C,
                              .ldc = d };
    multiply(k, &dv, thread);
    back_quant(k, i, DT_ATTENTION_PROBS, T * T, h->probs, h->grad);
    kernels->token.softmax_back(T, T, h->probs, h->grad, h->grad, false);
    back_quant(k, i, DT_ATTENTION_SCORES, T * T, h->scores, h->grad);
    const dt_gemm_part dq = { .m = T,
                              .n = d,
                              .k = T,
                              .alpha = k->scale,
                              .a = h->grad,
                              .b = h->k,
                              .c = h->d[0],
                              .lda = T,
                              .ldb = h->qk_ld[1],
                              .ldc = d };
    multiply(k, &dq, thread);
    const dt_gemm_part dk = { .ta = true,
                              .m = T,
                              .n = d,
                              .k = T,
                              .alpha = k->scale,
                              .a = h->grad,
                              .b = h->q,
                              .c = h->d[1],
                              .lda = T,
                              .ldb = h->qk_ld[0],
                              .ldc = d };
    multiply(k, &dk, thread);
}

static void backward_head(void *arg, int64_t i, int thread)
{
    static const int site[] = { DT_ATTENTION_Q, DT_ATTENTION_K, DT_ATTENTION_V };
    const call *k = arg;
    const dt_op_run *r = k->r;
    int64_t n = i / k->H, at = (i % k->H) * k->d;
    head h = prepare(k, i, thread, true);
    back_products(k, i, &h, r->d_out[0] + n * k->T * k->C + at, thread);
    for (int part = 0; part < 3; part++) {
        back_quant(k, i, site[part], k->T * k->d, h.raw[part], h.d[part]);
        if (!r->d_in[0]) continue;
        real *dx = r->d_in[0] + n * k->T * 3 * k->C + part * k->C + at;
        for (int64_t t = 0; t < k->T; t++)
            for (int64_t j = 0; j < k->d; j++) {
                real *to = dx + t * 3 * k->C + j, g = h.d[part][t * k->d + j];
                *to = r->add[0] ? *to + g : g;
            }
    }
}

static void forward(const dt_op_run *r)
{
    call k = begin(r, false);
    dt_gemm_begin(&r->kernels->gemm);
    dt_parallel(r->threads, k.N * k.H, forward_head, &k);
}

static void backward(const dt_op_run *r)
{
    const dt_attention_conf *c = r->conf;
    call k = begin(r, true);
    dt_gemm_begin(&r->kernels->gemm);
    dt_parallel(r->threads, k.N * k.H, backward_head, &k);
    for (int s = 0; s < DT_ATTENTION_SITES; s++) {
        dt_encode_sums sum = { 0 };
        if (!k.quantized[s]) continue;
        for (int64_t i = 0; i < k.N * k.H; i++) {
            const dt_encode_sums *one = &k.sums[i * DT_ATTENTION_SITES + s];
            sum.residual += one->residual;
            sum.inside += one->inside;
            sum.below += one->below;
            sum.above += one->above;
            sum.kept += one->kept;
        }
        dt_fakequant_param_grads(c->quant[s], &k.site[s], k.params[s], &k.e[s], &sum, 0,
                                 r->d_in + k.first[s]);
    }
}

static int64_t macs(const void *conf, const dt_shape *in, const dt_shape *out)
{
    (void)conf;
    return 2 * dt_shape_count(out) * in[0].dim[1];
}

static const dt_attention_conf two = { .heads = { 2, 0.5 } }, one = { .heads = { 1, 0.4 } };
static const dt_op_example examples[] = {
    { .in_count = 1, .in = { { 3, { 2, 5, 12 } } }, .conf = &two },
    { .in_count = 1, .in = { { 3, { 1, 17, 9 } } }, .conf = &one },
    { .in_count = 0 },
};

const dt_op dt_op_attention = {
    .name = "attention",
    .in_min = 1,
    .in_max = DT_OP_MAX_IN,
    .out_count = 1,
    .conf_size = sizeof(dt_attention_conf),
    .grads = ~0u,
    .reads_in = ~0u,
    .accumulates = 1,
    .infer = infer,
    .memory = memory,
    .forward = forward,
    .backward = backward,
    .macs = macs,
    .examples = examples,
};
