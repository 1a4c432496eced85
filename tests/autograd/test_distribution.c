/* What outputs say: divergences, their slopes, draws. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/distribution.h"

#include <math.h>
#include <string.h>

#include "tests/support/run.h"

enum { K = 5 };
static const dt_distribution *const rows[] = { &dt_categorical, &dt_bernoulli, &dt_normal };
static const real z[K] = { 0.5F, -1, 2, 0, 0.25F }, y[K] = { 1, -0.5F, 1.5F, -3, 0.125F };

static double apart(const dt_distribution *d, const real *a, const real *b, double T, real *slope)
{
    double room[2 * K], sum = 0;
    d->apart(K, a, b, T, 0.7, room, &sum, slope);
    return sum;
}

static void equals_of(const dt_distribution *d)
{
    real slope[K];
    ck_assert(fabs(apart(d, z, z, 2, slope)) < 1e-12);
    for (int k = 0; k < K; k++)
        ck_assert(fabs((double)slope[k]) < 1e-7);
    ck_assert_double_gt(apart(d, z, y, 2, NULL), 0.05);
}

START_TEST(nothing_lies_between_equals_and_something_between_others)
{
    for (size_t i = 0; i < DT_ARRAY_LEN(rows); i++)
        equals_of(rows[i]);
}
END_TEST

static void slopes_of(const dt_distribution *d)
{
    const double step = 1.0 / 256;
    real slope[K], at[K];
    (void)apart(d, z, y, 2, slope);
    for (int k = 0; k < K; k++) {
        double side[2];
        for (int s = 0; s < 2; s++) {
            memcpy(at, y, sizeof at);
            at[k] += (real)(s ? step : -step);
            side[s] = apart(d, z, at, 2, NULL);
        }
        double want = (side[1] - side[0]) / (2 * step);
        ck_assert_msg(fabs((double)slope[k] - want) < 1e-5, "%s %d: %g, by differences %g", d->name,
                      k, (double)slope[k], want);
    }
}

START_TEST(slopes_are_differences)
{
    for (size_t i = 0; i < DT_ARRAY_LEN(rows); i++)
        slopes_of(rows[i]);
}
END_TEST

/* Slopes of drawn answers have the mean 0, and their products that of the second derivative of the
 * divergence where both say the same. */
static void draws_of(const dt_distribution *d)
{
    enum { DRAWS = 40000 };
    const double step = 1.0 / 256;
    double mean[K] = { 0 }, square[K] = { 0 }, room[K];
    real slope[K], at[K];
    dt_rng rng;
    dt_rng_open(&rng, 1, DT_RNG_TEST, 0, 0);
    for (int i = 0; i < DRAWS; i++) {
        d->draw(K, z, 0.7, &rng, room, slope);
        for (int k = 0; k < K; k++) {
            mean[k] += (double)slope[k] / DRAWS;
            square[k] += (double)slope[k] * (double)slope[k] / DRAWS;
        }
    }
    for (int k = 0; k < K; k++) {
        double curve = 0;
        for (int s = -1; s <= 1; s += 2) {
            memcpy(at, z, sizeof at);
            at[k] += (real)(s * step);
            curve += apart(d, z, at, 1, NULL) / (step * step);
        }
        /* 5 deviations of the mean; of the square as wide a share */
        ck_assert_msg(fabs(mean[k]) < 5 * sqrt(square[k] / DRAWS), "%s %d: mean %g", d->name, k,
                      mean[k]);
        ck_assert_msg(fabs(square[k] - curve) < 0.08 * curve, "%s %d: %g, curvature %g", d->name, k,
                      square[k], curve);
    }
}

START_TEST(draws_have_fishers_information)
{
    for (size_t i = 0; i < DT_ARRAY_LEN(rows); i++)
        draws_of(rows[i]);
}
END_TEST

static void far_of(const dt_distribution *d)
{
    const real far[K] = { 1e4F, -1e4F, 300, -300, 0 }, near[K] = { -1e4F, 1e4F, -300, 300, 0 };
    real slope[K];
    ck_assert(isfinite(apart(d, far, near, 1, slope)));
    for (int k = 0; k < K; k++)
        ck_assert(isfinite(slope[k]));
}

START_TEST(far_values_stay_finite)
{
    for (size_t i = 0; i < DT_ARRAY_LEN(rows); i++)
        far_of(rows[i]);
}
END_TEST

/* Rows of two numbers, 3 apart: variances 1 and 9 / 4. */
START_TEST(a_spread_is_the_mean_variance)
{
    const real table[] = { 1, 2, 99, 3, 5, 99, 1, 2, 99, 3, 5, 99 };
    ck_assert_double_eq_tol(dt_distribution_spread(&dt_normal, 4, 2, 3, table), 1.625, 1e-12);
    ck_assert_double_eq(dt_distribution_spread(&dt_categorical, 4, 2, 3, table), 1);
    ck_assert_double_eq(dt_distribution_spread(&dt_normal, 4, 1, 3, table + 2), 1); /* none */
}
END_TEST

DT_TEST_MAIN("distribution", nothing_lies_between_equals_and_something_between_others,
             slopes_are_differences, draws_have_fishers_information, far_values_stay_finite,
             a_spread_is_the_mean_variance)
