/* Operators that are others: Einsum, sums of dimensions, limits, softmax over channels; and
 * transposed convolutions, which are convolutions of something wider. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_steps.h"

#include "autograd/op_remap.h"
#include "tests/exchange/onnx_make.h"

/* x [N,3,8,8] as rows [N,3,64]. */
static dt_onnx *open_rows(void)
{
    static const int64_t rows[] = { 0, 3, 64 };
    dt_onnx *m = make_open();
    make_wholes(m, "rows", 3, rows);
    make_node(m, "Reshape", "r", NULL, "x", "rows", NULL, NULL);
    return m;
}

static void close_rows(dt_onnx *m, int64_t count)
{
    make_node(m, "Flatten", "f", NULL, "e", NULL, NULL, NULL);
    make_reals(m, "w", DT_SHAPE(count, 4));
    make_node(m, "MatMul", "y", NULL, "f", "w", NULL, NULL);
}

START_TEST(einsum_is_a_product)
{
    static const char *const equations[] = { "bck,bdk->bcd", "b c k, b d k -> b d c" };
    for (int i = 0; i < 2; i++) {
        const dt_onnx_attr attr[] = { { .name = "equation", .text = equations[i] },
                                      { .name = NULL } };
        made t;
        dt_onnx *m = open_rows();
        make_node(m, "Einsum", "e", attr, "r", "r", NULL, NULL);
        close_rows(m, 9);
        const char *error = made_of(m, 4, &t);
        ck_assert_msg(!*error, "%s", error);
        ck_assert_int_eq(made_count(&t, "attention_scores"), 1);
        made_close(&t);
    }
}
END_TEST

static const struct {
    const char *equation, *words;
} refusals[] = {
    { "bck,bdk", "is not read; two operands" },
    { "bck,bdk->bcdz", "is not read; two operands" },
    { "bcc,bdk->bcd", "is not read; two operands" },
    { "...k,...k->...", "is not read; two operands" },
    { "bckq,bdk->bcd", "is not read; two operands" },
    { "bckd,bdk->bcd", "does not fit operand 0" },
    { "bck,bkd->bcd", "does not fit operand" },
    { "abcdefghi,a->abcdefghi", "is not read; two operands" },
};

START_TEST(other_equations_are_refused)
{
    const dt_onnx_attr attr[] = { { .name = "equation", .text = refusals[_i].equation },
                                  { .name = NULL } };
    made t;
    dt_onnx *m = open_rows();
    make_node(m, "Einsum", "e", attr, "r", "r", NULL, NULL);
    close_rows(m, 9);
    const char *error = made_of(m, 4, &t);
    ck_assert_msg(strstr(error, refusals[_i].words) != NULL, "%s", error);
    made_close(&t);
}
END_TEST

/* The last node has the layer's name, those before it names of their own. */
START_TEST(a_length_is_a_root_of_a_sum)
{
    const dt_onnx_attr attr[] = { { .name = "axes", .count = 1, .ints = { 2 } }, { .name = NULL } };
    made t;
    dt_onnx *m = open_rows();
    make_node(m, "ReduceL2", "e", attr, "r", NULL, NULL, NULL);
    close_rows(m, 3);
    const char *error = made_of(m, 4, &t);
    ck_assert_msg(!*error, "%s", error);
    ck_assert_int_eq(made_count(&t, "gap"), 1);
    ck_assert_str_eq(made_node(&t, "e")->op->name, "sqrt");
    ck_assert_ptr_nonnull(made_node(&t, "e.pow"));
    made_close(&t);
}
END_TEST

/* Shares of one element each are 1, though the engine has [N,3,1,1] as rows of 3. */
START_TEST(one_element_is_a_row)
{
    made t;
    dt_onnx *m = make_open();
    make_node(m, "GlobalAveragePool", "p", NULL, "x", NULL, NULL, NULL);
    make_node(m, "Softmax", "s", NULL, "p", NULL, NULL, NULL);
    make_node(m, "Flatten", "y", NULL, "s", NULL, NULL, NULL);
    const char *error = made_of(m, 3, &t);
    ck_assert_msg(!*error, "%s", error);
    const dt_shape *s = &t.graph.value[made_node(&t, "s")->out[0]].shape;
    ck_assert_int_eq(s->dim[s->rank - 1], 1);
    made_close(&t);
}
END_TEST

START_TEST(limits_are_read_on_either_side)
{
    made t;
    dt_onnx *m = open_rows();
    make_real(m, "half", 0.5f);
    make_node(m, "Max", "a", NULL, "half", "r", NULL, NULL);
    make_node(m, "Min", "e", NULL, "a", "half", NULL, NULL);
    close_rows(m, 192);
    const char *error = made_of(m, 4, &t);
    ck_assert_msg(!*error, "%s", error);
    ck_assert_int_eq(made_count(&t, "clip"), 2);
    made_close(&t);
}
END_TEST

/* Every second pixel of 17 is one of the 8, and the kernel is turned round: [I,O,KH,KW] counts up,
 * so the engine's [O,KH,KW,I] begins with the last tap of output 0. */
START_TEST(zeros_lie_between)
{
    const dt_onnx_attr attr[] = { { .name = "strides", .count = 2, .ints = { 2, 2 } },
                                  { .name = NULL } };
    made t;
    dt_onnx *m = make_open();
    make_reals(m, "w", DT_SHAPE(3, 4, 3, 3));
    make_node(m, "ConvTranspose", "c", attr, "x", "w", NULL, NULL);
    make_node(m, "GlobalAveragePool", "p", NULL, "c", NULL, NULL, NULL);
    make_node(m, "Flatten", "y", NULL, "p", NULL, NULL, NULL);
    const char *error = made_of(m, 4, &t);
    ck_assert_msg(!*error, "%s", error);
    const dt_node *conv = made_node(&t, "c");
    const dt_remap_conf *c = made_node(&t, "c.spread")->conf;
    ck_assert(dt_shape_equal(&t.graph.value[conv->out[0]].shape, &DT_SHAPE(1, 17, 17, 4)));
    for (int i = 0; i < 19; i++) {
        int want = i < 2 || i > 16 || i % 2 ? -1 : (i - 2) / 2;
        ck_assert_int_eq(dt_remap_index(&c->axis[1], 8, i), want);
    }
    const float *w = dt_onnx_net_values(t.net, t.graph.value[conv->in[1]].name);
    ck_assert_float_eq_tol(w[0], 0.09f, 1e-6f);         /* o 0, i 0, tap 8 */
    ck_assert_float_eq_tol(w[1], 0.09f + 0.36f, 1e-6f); /* i 1 */
    ck_assert_float_eq_tol(w[3], 0.08f, 1e-6f);         /* tap 7 */
    ck_assert_float_eq_tol(w[3 * 9], 0.18f, 1e-6f);     /* o 1 */
    made_close(&t);
}
END_TEST

int main(int argc, char **argv)
{
    int status = test_start(argc, argv);
    if (status) return status;
    Suite *suite = suite_create("onnx_steps");
    TCase *all = tcase_create("all");
    tcase_add_test(all, einsum_is_a_product);
    tcase_add_loop_test(all, other_equations_are_refused, 0, (int)DT_ARRAY_LEN(refusals));
    tcase_add_test(all, a_length_is_a_root_of_a_sum);
    tcase_add_test(all, one_element_is_a_row);
    tcase_add_test(all, limits_are_read_on_either_side);
    tcase_add_test(all, zeros_lie_between);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
