/* Huber's loss of numbers (Huber 1964, doi:10.1214/aoms/1177703732): y [N,K], t [N,K] -> mean over
 * samples of the mean over k of
 *
 *   d^2 / 2 where |d| <= delta, delta (|d| - delta / 2) elsewhere,   d = y - t
 *
 * as PyTorch's HuberLoss. Numbers far off pull no harder than those at delta. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/loss_elements.h"

typedef struct conf {
    double delta;
} conf;

static const dt_opt opts[] = {
    DT_OPT_FLOAT(conf, delta, 1, 1e-6, 1e6, "distance from which on the loss grows linearly"),
    DT_OPT_END,
};

static double value(const void *options, double y, double t)
{
    double delta = ((const conf *)options)->delta, d = y < t ? t - y : y - t;
    return d <= delta ? d * d / 2 : delta * (d - delta / 2);
}

static double slope(const void *options, double y, double t)
{
    double delta = ((const conf *)options)->delta, d = y - t;
    return d > delta ? delta : d < -delta ? -delta : d;
}

DT_ELEMENTS(value, slope)

static const conf near = { 0.5 }, far = { 4 };
static const dt_op_example examples[] = {
    { .in_count = 2, .in = { { 2, { 5, 4 } }, { 2, { 5, 4 } } }, .conf = &near },
    { .in_count = 2, .in = { { 2, { 3, 1 } }, { 2, { 3, 1 } } }, .conf = &far },
    { .in_count = 0 },
};

const dt_op dt_op_huber = {
    DT_ELEMENTS_FACTS("huber"),
    .opts = opts,
    .conf_size = sizeof(conf),
    .examples = examples,
};

const dt_loss dt_loss_huber = {
    .row = { "huber", "squared error near, absolute error far (Huber 1964)", opts, sizeof(conf) },
    .answer = DT_ANSWER_NUMBERS,
    .of = of,
};
