/* The mixing of attention (Vaswani 2017, arXiv:1706.03762), all heads:
 * p [N,H,T,S], v [N,S,C] -> y [N,T,C], y[n,:,h] = p[n,h] v[n,:,h]. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op.h"
#include "autograd/op_attention.h"
#include "kernels/gemm.h"

static dt_status infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                       dt_error *err)
{
    (void)conf;
    (void)in_count;
    char a[DT_SHAPE_TEXT], b[DT_SHAPE_TEXT];
    bool fit = in[0].rank == 4 && in[1].rank == 3 && in[0].dim[0] == in[1].dim[0] &&
               in[0].dim[3] == in[1].dim[1] && in[1].dim[2] % in[0].dim[1] == 0;
    if (!fit)
        return dt_fail(err, DT_ERR_SHAPE, NULL, "probabilities %s and values %s do not fit",
                       dt_shape_print(&in[0], a), dt_shape_print(&in[1], b));
    out[0] = DT_SHAPE(in[0].dim[0], in[0].dim[2], in[1].dim[2]);
    return DT_OK;
}

static dt_attention_head head_of(const dt_op_run *r, int64_t i)
{
    return dt_attention_head_of(&r->in_shape[0], r->in_shape[1].dim[2], i);
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
    const dt_gemm_part p = { .m = h.T,
                             .n = h.d,
                             .k = h.S,
                             .alpha = 1,
                             .a = (const real *)r->in[0] + h.score,
                             .b = (const real *)r->in[1] + h.key,
                             .c = (real *)r->out[0] + h.query,
                             .lda = h.S,
                             .ldb = h.C,
                             .ldc = h.C };
    dt_attention_multiply(r, &h, &p, thread);
}

static void backward_head(void *arg, int64_t i, int thread)
{
    const dt_op_run *r = arg;
    const dt_attention_head h = head_of(r, i);
    const real *dy = r->d_out[0] + h.query;
    if (r->d_in[0]) {
        const dt_gemm_part p = { .tb = true,
                                 .m = h.T,
                                 .n = h.S,
                                 .k = h.d,
                                 .alpha = 1,
                                 .sum = r->add[0],
                                 .a = dy,
                                 .b = (const real *)r->in[1] + h.key,
                                 .c = r->d_in[0] + h.score,
                                 .lda = h.C,
                                 .ldb = h.C,
                                 .ldc = h.S };
        dt_attention_multiply(r, &h, &p, thread);
    }
    if (r->d_in[1]) {
        const dt_gemm_part p = { .ta = true,
                                 .m = h.S,
                                 .n = h.d,
                                 .k = h.T,
                                 .alpha = 1,
                                 .sum = r->add[1],
                                 .a = (const real *)r->in[0] + h.score,
                                 .b = dy,
                                 .c = r->d_in[1] + h.key,
                                 .lda = h.S,
                                 .ldb = h.C,
                                 .ldc = h.C };
        dt_attention_multiply(r, &h, &p, thread);
    }
}

static void in_heads(const dt_op_run *r, dt_task task)
{
    dt_gemm_begin(&r->kernels->gemm);
    dt_op_each(r, r->in_shape[0].dim[0] * r->in_shape[0].dim[1], task);
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
    (void)conf;
    return dt_shape_count(out) * in[0].dim[3];
}

static const dt_attention_heads two = { 2, 0.5 };
static const dt_op_example examples[] = {
    { .in_count = 2, .in = { { 4, { 2, 2, 4, 5 } }, { 3, { 2, 5, 6 } } }, .conf = &two },
    { .in_count = 0 },
};

static const dt_opt opts[] = {
    DT_OPT_INT(dt_attention_heads, heads, 1, 1, 1 << 20, "parts of the last axis"),
    DT_OPT_FLOAT(dt_attention_heads, scale, 0, 0, 1e6, "not read"),
    DT_OPT_END,
};

const dt_op dt_op_attention_mix = {
    .name = "attention_mix",
    .in_min = 2,
    .in_max = 2,
    .out_count = 1,
    .opts = opts,
    .conf_size = sizeof(dt_attention_heads),
    .grads = 3,
    .reads_in = 3,
    .accumulates = 3,
    .matmul = DT_MATMUL_PLAIN,
    .form = "attention_mix",
    .infer = infer,
    .memory = memory,
    .forward = forward,
    .backward = backward,
    .macs = macs,
    .examples = examples,
};
