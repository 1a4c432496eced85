/* Constants beside values whose elements lie in another order. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_spread.h"

#include "tests/exchange/onnx_make.h"

/* Windows of 4x4 of [N,3,8,8] as [N windows,16,3], as transformers of windows have them; `add` is
 * added to them, and the windows are put back. */
static const char *windows_with(dt_shape add, made *t)
{
    static const int64_t split[] = { 0, 3, 2, 4, 2, 4 }, rows[] = { -1, 16, 3 };
    const dt_onnx_attr turn[] = { { .name = "perm", .count = 6, .ints = { 0, 2, 4, 3, 5, 1 } },
                                  { .name = NULL } };
    static const int64_t back[] = { 1, 2, 2, 4, 4, 3 }, whole[] = { -1, 192 };
    dt_onnx *m = make_open();
    make_wholes(m, "split", 6, split);
    make_wholes(m, "rows", 3, rows);
    make_wholes(m, "back", 6, back);
    make_wholes(m, "whole", 2, whole);
    make_reals(m, "add", add);
    make_reals(m, "w", DT_SHAPE(192, 4));
    make_node(m, "Reshape", "a", NULL, "x", "split", NULL, NULL);
    make_node(m, "Transpose", "b", turn, "a", NULL, NULL, NULL);
    make_node(m, "Reshape", "c", NULL, "b", "rows", NULL, NULL);
    make_node(m, "Add", "d", NULL, "c", "add", NULL, NULL);
    make_node(m, "Reshape", "e", NULL, "d", "back", NULL, NULL);
    make_node(m, "Reshape", "f", NULL, "e", "whole", NULL, NULL);
    make_node(m, "MatMul", "y", NULL, "f", "w", NULL, NULL);
    return made_of(m, 4, t);
}

/* One number for each place of a window: the engine has [8,8,3], in which windows are 2x2 of 4x4.
 */
START_TEST(places_of_windows_are_found)
{
    made t;
    const char *error = windows_with(DT_SHAPE(16, 1), &t);
    ck_assert_msg(!*error, "%s", error);
    const dt_value *v = &t.graph.value[made_node(&t, "d")->in[1]];
    const float *x = dt_onnx_net_values(t.net, v->name);
    ck_assert(
        dt_shape_equal(&v->shape, &DT_SHAPE(4, 8, 3))); /* rows of windows repeat themselves */
    for (int i = 0; i < 4 * 8 * 3; i++) {
        int column = i / 3 % 8 % 4, row = i / 24;
        ck_assert_float_eq_tol(x[i], 0.01f * (float)(row * 4 + column + 1), 1e-6f);
    }
    made_close(&t);
}
END_TEST

/* What all of a row share stays one parameter, in the file's order. */
START_TEST(rows_keep_their_parameter)
{
    made t;
    const char *error = windows_with(DT_SHAPE(3), &t);
    ck_assert_msg(!*error, "%s", error);
    const dt_value *v = &t.graph.value[made_node(&t, "d")->in[1]];
    ck_assert(dt_shape_equal(&v->shape, &DT_SHAPE(3)));
    made_close(&t);
}
END_TEST

START_TEST(samples_are_alike)
{
    made t;
    const char *error = windows_with(DT_SHAPE(4, 1, 1), &t);
    ck_assert_ptr_nonnull(strstr(error, "its constant varies along dimension 0, the samples"));
    made_close(&t);
}
END_TEST

DT_TEST_MAIN("onnx_spread", places_of_windows_are_found, rows_keep_their_parameter,
             samples_are_alike)
