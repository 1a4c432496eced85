/* Piecewise functions: hard sigmoid clip(alpha x + beta, 0, 1), hard swish x clip(x / 6 + 0.5, 0,
 * 1) (Howard et al. 2019, arXiv:1905.02244), leaky ReLU, ELU (Clevert et al. 2015,
 * arXiv:1511.07289), clip, abs, neg, sqrt. Beside a kink the derivative is that of the right side.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_hard.h"
#include "autograd/function.h"
#include "kernels/exp.h"

static const real half = (real)0.5;

static inline real clip(real x, real low, real high)
{
    x = x > low ? x : low;
    return x < high ? x : high;
}

static inline real hard_swish_slope(real x)
{
    return x <= -3 ? 0 : x >= 3 ? 1 : x / 3 + half;
}

static inline real hard_sigmoid_slope(const dt_hard_sigmoid_conf *c, real x)
{
    real y = (real)c->alpha * x + (real)c->beta;
    return y > 0 && y < 1 ? (real)c->alpha : 0;
}

static const dt_op_example positive[] = {
    { .in_count = 1, .in = { { 3, { 2, 9, 11 } } }, .positive = 1 },
    { .in_count = 0 },
};

DT_FUNCTION(hard_swish, void, clip(x / 6 + half, 0, 1) * x, hard_swish_slope(x))
const dt_op dt_op_hard_swish = {
    DT_FUNCTION_FACTS(hard_swish),
    .grad_kind = DT_GRAD_KINK,
    .onnx = "x x 3 Add 0 6 Clip 6 Div Mul",
    .examples = dt_function_examples,
};

static const dt_opt hard_sigmoid_opts[] = {
    DT_OPT_FLOAT(dt_hard_sigmoid_conf, alpha, 1.0 / 6, 0, 1e6, "slope"),
    DT_OPT_FLOAT(dt_hard_sigmoid_conf, beta, 0.5, -1e6, 1e6, "value at 0"),
    DT_OPT_END,
};

static const dt_hard_sigmoid_conf hard_sigmoid_default = { 1.0 / 6, 0.5 },
                                  hard_sigmoid_steep = { 0.4, 0.3 };
static const dt_op_example hard_sigmoid_examples[] = {
    { .in_count = 1, .in = { { 3, { 2, 9, 11 } } }, .conf = &hard_sigmoid_default },
    { .in_count = 1, .in = { { 2, { 7, 19 } } }, .conf = &hard_sigmoid_steep },
    { .in_count = 0 },
};

DT_FUNCTION(hard_sigmoid, dt_hard_sigmoid_conf, clip(x *(real)c->alpha + (real)c->beta, 0, 1),
            hard_sigmoid_slope(c, x))
const dt_op dt_op_hard_sigmoid = {
    DT_FUNCTION_FACTS(hard_sigmoid),
    .opts = hard_sigmoid_opts,
    .conf_size = sizeof(dt_hard_sigmoid_conf),
    .sign = DT_SIGN_NONNEG,
    .grad_kind = DT_GRAD_KINK,
    .onnx = "x HardSigmoid:alpha,beta",
    .examples = hard_sigmoid_examples,
};

static const dt_opt leaky_relu_opts[] = {
    DT_OPT_FLOAT(dt_leaky_relu_conf, alpha, 0.01, -1e6, 1e6, "slope below 0"),
    DT_OPT_END,
};

static const dt_leaky_relu_conf leaky_relu_default = { 0.01 }, leaky_relu_steep = { -0.7 };
static const dt_op_example leaky_relu_examples[] = {
    { .in_count = 1, .in = { { 3, { 2, 9, 11 } } }, .conf = &leaky_relu_default },
    { .in_count = 1, .in = { { 2, { 7, 19 } } }, .conf = &leaky_relu_steep },
    { .in_count = 0 },
};

DT_FUNCTION(leaky_relu, dt_leaky_relu_conf, x < 0 ? (real)c->alpha * x : x,
            x < 0 ? (real)c->alpha : 1)
const dt_op dt_op_leaky_relu = {
    DT_FUNCTION_FACTS(leaky_relu),
    .opts = leaky_relu_opts,
    .conf_size = sizeof(dt_leaky_relu_conf),
    .grad_kind = DT_GRAD_KINK,
    .onnx = "x LeakyRelu:alpha",
    .examples = leaky_relu_examples,
};

static const dt_opt elu_opts[] = {
    DT_OPT_FLOAT(dt_elu_conf, alpha, 1, -1e6, 1e6, "how far below 0 it reaches"),
    DT_OPT_END,
};

static const dt_elu_conf elu_default = { 1 }, elu_flat = { 0.3 };
static const dt_op_example elu_examples[] = {
    { .in_count = 1, .in = { { 3, { 2, 9, 11 } } }, .conf = &elu_default },
    { .in_count = 1, .in = { { 2, { 7, 19 } } }, .conf = &elu_flat },
    { .in_count = 0 },
};

DT_FUNCTION(elu, dt_elu_conf, x < 0 ? (real)c->alpha * dt_expm1(x) : x,
            x < 0 ? (real)c->alpha * dt_exp(x) : 1)
const dt_op dt_op_elu = {
    DT_FUNCTION_FACTS(elu),    .opts = elu_opts,      .conf_size = sizeof(dt_elu_conf),
    .grad_kind = DT_GRAD_KINK, .onnx = "x Elu:alpha", .examples = elu_examples,
};

static const dt_opt clip_opts[] = {
    DT_OPT_FLOAT(dt_clip_conf, low, 0, -1e30, 1e30, "least value; -1e30: none"),
    DT_OPT_FLOAT(dt_clip_conf, high, 1, -1e30, 1e30, "greatest value; 1e30: none"),
    DT_OPT_END,
};

static void clip_limits(const void *options, double *out_low, double *out_high)
{
    const dt_clip_conf *c = options;
    *out_low = c->low > -DT_CLIP_OPEN ? c->low : -(double)INFINITY;
    *out_high = c->high < DT_CLIP_OPEN ? c->high : (double)INFINITY;
}

static const dt_clip_conf clip_unit = { -1, 1 }, clip_above = { 0.5, DT_CLIP_OPEN };
static const dt_op_example clip_examples[] = {
    { .in_count = 1, .in = { { 3, { 2, 9, 11 } } }, .conf = &clip_unit },
    { .in_count = 1, .in = { { 2, { 7, 19 } } }, .conf = &clip_above },
    { .in_count = 0 },
};

DT_FUNCTION(clip, dt_clip_conf, clip(x, (real)c->low, (real)c->high),
            x > (real)c->low && x < (real)c->high)
const dt_op dt_op_clip = {
    DT_FUNCTION_FACTS(clip),   .opts = clip_opts,     .conf_size = sizeof(dt_clip_conf),
    .grad_kind = DT_GRAD_KINK, .limits = clip_limits, .onnx = "x low high Clip",
    .examples = clip_examples,
};

DT_FUNCTION(abs, void, fabs(x), (real)((x > 0) - (x < 0)))
const dt_op dt_op_abs = {
    DT_FUNCTION_FACTS(abs), .sign = DT_SIGN_NONNEG,           .grad_kind = DT_GRAD_KINK,
    .onnx = "x Abs",        .examples = dt_function_examples,
};

DT_FUNCTION(neg, void, -x, -1)
const dt_op dt_op_neg = {
    DT_FUNCTION_FACTS(neg),
    .onnx = "x Neg",
    .examples = dt_function_examples,
};

/* At 0 there is no derivative; 0 lets a length of nothing be as it is, where infinity times 0 would
 * be no number in every parameter before it. */
DT_FUNCTION(sqrt, void, sqrt(x), x > 0 ? half / sqrt(x) : 0)
const dt_op dt_op_sqrt = {
    DT_FUNCTION_FACTS(sqrt),
    .sign = DT_SIGN_NONNEG,
    .onnx = "x Sqrt",
    .examples = positive,
};
