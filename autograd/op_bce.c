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

static void forward(const dt_op_run *r)
{
    dt_elements_forward(r, value);
}

static void backward(const dt_op_run *r)
{
    dt_elements_backward(r, slope);
}

const dt_op dt_op_bce = {
    .name = "bce",
    .in_min = 2,
    .in_max = 2,
    .out_count = 1,
    .grads = 1,
    .reads_in = 3,
    .infer = dt_elements_infer,
    .memory = dt_elements_memory,
    .forward = forward,
    .backward = backward,
    .examples = dt_elements_examples,
};

static double of(const void *conf, const real *y, const void *answer, int64_t K)
{
    return dt_elements_of(conf, y, answer, K, value);
}

const dt_loss dt_loss_bce = {
    .row = { "bce", "binary cross entropy of logits with flags", NULL, 0 },
    .answer = DT_ANSWER_FLAGS,
    .of = of,
};
