/* Each of K classes by itself: its logit says how likely its flag is set. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/mathx.h"
#include "tasks/task.h"

typedef struct conf {
    double threshold;
} conf;

static const dt_opt opts[] = {
    DT_OPT_FLOAT(conf, threshold, 0.5, 0.000001, 0.999999,
                 "probability from which on a flag is taken as set"),
    DT_OPT_END,
};

enum { HITS, FALSE_ALARMS, MISSES, EXACT }; /* flags, flags, flags, samples */
enum { F1, EXACT_MATCH, FLAGS };

static int64_t predicted(int64_t K)
{
    return K;
}

/* The logit of the threshold: dt_log is the same on every machine, and so are the flags. */
static double limit_of(const void *options)
{
    const conf *c = options;
    return c ? dt_log(c->threshold / (1 - c->threshold)) : 0;
}

static void predict(const void *options, const real *y, int64_t K, float *out)
{
    double limit = limit_of(options);
    for (int64_t k = 0; k < K; k++)
        out[k] = (double)y[k] >= limit;
}

static void add(const void *options, const real *y, const void *answer, int64_t K, double *sum)
{
    const float *t = answer;
    double limit = limit_of(options);
    int64_t wrong = 0;
    for (int64_t k = 0; k < K; k++) {
        bool set = (double)y[k] >= limit, wanted = t[k] != 0;
        sum[HITS] += set && wanted;
        sum[FALSE_ALARMS] += set && !wanted;
        sum[MISSES] += !set && wanted;
        wrong += set != wanted;
    }
    sum[EXACT] += wrong == 0;
}

/* F1 over all flags together (micro): hits against what was set and what was wanted. */
static double value(const double *sum, int64_t count, int64_t K, int metric)
{
    double wrong = sum[FALSE_ALARMS] + sum[MISSES], of = 2 * sum[HITS] + wrong;
    if (metric == F1) return of > 0 ? 100 * 2 * sum[HITS] / of : 100;
    if (metric == EXACT_MATCH) return 100 * sum[EXACT] / (double)count;
    return 100 * (1 - wrong / ((double)count * (double)K));
}

extern const dt_net_task dt_task_multilabel;
const dt_net_task dt_task_multilabel = {
    .row = { "multilabel", "any of many classes at once", opts, sizeof(conf) },
    .answer = DT_ANSWER_FLAGS,
    .output = "logits",
    .wanted = "flags",
    .loss = "bce",
    .sum = { "hits", "false_alarms", "misses", "exact" },
    .deciding = 3,
    .add = add,
    .metric = { { "f1", "F1", "%", 2 },
                { "exact", "exact match", "%", 2 },
                { "flags", "flags right", "%", 2 } },
    .value = value,
    .apart = 0.3,
    .says = &dt_bernoulli,
    .means = "flags",
    .predicted = predicted,
    .predict = predict,
    .digits = 1,
};
