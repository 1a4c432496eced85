/* SPDX-License-Identifier: Apache-2.0 */
#include "core/rng.h"

#include <math.h>
#include <stdlib.h>

#include "tests/support/run.h"

/* Philox-4x32-10 known-answer vectors of Random123 (kat_vectors): counter and key all zero. */
START_TEST(known_answer)
{
    dt_rng r = { .left = 0 };
    const uint32_t want[] = { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 };
    for (int i = 0; i < 4; i++)
        ck_assert_uint_eq(dt_rng_u32(&r), want[i]);
}
END_TEST

START_TEST(streams_differ_and_repeat)
{
    dt_rng a, b;
    dt_rng_open(&a, 1, DT_RNG_AUGMENT, 3, 4);
    dt_rng_open(&b, 1, DT_RNG_AUGMENT, 3, 4);
    for (int i = 0; i < 100; i++)
        ck_assert_uint_eq(dt_rng_u32(&a), dt_rng_u32(&b));
    dt_rng_open(&b, 1, DT_RNG_AUGMENT, 3, 5);
    int same = 0;
    for (int i = 0; i < 100; i++)
        same += dt_rng_u32(&a) == dt_rng_u32(&b);
    ck_assert_int_lt(same, 3);
}
END_TEST

START_TEST(skipping_is_drawing)
{
    dt_rng a, b;
    dt_rng_open(&a, 1, DT_RNG_DROPOUT, 3, 4);
    dt_rng_open(&b, 1, DT_RNG_DROPOUT, 3, 4);
    for (int i = 0; i < 4 * 7; i++)
        dt_rng_u32(&a);
    dt_rng_u32(&b);
    dt_rng_skip(&b, 7);
    for (int i = 0; i < 9; i++)
        ck_assert_uint_eq(dt_rng_u32(&a), dt_rng_u32(&b));
}
END_TEST

START_TEST(distributions)
{
    dt_rng r;
    dt_rng_open(&r, 7, DT_RNG_TEST, 0, 0);
    double sum = 0, square = 0;
    int counts[10] = { 0 };
    enum { N = 100000 };
    for (int i = 0; i < N; i++) {
        double x = dt_rng_normal(&r);
        sum += x;
        square += x * x;
        counts[dt_rng_below(&r, 10)]++;
    }
    ck_assert(fabs(sum / N) < 0.02 && fabs(square / N - 1) < 0.03);
    for (int i = 0; i < 10; i++)
        ck_assert(abs(counts[i] - N / 10) < 500);
    for (int i = 0; i < 1000; i++) {
        double u = dt_rng_uniform(&r);
        ck_assert(u >= 0 && u < 1);
    }
}
END_TEST

/* Mean 1/2 and variance 1 / (4 (2 a + 1)). */
START_TEST(beta_has_its_moments)
{
    static const double as[] = { 0.05, 0.2, 0.8, 1, 4 };
    enum { N = 20000 };
    for (int k = 0; k < 5; k++) {
        dt_rng r;
        dt_rng_open(&r, 9, DT_RNG_TEST, (uint32_t)k, 0);
        double sum = 0, square = 0;
        for (int i = 0; i < N; i++) {
            double x = dt_rng_beta(&r, as[k]);
            ck_assert(x >= 0 && x <= 1);
            sum += x - 0.5;
            square += (x - 0.5) * (x - 0.5);
        }
        double variance = 1 / (4 * (2 * as[k] + 1));
        ck_assert(fabs(sum / N) < 5 * sqrt(variance / N));
        ck_assert_msg(fabs(square / N / variance - 1) < 0.05, "%g: %g", as[k], square / N);
    }
}
END_TEST

DT_TEST_MAIN("rng", known_answer, streams_differ_and_repeat, skipping_is_drawing, distributions,
             beta_has_its_moments)
