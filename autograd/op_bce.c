/* Binary cross entropy of logits with flags: x [N,K], t [N,K] -> mean over samples of the mean over
 * k of - t log s(x) - (1 - t) log(1 - s(x)), s the logistic function; as max(x, 0) - x t + log(1 +
 * exp(-|x|)), which does not overflow. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/loss_elements.h"
#include "core/mathx.h"

static double value(const void *conf, double x, double t)
{
    (void)conf;
    double size = x < 0 ? -x : x;
    return (x > 0 ? x : 0) - x * t + dt_log(1 + dt_exp(-size));
}

static double slope(const void *conf, double x, double t)
{
    (void)conf;
    double e = dt_exp(x < 0 ? x : -x);
    return (x < 0 ? e : 1) / (1 + e) - t;
}

DT_ELEMENTS(value, slope)

const dt_op dt_op_bce = {
    DT_ELEMENTS_FACTS("bce"),
    .examples = dt_elements_examples,
};

const dt_loss dt_loss_bce = {
    .row = { "bce", "binary cross entropy of logits with flags", NULL, 0 },
    .answer = DT_ANSWER_FLAGS,
    .of = of,
};
