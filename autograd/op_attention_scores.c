/* Scores of attention (Vaswani 2017, arXiv:1706.03762), all heads:
 * q [N,T,C], k [N,S,C] -> y [N,H,T,S], y[n,h] = scale q[n,:,h] k[n,:,h]^T. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op.h"
#include "autograd/op_attention.h"
#include "kernels/gemm.h"

static dt_status infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                       dt_error *err)
{
    const dt_attention_heads *c = conf;
    (void)in_count;
    char a[DT_SHAPE_TEXT], b[DT_SHAPE_TEXT];
    bool fit = in[0].rank == 3 && in[1].rank == 3 && in[0].dim[0] == in[1].dim[0] &&
               in[0].dim[2] == in[1].dim[2] && c->heads > 0 && in[0].dim[2] % c->heads == 0;
    if (!fit)
        return dt_fail(err, DT_ERR_SHAPE, NULL, "queries %s and keys %s do not fit, or %d heads",
                       dt_shape_print(&in[0], a), dt_shape_print(&in[1], b), c->heads);
    out[0] = DT_SHAPE(in[0].dim[0], c->heads, in[0].dim[1], in[1].dim[1]);
    return DT_OK;
}

static dt_attention_head head_of(const dt_op_run *r, int64_t i)
{
    return dt_attention_head_of(&r->out_shape[0], r->in_shape[0].dim[2], i);
}

static void memory(const dt_op_run *r, dt_op_memory *out)
{
    const dt_attention_head h = head_of(r, 0);
    out->forward_work = out->backward_work = (size_t)r->threads * dt_attention_work(r, &h);
}

static void forward_head(void *arg, int64_t i, int thread)
{
    const dt_op_run *r = arg;
    const dt_attention_head h = head_of(r, i);
    const dt_gemm_part p = { .tb = true,
                             .m = h.T,
                             .n = h.S,
                             .k = h.d,
                             .alpha = (real)((const dt_attention_heads *)r->conf)->scale,
                             .a = (const real *)r->in[0] + h.query,
                             .b = (const real *)r->in[1] + h.key,
                             .c = (real *)r->out[0] + h.score,
                             .lda = h.C,
                             .ldb = h.C,
                             .ldc = h.S };
    dt_attention_multiply(r, &h, &p, thread);
}

static void backward_head(void *arg, int64_t i, int thread)
{
    const dt_op_run *r = arg;
    const dt_attention_head h = head_of(r, i);
    dt_gemm_part p = { .m = h.T,
                       .n = h.d,
                       .k = h.S,
                       .alpha = (real)((const dt_attention_heads *)r->conf)->scale,
                       .a = r->d_out[0] + h.score,
                       .lda = h.S,
                       .ldb = h.C,
                       .ldc = h.C };
    if (r->d_in[0]) {
        p.b = (const real *)r->in[1] + h.key;
        p.c = r->d_in[0] + h.query;
        p.sum = r->add[0];
        dt_attention_multiply(r, &h, &p, thread);
    }
    if (r->d_in[1]) {
        p.ta = true;
        p.m = h.S;
        p.k = h.T;
        p.b = (const real *)r->in[0] + h.query;
        p.c = r->d_in[1] + h.key;
        p.sum = r->add[1];
        dt_attention_multiply(r, &h, &p, thread);
    }
}

static void in_heads(const dt_op_run *r, dt_task task)
{
    dt_gemm_begin(&r->kernels->gemm);
    dt_op_each(r, r->out_shape[0].dim[0] * r->out_shape[0].dim[1], task);
}

static void forward(const dt_op_run *r)
{
    in_heads(r, forward_head);
}

static void backward(const dt_op_run *r)
{
    in_heads(r, backward_head);
}

static int64_t macs(const void *conf, const dt_shape *in, const dt_shape *out)
{
    const dt_attention_heads *c = conf;
    return dt_shape_count(out) * (in[0].dim[2] / c->heads);
}

static const dt_attention_heads two = { 2, 0.5 };
static const dt_op_example examples[] = {
    { .in_count = 2, .in = { { 3, { 2, 4, 6 } }, { 3, { 2, 5, 6 } } }, .conf = &two },
    { .in_count = 0 },
};

static const dt_opt opts[] = {
    DT_OPT_INT(dt_attention_heads, heads, 1, 1, 1 << 20, "parts of the last axis"),
    DT_OPT_FLOAT(dt_attention_heads, scale, 1, 0, 1e6, "factor of the scores"),
    DT_OPT_END,
};

const dt_op dt_op_attention_scores = {
    .name = "attention_scores",
    .in_min = 2,
    .in_max = 2,
    .out_count = 1,
    .opts = opts,
    .conf_size = sizeof(dt_attention_heads),
    .grads = 3,
    .reads_in = 3,
    .accumulates = 3,
    .matmul = DT_MATMUL_TRANSPOSED,
    .form = "attention_scores",
    .infer = infer,
    .memory = memory,
    .forward = forward,
    .backward = backward,
    .macs = macs,
    .examples = examples,
};
