/* Layouts of foreign files. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/layout.h"

#include "tests/support/run.h"

START_TEST(conv_weights_are_permuted)
{
    const dt_shape ohwi = DT_SHAPE(2, 3, 1, 4);
    short ours[24], theirs[24], back[24];
    for (int i = 0; i < 24; i++)
        ours[i] = (short)(100 + i);
    dt_layout_to_foreign(&ohwi, sizeof *ours, ours, theirs);
    for (int o = 0; o < 2; o++)
        for (int h = 0; h < 3; h++)
            for (int i = 0; i < 4; i++)
                ck_assert_int_eq(theirs[(o * 4 + i) * 3 + h], ours[(o * 3 + h) * 4 + i]);
    dt_layout_from_foreign(&ohwi, sizeof *ours, theirs, back);
    ck_assert_mem_eq(ours, back, sizeof ours);
}
END_TEST

START_TEST(shapes_follow)
{
    dt_value v = { .kind = DT_VALUE_PARAM, .shape = DT_SHAPE(5, 2, 3, 4) };
    dt_shape same = dt_layout_shape(&v);
    ck_assert(dt_layout_is_kept(&v) && dt_shape_equal(&same, &v.shape));
    v.layout = DT_LAYOUT_OIHW;
    dt_shape moved = dt_layout_shape(&v);
    ck_assert(dt_shape_equal(&moved, &DT_SHAPE(5, 4, 2, 3)));
    v.kind = DT_VALUE_NODE;
    ck_assert(!dt_layout_is_kept(&v));
}
END_TEST

DT_TEST_MAIN("layout", conv_weights_are_permuted, shapes_follow)
