/* The functions of soft rounding, against numbers worked by hand. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "ptq/soft.h"
#include "tests/support/run.h"

START_TEST(soft_rounding_starts_at_the_rest)
{
    static const double rest[] = { 0, .1, .25, .5, .75, .9 };
    static const double V[] = { -2.397895, -1.609438, -.887303, 0, .887303, 1.609438 };
    static const double slope[] = { .091667, .166667, .247917, .3, .247917, .166667 };
    for (int i = 0; i < 6; i++) {
        double v = dt_ptq_soft_start(rest[i]);
        ck_assert_double_eq_tol(v, V[i], 1e-6);
        ck_assert_double_eq_tol(dt_ptq_soft(v), rest[i], 1e-12);
        ck_assert_double_eq_tol(dt_ptq_soft_slope(v, dt_ptq_soft(v)), slope[i], 1e-6);
    }
    ck_assert(dt_ptq_soft(9) == 1);
    ck_assert(dt_ptq_soft_slope(9, 1) == 0); /* beyond the rim */
    ck_assert(dt_ptq_soft_slope(-9, 0) == 0);
}
END_TEST

START_TEST(the_regulariser_pulls_as_worked_out)
{
    static const double beta[] = { 20, 11, 4, 2 };
    static const double pull[] = { -.00243744, -.133026, -1.728, -2.4 };
    for (int i = 0; i < 4; i++) {
        ck_assert_double_eq_tol(dt_ptq_soft_pull(.8, beta[i]), pull[i],
                                1e-5 * fabs(pull[i]) + 1e-8);
        ck_assert_double_eq_tol(dt_ptq_soft_pull(.2, beta[i]), -pull[i],
                                1e-5 * fabs(pull[i]) + 1e-8);
    }
    ck_assert(dt_ptq_soft_pull(.5, 2) == 0);
    static const double at[] = { 0, .2, .4, .6, 1 }, want[] = { 20, 20, 15.5, 11, 2 };
    for (int i = 0; i < 5; i++)
        ck_assert_double_eq_tol(dt_ptq_soft_beta(at[i], .2, 20, 2), want[i], 1e-9);
}
END_TEST

DT_TEST_MAIN("var_round", soft_rounding_starts_at_the_rest, the_regulariser_pulls_as_worked_out)
