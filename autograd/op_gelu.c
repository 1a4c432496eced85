/* GELU (Hendrycks, Gimpel 2016, arXiv:1606.08415): y = x Phi(x), exact by erf or by the tanh
 * formula 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))). */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_gelu.h"

#include "autograd/op.h"
#include "autograd/op_encode_codes.h"

enum { CHUNK = 1 << 13 }; /* elements of a task */

static int64_t chunk(const dt_op_run *r, int64_t i)
{
    int64_t left = dt_shape_count(&r->in_shape[0]) - i * CHUNK;
    return left < CHUNK ? left : CHUNK;
}

static void forward_chunk(void *arg, int64_t i, int thread)
{
    (void)thread;
    const dt_op_run *r = arg;
    const dt_gelu_conf *c = r->conf;
    r->kernels->token.gelu(chunk(r, i), c->by_tanh, (const real *)r->in[0] + i * CHUNK,
                           (real *)r->out[0] + i * CHUNK);
}

static void backward_chunk(void *arg, int64_t i, int thread)
{
    (void)thread;
    const dt_op_run *r = arg;
    const dt_gelu_conf *c = r->conf;
    r->kernels->token.gelu_back(chunk(r, i), c->by_tanh, (const real *)r->in[0] + i * CHUNK,
                                r->d_out[0] + i * CHUNK, r->d_in[0] + i * CHUNK, r->add[0]);
}

static void in_chunks(const dt_op_run *r, dt_task task)
{
    dt_op_each(r, (dt_shape_count(&r->in_shape[0]) + CHUNK - 1) / CHUNK, task);
}

static void forward(const dt_op_run *r)
{
    in_chunks(r, forward_chunk);
}

static void backward(const dt_op_run *r)
{
    in_chunks(r, backward_chunk);
}

static const dt_gelu_conf by_erf = { false }, by_tanh = { true };
static const dt_op_example examples[] = {
    { .in_count = 1, .in = { { 3, { 2, 9, 11 } } }, .conf = &by_erf },
    { .in_count = 1, .in = { { 2, { 7, 19 } } }, .conf = &by_tanh },
    { .in_count = 0 },
};

/* In the order of operators that runtimes know as GELU. */
static const char *onnx_of(const void *conf)
{
    const dt_gelu_conf *c = conf;
    return c->by_tanh ? "x x x 3 Pow 0.044715 Mul Add 0.7978845608028654 Mul Tanh 1 Add Mul 0.5 Mul"
                      : "x x 1.4142135623730951 Div Erf 1 Add Mul 0.5 Mul";
}

static const dt_opt opts[] = {
    DT_OPT_BOOL(dt_gelu_conf, by_tanh, false, "the approximation by tanh"),
    DT_OPT_END,
};

const dt_op dt_op_gelu = {
    .name = "gelu",
    .in_min = 1,
    .in_max = 1,
    .out_count = 1,
    .opts = opts,
    .conf_size = sizeof(dt_gelu_conf),
    .grads = 1,
    .reads_in = 1,
    .accumulates = 1,
    .grad_inplace = true,
    .encode_of = DT_ENCODE_GELU,
    .function = true,
    .onnx_of = onnx_of,
    .infer = dt_infer_same,
    .forward = forward,
    .backward = backward,
    .examples = examples,
};
