/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/window.h"

#include <string.h>

#include "tests/support/run.h"

static const dt_shape picture = { 4, { 1, 5, 6, 3 } };

START_TEST(sizes_follow_from_the_windows)
{
    static const struct {
        dt_window w;
        int64_t OH, OW;
        bool padded;
    } cases[] = {
        { { 2, 3, 2, 1, 0, 0, 0, 0 }, 2, 4, false },  { { 3, 3, 2, 2, 1, 1, 0, 0 }, 3, 3, true },
        { { 3, 3, 2, 2, 1, 1, -1, -1 }, 2, 3, true }, { { 2, 2, 2, 2, 0, 0, 1, 0 }, 3, 3, true },
        { { 2, 2, 2, 2, 0, 0, 0, 1 }, 2, 3, false },  { { 5, 6, 1, 1, 0, 0, 0, 0 }, 1, 1, false },
    };
    for (size_t i = 0; i < DT_ARRAY_LEN(cases); i++) {
        dt_shape y;
        ck_assert_int_eq(dt_window_infer(&cases[i].w, &picture, &y, NULL), DT_OK);
        ck_assert(dt_shape_equal(&y, &DT_SHAPE(1, cases[i].OH, cases[i].OW, 3)));
        dt_conv_shape s = dt_window_shape(&cases[i].w, &picture, &y);
        ck_assert_int_eq(dt_window_is_padded(&s), cases[i].padded);
    }
}
END_TEST

/* Every window of a size that is taken has a pixel, and none outside of the picture. */
START_TEST(a_window_without_pixels_is_refused)
{
    int taken = 0, refused = 0;
    for (int i = 0; i < 4 * 3 * 4 * 9; i++) {
        const int kernel = 1 + i % 4, stride = 1 + i / 4 % 3, pad = i / 12 % 4, more = i / 48 - 4;
        const dt_window w = { kernel, kernel, stride, stride, pad, pad, more, more };
        dt_shape y;
        if (dt_window_infer(&w, &picture, &y, NULL) != DT_OK) {
            refused++;
            continue;
        }
        taken++;
        for (int64_t k = 0; k < y.dim[1] * y.dim[2]; k++) {
            const dt_window_pixels p = dt_window_at(&w, 5, 6, k / y.dim[2], k % y.dim[2]);
            ck_assert(p.h0 >= 0 && p.h0 < p.h1 && p.h1 <= 5);
            ck_assert(p.w0 >= 0 && p.w0 < p.w1 && p.w1 <= 6);
            ck_assert(p.h1 - p.h0 <= kernel && p.w1 - p.w0 <= kernel);
        }
    }
    ck_assert_int_gt(taken, 100);
    ck_assert_int_gt(refused, 100);
}
END_TEST

START_TEST(what_does_not_fit_is_told)
{
    static const dt_window large = { 7, 2, 1, 1, 0, 0, 0, 0 }, still = { 2, 2, 0, 1, 0, 0, 0, 0 };
    const dt_shape rows = DT_SHAPE(1, 3);
    dt_shape y;
    dt_error err;
    ck_assert_int_eq(dt_window_infer(&large, &picture, &y, &err), DT_ERR_SHAPE);
    ck_assert_msg(strstr(err.text, "windows of 7x2") != NULL, "%s", err.text);
    ck_assert_int_eq(dt_window_infer(&still, &picture, &y, &err), DT_ERR_SHAPE);
    ck_assert_int_eq(dt_window_infer(&still, &rows, &y, &err), DT_ERR_SHAPE);
    ck_assert_msg(strstr(err.text, "4 dimensions") != NULL, "%s", err.text);
}
END_TEST

DT_TEST_MAIN("window", sizes_follow_from_the_windows, a_window_without_pixels_is_refused,
             what_does_not_fit_is_told)
