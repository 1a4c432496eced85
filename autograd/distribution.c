/* Distributions that outputs stand for. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/distribution.h"

#include <math.h>

#include "core/mathx.h"

/* ---- one class ---- */

/* log of softmax(x / temperature) */
static void log_softmax(int64_t K, const real *x, double temperature, double *out)
{
    double most = (double)x[0], sum = 0;
    for (int64_t k = 1; k < K; k++)
        most = fmax(most, (double)x[k]);
    for (int64_t k = 0; k < K; k++)
        sum += dt_exp(out[k] = ((double)x[k] - most) / temperature);
    for (int64_t k = 0; k < K; k++)
        out[k] -= dt_log(sum);
}

static void classes_apart(int64_t K, const real *z, const real *y, double temperature,
                          double spread, double *room, double *sum, real *slope)
{
    double *told = room, *guessed = room + K;
    (void)spread;
    log_softmax(K, z, temperature, told);
    log_softmax(K, y, temperature, guessed);
    for (int64_t k = 0; k < K; k++) {
        double p = dt_exp(told[k]);
        *sum += p * (told[k] - guessed[k]);
        if (slope) slope[k] = (real)((dt_exp(guessed[k]) - p) / temperature);
    }
}

/* Softmax less one of the drawn label. */
static void draw_class(int64_t K, const real *y, double spread, dt_rng *rng, double *room,
                       real *slope)
{
    double most = (double)y[0], sum = 0, at = dt_rng_uniform(rng);
    int64_t label = 0;
    (void)spread;
    for (int64_t k = 1; k < K; k++)
        most = (double)y[k] > most ? (double)y[k] : most;
    for (int64_t k = 0; k < K; k++)
        sum += room[k] = dt_exp((double)y[k] - most);
    for (int64_t k = 0; k < K; k++)
        room[k] /= sum;
    for (; label + 1 < K && at >= room[label]; label++)
        at -= room[label];
    for (int64_t k = 0; k < K; k++)
        slope[k] = (real)(room[k] - (k == label));
}

const dt_distribution dt_categorical = {
    .name = "categorical",
    .apart = classes_apart,
    .draw = draw_class,
};

/* ---- flags ---- */

/* log of sigmoid(x), without overflow on either side. */
static double log_sigmoid(double x)
{
    const double tail = dt_log(1 + dt_exp(-fabs(x)));
    return x < 0 ? x - tail : -tail;
}

static void flags_apart(int64_t K, const real *z, const real *y, double temperature, double spread,
                        double *room, double *sum, real *slope)
{
    (void)spread;
    (void)room;
    for (int64_t k = 0; k < K; k++) {
        double a = (double)z[k] / temperature, b = (double)y[k] / temperature;
        double p = dt_exp(log_sigmoid(a)), not_p = dt_exp(log_sigmoid(-a));
        *sum += p * (log_sigmoid(a) - log_sigmoid(b)) +
                not_p * (log_sigmoid(-a) - log_sigmoid(-b));
        if (slope) slope[k] = (real)((dt_exp(log_sigmoid(b)) - p) / temperature);
    }
}

static void draw_flags(int64_t K, const real *y, double spread, dt_rng *rng, double *room,
                       real *slope)
{
    (void)spread;
    (void)room;
    for (int64_t k = 0; k < K; k++) {
        double p = dt_exp(log_sigmoid((double)y[k]));
        slope[k] = (real)(p - (dt_rng_uniform(rng) < p));
    }
}

const dt_distribution dt_bernoulli = {
    .name = "bernoulli",
    .apart = flags_apart,
    .draw = draw_flags,
};

/* ---- numbers ---- */

static void numbers_apart(int64_t K, const real *z, const real *y, double temperature,
                          double spread, double *room, double *sum, real *slope)
{
    const double precision = 1 / (temperature * temperature * spread);
    (void)room;
    for (int64_t k = 0; k < K; k++) {
        double d = (double)y[k] - (double)z[k];
        *sum += d * d * precision / 2;
        if (slope) slope[k] = (real)(d * precision);
    }
}

static void draw_numbers(int64_t K, const real *y, double spread, dt_rng *rng, double *room,
                         real *slope)
{
    (void)y;
    (void)room;
    for (int64_t k = 0; k < K; k++)
        slope[k] = (real)(dt_rng_normal(rng) / sqrt(spread));
}

const dt_distribution dt_normal = {
    .name = "normal",
    .spreads = true,
    .apart = numbers_apart,
    .draw = draw_numbers,
};

double dt_distribution_spread(const dt_distribution *d, int64_t n, int64_t K, int64_t stride,
                              const real *z)
{
    double all = 0;
    if (!d->spreads || n < 1) return 1;
    for (int64_t k = 0; k < K; k++) {
        double mean = 0, square = 0;
        for (int64_t i = 0; i < n; i++)
            mean += (double)z[i * stride + k] / (double)n;
        for (int64_t i = 0; i < n; i++) {
            double x = (double)z[i * stride + k] - mean;
            square += x * x;
        }
        all += square / (double)n / (double)K;
    }
    return all > 0 && isfinite(all) ? all : 1;
}
