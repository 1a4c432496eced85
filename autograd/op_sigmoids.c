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

DT_FUNCTION(sigmoid, void, sigmoid(x), sigmoid(x) * sigmoid(-x))
const dt_op dt_op_sigmoid = {
    DT_FUNCTION_FACTS(sigmoid),
    .sign = DT_SIGN_NONNEG,
    .onnx = "x Sigmoid",
    .examples = dt_function_examples,
};

DT_FUNCTION(tanh, void, dt_tanh(x), 1 - dt_tanh(x) * dt_tanh(x))
const dt_op dt_op_tanh = {
    DT_FUNCTION_FACTS(tanh),
    .onnx = "x Tanh",
    .examples = dt_function_examples,
};

DT_FUNCTION(silu, void, sigmoid(x) * x, sigmoid(x) * (1 + x * sigmoid(-x)))
const dt_op dt_op_silu = {
    DT_FUNCTION_FACTS(silu),
    .onnx = "x x Sigmoid Mul",
    .examples = dt_function_examples,
};

DT_FUNCTION(softplus, void, softplus(x), sigmoid(x))
const dt_op dt_op_softplus = {
    DT_FUNCTION_FACTS(softplus),
    .sign = DT_SIGN_NONNEG,
    .onnx = "x Softplus",
    .examples = dt_function_examples,
};

DT_FUNCTION(mish, void, dt_tanh(softplus(x)) * x, mish_slope(x))
const dt_op dt_op_mish = {
    DT_FUNCTION_FACTS(mish),
    .onnx = "x x Softplus Tanh Mul",
    .examples = dt_function_examples,
};

DT_FUNCTION(exp, void, dt_exp(x), dt_exp(x))
const dt_op dt_op_exp = {
    DT_FUNCTION_FACTS(exp),
    .sign = DT_SIGN_NONNEG,
    .onnx = "x Exp",
    .examples = dt_function_examples,
};
