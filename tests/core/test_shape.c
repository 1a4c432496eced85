/* SPDX-License-Identifier: Apache-2.0 */
#include "core/shape.h"

#include "tests/support/run.h"

START_TEST(count_print_equal)
{
    char text[DT_SHAPE_TEXT];
    dt_shape s = DT_SHAPE(128, 32, 32, 16), scalar = { 0 };
    ck_assert_int_eq(dt_shape_count(&s), 128 * 32 * 32 * 16);
    ck_assert_str_eq(dt_shape_print(&s, text), "[128,32,32,16]");
    ck_assert_str_eq(dt_shape_print(&scalar, text), "[]");
    ck_assert_int_eq(dt_shape_count(&scalar), 1);
    dt_shape t = DT_SHAPE(128, 32, 32);
    ck_assert(dt_shape_equal(&s, &s) && !dt_shape_equal(&s, &t));
    ck_assert_int_eq(dt_shape_count(&DT_SHAPE(INT64_MAX, 2)), 0);
    ck_assert_int_eq(dt_shape_count(&DT_SHAPE(3, 0)), 0);
    dt_shape wide = DT_SHAPE(INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX);
    dt_shape_print(&wide, text);
}
END_TEST

DT_TEST_MAIN("shape", count_print_equal)
