/* SPDX-License-Identifier: Apache-2.0 */
#include "data/normalize.h"

#include "tests/support/run.h"

START_TEST(table_follows_the_formula)
{
    dt_normalize_table t;
    dt_normalize_fill(&dt_normalizes[0], &t);
    ck_assert_str_eq(dt_normalizes[0].name, "imagenet");
    ck_assert_float_eq(t.value[0][0], (0.0f - 0.485f) / 0.229f);
    ck_assert_float_eq(t.value[1][51], (0.2f - 0.456f) / 0.224f);
    ck_assert_float_eq(t.value[2][255], (1.0f - 0.406f) / 0.225f);
    const uint8_t picture[6] = { 1, 2, 3, 250, 0, 255 };
    float y[6];
    dt_normalize_apply(&t, 2, picture, y);
    for (int i = 0; i < 6; i++)
        ck_assert_float_eq(y[i], t.value[i % 3][picture[i]]);
}
END_TEST

START_TEST(range_is_that_of_all_channels)
{
    float lo, hi;
    dt_normalize_range(&dt_normalizes[0], &lo, &hi);
    ck_assert_float_eq(lo, -0.485f / 0.229f);         /* red is the darkest */
    ck_assert_float_eq(hi, (1.0f - 0.406f) / 0.225f); /* blue the brightest */
    dt_normalize_range(&dt_normalizes[2], &lo, &hi);
    ck_assert(lo == 0.0f && hi == 1.0f);
    dt_normalize_range(&dt_normalizes[3], &lo, &hi);
    ck_assert(lo == -1.0f && hi == 1.0f);
}
END_TEST

DT_TEST_MAIN("normalize", table_follows_the_formula, range_is_that_of_all_channels)
