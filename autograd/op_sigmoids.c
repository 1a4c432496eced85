/* Functions with an exp in them: sigmoid s(x) = 1 / (1 + e^-x), tanh, SiLU x s(x) (Hendrycks,
 * Gimpel 2016, arXiv:1606.08415), softplus log(1 + e^x), Mish x tanh(softplus(x)) (Misra 2019,
 * arXiv:1908.08681), exp. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/function.h"
#include "kernels/exp.h"

static inline real sigmoid(real x)
{
    return 1 / (1 + dt_exp(-x));
}

static inline real softplus(real x)
{
    return (x > 0 ? x : 0) + dt_log1p(dt_exp(-fabs(x)));
}

static inline real mish_slope(real x)
{
    real t = dt_tanh(softplus(x));
    return t + x * (1 - t * t) * sigmoid(x);
}

static void sigmoid_values(const void *options, int64_t n, const real *x, real *y)
{
    (void)options;
    for (int64_t i = 0; i < n; i++)
        y[i] = sigmoid(x[i]);
}

static void sigmoid_slopes(const void *options, int64_t n, const real *x, real *d)
{
    (void)options;
    for (int64_t i = 0; i < n; i++)
        d[i] = sigmoid(x[i]) * sigmoid(-x[i]);
}

static void sigmoid_forward(const dt_op_run *r)
{
    dt_function_forward(r, sigmoid_values);
}

static void sigmoid_backward(const dt_op_run *r)
{
    dt_function_backward(r, sigmoid_slopes);
}

const dt_op dt_op_sigmoid = {
    .name = "sigmoid",
    .in_min = 1,
    .in_max = 1,
    .out_count = 1,
    .grads = 1,
    .reads_in = 1,
    .accumulates = 1,
    .grad_inplace = true,
    .sign = DT_SIGN_NONNEG,
    .function = true,
    .onnx = "x Sigmoid",
    .infer = dt_infer_same,
    .forward = sigmoid_forward,
    .backward = sigmoid_backward,
    .examples = dt_function_examples,
};

static void tanh_values(const void *options, int64_t n, const real *x, real *y)
{
    (void)options;
    for (int64_t i = 0; i < n; i++)
        y[i] = dt_tanh(x[i]);
}

static void tanh_slopes(const void *options, int64_t n, const real *x, real *d)
{
    (void)options;
    for (int64_t i = 0; i < n; i++)
        d[i] = 1 - dt_tanh(x[i]) * dt_tanh(x[i]);
}

static void tanh_forward(const dt_op_run *r)
{
    dt_function_forward(r, tanh_values);
}

static void tanh_backward(const dt_op_run *r)
{
    dt_function_backward(r, tanh_slopes);
}

const dt_op dt_op_tanh = {
    .name = "tanh",
    .in_min = 1,
    .in_max = 1,
    .out_count = 1,
    .grads = 1,
    .reads_in = 1,
    .accumulates = 1,
    .grad_inplace = true,
    .function = true,
    .onnx = "x Tanh",
    .infer = dt_infer_same,
    .forward = tanh_forward,
    .backward = tanh_backward,
    .examples = dt_function_examples,
};

static void silu_values(const void *options, int64_t n, const real *x, real *y)
{
    (void)options;
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] * sigmoid(x[i]);
}

static void silu_slopes(const void *options, int64_t n, const real *x, real *d)
{
    (void)options;
    for (int64_t i = 0; i < n; i++)
        d[i] = sigmoid(x[i]) * (1 + x[i] * sigmoid(-x[i]));
}

static void silu_forward(const dt_op_run *r)
{
    dt_function_forward(r, silu_values);
}

static void silu_backward(const dt_op_run *r)
{
    dt_function_backward(r, silu_slopes);
}

const dt_op dt_op_silu = {
    .name = "silu",
    .in_min = 1,
    .in_max = 1,
    .out_count = 1,
    .grads = 1,
    .reads_in = 1,
    .accumulates = 1,
    .grad_inplace = true,
    .function = true,
    .onnx = "x x Sigmoid Mul",
    .infer = dt_infer_same,
    .forward = silu_forward,
    .backward = silu_backward,
    .examples = dt_function_examples,
};

static void softplus_values(const void *options, int64_t n, const real *x, real *y)
{
    (void)options;
    for (int64_t i = 0; i < n; i++)
        y[i] = softplus(x[i]);
}

static void softplus_slopes(const void *options, int64_t n, const real *x, real *d)
{
    (void)options;
    for (int64_t i = 0; i < n; i++)
        d[i] = sigmoid(x[i]);
}

static void softplus_forward(const dt_op_run *r)
{
    dt_function_forward(r, softplus_values);
}

static void softplus_backward(const dt_op_run *r)
{
    dt_function_backward(r, softplus_slopes);
}

const dt_op dt_op_softplus = {
    .name = "softplus",
    .in_min = 1,
    .in_max = 1,
    .out_count = 1,
    .grads = 1,
    .reads_in = 1,
    .accumulates = 1,
    .grad_inplace = true,
    .sign = DT_SIGN_NONNEG,
    .function = true,
    .onnx = "x Softplus",
    .infer = dt_infer_same,
    .forward = softplus_forward,
    .backward = softplus_backward,
    .examples = dt_function_examples,
};

static void mish_values(const void *options, int64_t n, const real *x, real *y)
{
    (void)options;
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] * dt_tanh(softplus(x[i]));
}

static void mish_slopes(const void *options, int64_t n, const real *x, real *d)
{
    (void)options;
    for (int64_t i = 0; i < n; i++)
        d[i] = mish_slope(x[i]);
}

static void mish_forward(const dt_op_run *r)
{
    dt_function_forward(r, mish_values);
}

static void mish_backward(const dt_op_run *r)
{
    dt_function_backward(r, mish_slopes);
}

const dt_op dt_op_mish = {
    .name = "mish",
    .in_min = 1,
    .in_max = 1,
    .out_count = 1,
    .grads = 1,
    .reads_in = 1,
    .accumulates = 1,
    .grad_inplace = true,
    .function = true,
    .onnx = "x x Softplus Tanh Mul",
    .infer = dt_infer_same,
    .forward = mish_forward,
    .backward = mish_backward,
    .examples = dt_function_examples,
};

static void exp_values(const void *options, int64_t n, const real *x, real *y)
{
    (void)options;
    for (int64_t i = 0; i < n; i++)
        y[i] = dt_exp(x[i]);
}

static void exp_slopes(const void *options, int64_t n, const real *x, real *d)
{
    (void)options;
    for (int64_t i = 0; i < n; i++)
        d[i] = dt_exp(x[i]);
}

static void exp_forward(const dt_op_run *r)
{
    dt_function_forward(r, exp_values);
}

static void exp_backward(const dt_op_run *r)
{
    dt_function_backward(r, exp_slopes);
}

const dt_op dt_op_exp = {
    .name = "exp",
    .in_min = 1,
    .in_max = 1,
    .out_count = 1,
    .grads = 1,
    .reads_in = 1,
    .accumulates = 1,
    .grad_inplace = true,
    .sign = DT_SIGN_NONNEG,
    .function = true,
    .onnx = "x Exp",
    .infer = dt_infer_same,
    .forward = exp_forward,
    .backward = exp_backward,
    .examples = dt_function_examples,
};
