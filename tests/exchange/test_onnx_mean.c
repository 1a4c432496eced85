/* Means over any dimensions. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_mean.h"

#include "tests/exchange/onnx_make.h"

/* The mean over `axes` of the picture [N,3,8,8], then all that is left as rows. */
static const char *mean_over(int count, int64_t a, int64_t b, bool keep, int64_t left, made *t)
{
    const dt_onnx_attr how[] = { { .name = "axes", .count = count, .ints = { a, b } },
                                 { .name = "keepdims", .i = keep },
                                 { .name = NULL } };
    dt_onnx *m = make_open();
    make_node(m, "ReduceMean", "mean", how, "x", NULL, NULL, NULL);
    make_node(m, "Flatten", "y", NULL, "mean", NULL, NULL, NULL);
    return made_of(m, left, t);
}

START_TEST(pixels_are_the_engines_mean)
{
    for (int keep = 0; keep < 2; keep++) {
        made t;
        ck_assert_str_eq(mean_over(2, 2, -1, keep, 3, &t), "");
        ck_assert_int_eq(t.graph.node_count, 1);
        made_close(&t);
    }
}
END_TEST

START_TEST(others_are_made_pixels)
{
    static const struct {
        int count;
        int64_t a, b, left;
    } cases[] = { { 1, 1, 0, 64 }, { 1, 2, 0, 24 }, { 2, 1, 3, 8 } };
    for (size_t i = 0; i < DT_ARRAY_LEN(cases); i++)
        for (int keep = 0; keep < 2; keep++) {
            made t;
            const char *error =
                mean_over(cases[i].count, cases[i].a, cases[i].b, keep, cases[i].left, &t);
            ck_assert_msg(!*error, "%s", error);
            ck_assert_int_eq(made_count(&t, "arrange"), 1);
            ck_assert_int_eq(made_count(&t, "gap"), 1);
            ck_assert_str_eq(made_node(&t, "mean")->op->name, "gap"); /* a name of its own */
            ck_assert(dt_shape_equal(&t.graph.value[t.y].shape, &DT_SHAPE(1, cases[i].left)));
            made_close(&t);
        }
}
END_TEST

START_TEST(the_batch_stays)
{
    made t;
    const char *error = mean_over(2, 0, 2, true, 3, &t);
    ck_assert_msg(strstr(error, "mean: ReduceMean: it is over the batch") != NULL, "%s", error);
    made_close(&t);
}
END_TEST

DT_TEST_MAIN("onnx_mean", pixels_are_the_engines_mean, others_are_made_pixels, the_batch_stays)
