/* affine: y = factor x + shift. power: y = x^n for whole n, by products, so that it has the same
 * bits everywhere. With n < 0 that of 0 is 0, as of a pseudo-inverse (Penrose 1955): a divisor behind a
 * quantizer is 0 where it was less than half a step, of either sign, and infinity would leave no
 * number in anything behind it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_powers.h"

#include "autograd/function.h"

DT_FUNCTION(affine, dt_affine_conf, (real)c->factor *x + (real)c->shift, (real)c->factor)
static const dt_affine_conf affine_example = { -0.7, 0.3 };
static const dt_op_example affine_examples[] = {
    { .in_count = 1, .in = { { 2, { 3, 7 } } }, .conf = &affine_example },
    { .in_count = 0 },
};
static const dt_opt affine_opts[] = {
    DT_OPT_FLOAT(dt_affine_conf, factor, 1, -1e30, 1e30, "of x"),
    DT_OPT_FLOAT(dt_affine_conf, shift, 0, -1e30, 1e30, "added to that"),
    DT_OPT_END,
};
const dt_op dt_op_affine = {
    DT_FUNCTION_FACTS(affine),           .opts = affine_opts,
    .conf_size = sizeof(dt_affine_conf), .onnx = "x factor Mul shift Add",
    .examples = affine_examples,
};

static dt_status infer_power(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                             dt_error *err)
{
    const dt_power_conf *c = conf;
    if (c->exponent != (int)c->exponent || c->exponent == 0)
        return dt_fail(err, DT_ERR_RANGE, NULL,
                       "exponent %g is no whole number of 1 to %d or -1 to -%d", c->exponent,
                       DT_POWER_MOST, DT_POWER_MOST);
    return dt_infer_same(conf, in, in_count, out, err);
}

/* x^n, n >= 0. */
static inline real whole_power(real x, int n)
{
    real y = 1;
    for (int i = 0; i < n; i++)
        y *= x;
    return y;
}

static inline real power(real x, int n)
{
    if (n < 0) return x == 0 ? 0 : 1 / whole_power(x, -n);
    return whole_power(x, n);
}

DT_FUNCTION(power, dt_power_conf, power(x, (int)c->exponent),
            (real)c->exponent *power(x, (int)c->exponent - 1))
static const dt_power_conf cube = { 3 }, reciprocal = { -1 };
static const dt_op_example power_examples[] = {
    { .in_count = 1, .in = { { 2, { 3, 7 } } }, .conf = &cube },
    { .in_count = 1, .in = { { 2, { 3, 7 } } }, .conf = &reciprocal, .positive = 1 },
    { .in_count = 0 },
};
static const dt_opt power_opts[] = {
    DT_OPT_FLOAT(dt_power_conf, exponent, 1, -DT_POWER_MOST, DT_POWER_MOST, "a whole number"),
    DT_OPT_END,
};
const dt_op dt_op_power = {
    DT_FUNCTION_FACTS_IF(power, infer_power),
    .opts = power_opts,
    .conf_size = sizeof(dt_power_conf),
    .onnx = "x exponent Pow",
    .examples = power_examples,
};
