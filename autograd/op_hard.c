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

static void hard_swish_values(const void *options, int64_t n, const real *x, real *y)
{
    (void)options;
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] * clip(x[i] / 6 + half, 0, 1);
}

static void hard_swish_slopes(const void *options, int64_t n, const real *x, real *d)
{
    (void)options;
    for (int64_t i = 0; i < n; i++)
        d[i] = hard_swish_slope(x[i]);
}

static void hard_swish_forward(const dt_op_run *r)
{
    dt_function_forward(r, hard_swish_values);
}

static void hard_swish_backward(const dt_op_run *r)
{
    dt_function_backward(r, hard_swish_slopes);
}

const dt_op dt_op_hard_swish = {
    .name = "hard_swish",
    .in_min = 1,
    .in_max = 1,
    .out_count = 1,
    .grads = 1,
    .reads_in = 1,
    .accumulates = 1,
    .grad_inplace = true,
    .grad_kind = DT_GRAD_KINK,
    .function = true,
    .onnx = "x x 3 Add 0 6 Clip 6 Div Mul",
    .infer = dt_infer_same,
    .forward = hard_swish_forward,
    .backward = hard_swish_backward,
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

static void hard_sigmoid_values(const void *options, int64_t n, const real *x, real *y)
{
    const dt_hard_sigmoid_conf *c = options;
    for (int64_t i = 0; i < n; i++)
        y[i] = clip((real)c->alpha * x[i] + (real)c->beta, 0, 1);
}

static void hard_sigmoid_slopes(const void *options, int64_t n, const real *x, real *d)
{
    const dt_hard_sigmoid_conf *c = options;
    for (int64_t i = 0; i < n; i++)
        d[i] = hard_sigmoid_slope(c, x[i]);
}

static void hard_sigmoid_forward(const dt_op_run *r)
{
    dt_function_forward(r, hard_sigmoid_values);
}

static void hard_sigmoid_backward(const dt_op_run *r)
{
    dt_function_backward(r, hard_sigmoid_slopes);
}

const dt_op dt_op_hard_sigmoid = {
    .name = "hard_sigmoid",
    .in_min = 1,
    .in_max = 1,
    .out_count = 1,
    .opts = hard_sigmoid_opts,
    .conf_size = sizeof(dt_hard_sigmoid_conf),
    .grads = 1,
    .reads_in = 1,
    .accumulates = 1,
    .grad_inplace = true,
    .sign = DT_SIGN_NONNEG,
    .grad_kind = DT_GRAD_KINK,
    .function = true,
    .onnx = "x HardSigmoid:alpha,beta",
    .infer = dt_infer_same,
    .forward = hard_sigmoid_forward,
    .backward = hard_sigmoid_backward,
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

static void leaky_relu_values(const void *options, int64_t n, const real *x, real *y)
{
    const dt_leaky_relu_conf *c = options;
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] < 0 ? (real)c->alpha * x[i] : x[i];
}

static void leaky_relu_slopes(const void *options, int64_t n, const real *x, real *d)
{
    const dt_leaky_relu_conf *c = options;
    for (int64_t i = 0; i < n; i++)
        d[i] = x[i] < 0 ? (real)c->alpha : 1;
}

static void leaky_relu_forward(const dt_op_run *r)
{
    dt_function_forward(r, leaky_relu_values);
}

static void leaky_relu_backward(const dt_op_run *r)
{
    dt_function_backward(r, leaky_relu_slopes);
}

const dt_op dt_op_leaky_relu = {
    .name = "leaky_relu",
    .in_min = 1,
    .in_max = 1,
    .out_count = 1,
    .opts = leaky_relu_opts,
    .conf_size = sizeof(dt_leaky_relu_conf),
    .grads = 1,
    .reads_in = 1,
    .accumulates = 1,
    .grad_inplace = true,
    .grad_kind = DT_GRAD_KINK,
    .function = true,
    .onnx = "x LeakyRelu:alpha",
    .infer = dt_infer_same,
    .forward = leaky_relu_forward,
    .backward = leaky_relu_backward,
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

static void elu_values(const void *options, int64_t n, const real *x, real *y)
{
    const dt_elu_conf *c = options;
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] < 0 ? (real)c->alpha * dt_expm1(x[i]) : x[i];
}

static void elu_slopes(const void *options, int64_t n, const real *x, real *d)
{
    const dt_elu_conf *c = options;
    for (int64_t i = 0; i < n; i++)
        d[i] = x[i] < 0 ? (real)c->alpha * dt_exp(x[i]) : 1;
}

static void elu_forward(const dt_op_run *r)
{
    dt_function_forward(r, elu_values);
}

static void elu_backward(const dt_op_run *r)
{
    dt_function_backward(r, elu_slopes);
}

const dt_op dt_op_elu = {
    .name = "elu",
    .in_min = 1,
    .in_max = 1,
    .out_count = 1,
    .opts = elu_opts,
    .conf_size = sizeof(dt_elu_conf),
    .grads = 1,
    .reads_in = 1,
    .accumulates = 1,
    .grad_inplace = true,
    .grad_kind = DT_GRAD_KINK,
    .function = true,
    .onnx = "x Elu:alpha",
    .infer = dt_infer_same,
    .forward = elu_forward,
    .backward = elu_backward,
    .examples = elu_examples,
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

static void clip_values(const void *options, int64_t n, const real *x, real *y)
{
    const dt_clip_conf *c = options;
    for (int64_t i = 0; i < n; i++)
        y[i] = clip(x[i], (real)c->low, (real)c->high);
}

static void clip_slopes(const void *options, int64_t n, const real *x, real *d)
{
    const dt_clip_conf *c = options;
    for (int64_t i = 0; i < n; i++)
        d[i] = x[i] > (real)c->low && x[i] < (real)c->high;
}

static void clip_forward(const dt_op_run *r)
{
    dt_function_forward(r, clip_values);
}

static void clip_backward(const dt_op_run *r)
{
    dt_function_backward(r, clip_slopes);
}

const dt_op dt_op_clip = {
    .name = "clip",
    .in_min = 1,
    .in_max = 1,
    .out_count = 1,
    .opts = clip_opts,
    .conf_size = sizeof(dt_clip_conf),
    .grads = 1,
    .reads_in = 1,
    .accumulates = 1,
    .grad_inplace = true,
    .grad_kind = DT_GRAD_KINK,
    .limits = clip_limits,
    .function = true,
    .onnx = "x low high Clip",
    .infer = dt_infer_same,
    .forward = clip_forward,
    .backward = clip_backward,
    .examples = clip_examples,
};

static void abs_values(const void *options, int64_t n, const real *x, real *y)
{
    (void)options;
    for (int64_t i = 0; i < n; i++)
        y[i] = fabs(x[i]);
}

static void abs_slopes(const void *options, int64_t n, const real *x, real *d)
{
    (void)options;
    for (int64_t i = 0; i < n; i++)
        d[i] = (real)((x[i] > 0) - (x[i] < 0));
}

static void abs_forward(const dt_op_run *r)
{
    dt_function_forward(r, abs_values);
}

static void abs_backward(const dt_op_run *r)
{
    dt_function_backward(r, abs_slopes);
}

const dt_op dt_op_abs = {
    .name = "abs",
    .in_min = 1,
    .in_max = 1,
    .out_count = 1,
    .grads = 1,
    .reads_in = 1,
    .accumulates = 1,
    .grad_inplace = true,
    .sign = DT_SIGN_NONNEG,
    .grad_kind = DT_GRAD_KINK,
    .function = true,
    .onnx = "x Abs",
    .infer = dt_infer_same,
    .forward = abs_forward,
    .backward = abs_backward,
    .examples = dt_function_examples,
};

static void neg_values(const void *options, int64_t n, const real *x, real *y)
{
    (void)options;
    for (int64_t i = 0; i < n; i++)
        y[i] = -x[i];
}

static void neg_slopes(const void *options, int64_t n, const real *x, real *d)
{
    (void)options;
    (void)x;
    for (int64_t i = 0; i < n; i++)
        d[i] = -1;
}

static void neg_forward(const dt_op_run *r)
{
    dt_function_forward(r, neg_values);
}

static void neg_backward(const dt_op_run *r)
{
    dt_function_backward(r, neg_slopes);
}

const dt_op dt_op_neg = {
    .name = "neg",
    .in_min = 1,
    .in_max = 1,
    .out_count = 1,
    .grads = 1,
    .reads_in = 1,
    .accumulates = 1,
    .grad_inplace = true,
    .function = true,
    .onnx = "x Neg",
    .infer = dt_infer_same,
    .forward = neg_forward,
    .backward = neg_backward,
    .examples = dt_function_examples,
};

static void sqrt_values(const void *options, int64_t n, const real *x, real *y)
{
    (void)options;
    for (int64_t i = 0; i < n; i++)
        y[i] = sqrt(x[i]);
}

static void sqrt_slopes(const void *options, int64_t n, const real *x, real *d)
{
    (void)options;
    for (int64_t i = 0; i < n; i++)
        d[i] = half / sqrt(x[i]);
}

static void sqrt_forward(const dt_op_run *r)
{
    dt_function_forward(r, sqrt_values);
}

static void sqrt_backward(const dt_op_run *r)
{
    dt_function_backward(r, sqrt_slopes);
}

const dt_op dt_op_sqrt = {
    .name = "sqrt",
    .in_min = 1,
    .in_max = 1,
    .out_count = 1,
    .grads = 1,
    .reads_in = 1,
    .accumulates = 1,
    .grad_inplace = true,
    .sign = DT_SIGN_NONNEG,
    .function = true,
    .onnx = "x Sqrt",
    .infer = dt_infer_same,
    .forward = sqrt_forward,
    .backward = sqrt_backward,
    .examples = positive,
};
