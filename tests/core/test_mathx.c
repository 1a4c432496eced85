/* SPDX-License-Identifier: Apache-2.0 */
#include "core/mathx.h"

#include <math.h>

#include "tests/support/run.h"

static double relative(double a, double b)
{
    return fabs(a - b) / fmax(fabs(b), 1e-300);
}

START_TEST(exp_and_log_are_near_libm)
{
    for (double x = -700; x <= 700; x += 0.37)
        ck_assert(relative(dt_exp(x), exp(x)) < 1e-14);
    for (double x = 1e-300; x < 1e300; x *= 3.7)
        ck_assert(relative(dt_log(x), log(x)) < 1e-14);
    for (double x = 0.5; x < 2; x += 0.0007)
        ck_assert(fabs(dt_log(x) - log(x)) < 1e-15);
    ck_assert(dt_exp(0) == 1.0 && dt_log(1) == 0.0);
    ck_assert(dt_exp(-800) == 0 && isinf(dt_exp(800)) && isnan(dt_exp(NAN)));
    ck_assert(isinf(dt_log(0)) && isnan(dt_log(-1)));
}
END_TEST

START_TEST(cospi_is_near_libm)
{
    for (double x = -5; x <= 5; x += 0.0013)
        ck_assert(fabs(dt_cospi(x) - cos(3.14159265358979324 * x)) < 1e-14);
    ck_assert(dt_cospi(0) == 1 && dt_cospi(1) == -1 && dt_cospi(0.5) == 0);
}
END_TEST

START_TEST(tanh_is_near_libm)
{
    for (double x = -30; x <= 30; x += 0.00071)
        ck_assert_msg(fabs(dt_tanh(x) - tanh(x)) < 1e-14, "at %g", x);
    ck_assert(dt_tanh(0) == 0 && dt_tanh(1e300) == 1 && dt_tanh(-INFINITY) == -1);
    ck_assert(isnan(dt_tanh(NAN)));
}
END_TEST

DT_TEST_MAIN("mathx", tanh_is_near_libm, exp_and_log_are_near_libm, cospi_is_near_libm)
