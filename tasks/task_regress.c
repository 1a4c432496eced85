/* K numbers: the outputs themselves. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "tasks/task.h"

enum { SQUARED, ABSOLUTE, WANTED, WANTED_SQUARED }; /* sums over all numbers */
enum { RMSE, MAE, R2 };

static int64_t predicted(int64_t K)
{
    return K;
}

static void predict(const void *conf, const real *y, int64_t K, float *out)
{
    (void)conf;
    memcpy(out, y, (size_t)K * sizeof *out);
}

static void add(const void *conf, const real *y, const void *answer, int64_t K, double *sum)
{
    (void)conf;
    const float *t = answer;
    for (int64_t k = 0; k < K; k++) {
        double want = (double)t[k], d = (double)y[k] - want;
        sum[SQUARED] += d * d;
        sum[ABSOLUTE] += fabs(d);
        sum[WANTED] += want;
        sum[WANTED_SQUARED] += want * want;
    }
}

/* R^2 over all numbers together: 1 - squared errors / squared distances from the mean. */
static double value(const double *sum, int64_t count, int64_t K, int metric)
{
    double n = (double)count * (double)K;
    if (metric == RMSE) return sqrt(sum[SQUARED] / n);
    if (metric == MAE) return sum[ABSOLUTE] / n;
    double spread = sum[WANTED_SQUARED] - sum[WANTED] * sum[WANTED] / n;
    return spread > 0 ? 1 - sum[SQUARED] / spread : 0;
}

extern const dt_net_task dt_task_regress;
const dt_net_task dt_task_regress = {
    .row = { "regress", "numbers", NULL, 0 },
    .answer = DT_ANSWER_NUMBERS,
    .output = "output",
    .wanted = "numbers",
    .loss = "mse",
    .sum = { "squared_error", "absolute_error", "wanted", "wanted_squared" },
    .deciding = 1,
    .add = add,
    .metric = { { "rmse", "RMSE", "", 6 }, { "mae", "MAE", "", 6 }, { "r2", "R2", "", 4 } },
    .lower = true,
    .value = value,
    .apart = 0.03,
    .apart_share = true,
    .says = &dt_normal,
    .means = "numbers",
    .predicted = predicted,
    .predict = predict,
    .digits = 9,
};
