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

DT_ELEMENTS(value, slope)

const dt_op dt_op_mse = {
    DT_ELEMENTS_FACTS("mse"),
    .examples = dt_elements_examples,
};

const dt_loss dt_loss_mse = {
    .row = { "mse", "mean squared error", NULL, 0 },
    .answer = DT_ANSWER_NUMBERS,
    .of = of,
};
