/* Mean squared error of numbers: y [N,K], t [N,K] -> mean over samples of the mean over k of
 * (y - t)^2. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/loss_elements.h"

static double value(const void *conf, double y, double t)
{
    (void)conf;
    return (y - t) * (y - t);
}

static double slope(const void *conf, double y, double t)
{
    (void)conf;
    return 2 * (y - t);
}

static void forward(const dt_op_run *r)
{
    dt_elements_forward(r, value);
}

static void backward(const dt_op_run *r)
{
    dt_elements_backward(r, slope);
}

const dt_op dt_op_mse = {
    .name = "mse",
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

const dt_loss dt_loss_mse = {
    .row = { "mse", "mean squared error", NULL, 0 },
    .answer = DT_ANSWER_NUMBERS,
    .of = of,
};
