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

START_TEST(keys_make_one_of_their_own)
{
    dt_data_conf c = { .normalize = DT_NORMALIZE_COUNT, .range = 1 };
    dt_normalize room;
    const dt_normalize *n;
    float lo, hi;
    ck_assert_int_eq(dt_normalize_of(&c, &room, &n, NULL), DT_OK);
    dt_normalize_range(n, &lo, &hi);
    ck_assert(lo == 0.0f && hi == 255.0f); /* mean 0, deviation 1, of the levels */
    c.range = 0;
    c.mean = (dt_opt_floats){ 3, { 0.5, 0, 0 } };
    c.std = (dt_opt_floats){ 1, { 0.5 } };
    ck_assert_int_eq(dt_normalize_of(&c, &room, &n, NULL), DT_OK);
    dt_normalize_range(n, &lo, &hi);
    ck_assert(lo == -1.0f && hi == 2.0f);
    c.std.count = 2;
    dt_error err;
    ck_assert_int_eq(dt_normalize_of(&c, &room, &n, &err), DT_ERR_RANGE);
    ck_assert_str_eq(err.text,
                     "data.normalize.std: has 2 numbers; one, or one for each of the 3 channels");
    c.normalize = 3;
    ck_assert_int_eq(dt_normalize_of(&c, &room, &n, NULL), DT_OK);
    ck_assert_ptr_eq(n, &dt_normalizes[3]);
}
END_TEST

DT_TEST_MAIN("normalize", table_follows_the_formula, range_is_that_of_all_channels,
             keys_make_one_of_their_own)
