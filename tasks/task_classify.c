/* One class of K: the largest logit, of equal ones the first. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tasks/task.h"

enum { TOP1, TOP5 };

static int64_t predicted(int64_t K)
{
    (void)K;
    return 1;
}

static int64_t best(const real *y, int64_t K)
{
    int64_t at = 0;
    for (int64_t k = 1; k < K; k++)
        if (y[k] > y[at]) at = k;
    return at;
}

static void predict(const void *conf, const real *y, int64_t K, float *out)
{
    (void)conf;
    out[0] = (float)best(y, K);
}

/* Classes ranked before the true one: of equal logits those of lower number. */
static void add(const void *conf, const real *y, const void *answer, int64_t K, double *sum)
{
    (void)conf;
    int32_t label = *(const int32_t *)answer;
    int64_t before = 0;
    for (int64_t k = 0; k < K; k++)
        before += y[k] > y[label] || (y[k] == y[label] && k < label);
    sum[TOP1] += best(y, K) == label; /* not of nan, which nothing ranks before */
    sum[TOP5] += before < 5;
}

static double value(const double *sum, int64_t count, int64_t K, int metric)
{
    (void)K;
    return 100.0 * sum[metric] / (double)count;
}

extern const dt_net_task dt_task_classify;
const dt_net_task dt_task_classify = {
    .row = { "classify", "one class of many", NULL, 0 },
    .answer = DT_ANSWER_LABEL,
    .output = "logits",
    .wanted = "labels",
    .loss = "softmax_ce",
    .distill = "distill",
    .sum = { "correct", "correct5" },
    .counts = 1,
    .deciding = 1,
    .add = add,
    .metric = { { "top1", "top-1", "%", 2 }, { "top5", "top-5", "%", 2 } },
    .value = value,
    .apart = 0.3,
    .says = &dt_categorical,
    .means = "class",
    .predicted = predicted,
    .predict = predict,
    .digits = 9,
};
