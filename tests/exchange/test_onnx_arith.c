/* Arithmetic on values. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_arith.h"

#include "autograd/op_powers.h"
#include "tests/exchange/onnx_make.h"

/* One node "n" between the picture and a mean. `c` is the number `value`, `row` [3,1,1], `pair`
 * [2]. */
static const char *read(const char *op, const char *a, const char *b, float value, made *t)
{
    dt_onnx *m = make_open();
    make_real(m, "c", value);
    make_reals(m, "row", DT_SHAPE(3, 1, 1));
    make_reals(m, "pair", DT_SHAPE(2));
    make_reals(m, "rows", DT_SHAPE(8, 1));
    make_node(m, op, "n", NULL, a, b, NULL, NULL);
    make_node(m, "GlobalAveragePool", "p", NULL, "n", NULL, NULL, NULL);
    make_node(m, "Flatten", "y", NULL, "p", NULL, NULL, NULL);
    return made_of(m, 3, t);
}

START_TEST(a_number_is_a_function)
{
    static const struct {
        const char *op;
        bool first;
        double factor, shift;
    } cases[] = {
        { "Add", false, 1, 4 }, { "Sub", false, 1, -4 },   { "Sub", true, -1, 4 },
        { "Mul", false, 4, 0 }, { "Div", false, 0.25, 0 }, { "Div", true, 4, 0 },
    };
    for (size_t i = 0; i < DT_ARRAY_LEN(cases); i++) {
        made t;
        const char *error =
            read(cases[i].op, cases[i].first ? "c" : "x", cases[i].first ? "x" : "c", 4, &t);
        ck_assert_msg(!*error, "%s", error);
        const dt_affine_conf *c = made_node(&t, "n")->conf;
        ck_assert_double_eq_tol(c->factor, cases[i].factor, 1e-9);
        ck_assert_double_eq_tol(c->shift, cases[i].shift, 1e-9);
        ck_assert_int_eq(made_count(&t, "power"), i == 5); /* 4 / x */
        made_close(&t);
    }
}
END_TEST

START_TEST(a_row_is_a_parameter)
{
    static const struct {
        const char *op, *node;
        bool first;
        float third;
    } cases[] = {
        { "Add", "shift", false, 0.03f },     { "Sub", "shift", false, -0.03f },
        { "Sub", "shift", true, 0.03f },      { "Mul", "scale", true, 0.03f },
        { "Div", "scale", false, 1 / 0.03f },
    };
    for (size_t i = 0; i < DT_ARRAY_LEN(cases); i++) {
        made t;
        const char *error =
            read(cases[i].op, cases[i].first ? "row" : "x", cases[i].first ? "x" : "row", 1, &t);
        ck_assert_msg(!*error, "%s", error);
        ck_assert_str_eq(made_node(&t, "n")->op->name, cases[i].node);
        ck_assert_int_eq(made_count(&t, "neg"), i == 2);
        const float *w = dt_onnx_net_values(t.net, i < 3 ? "n.bias" : "n.weight");
        ck_assert_ptr_nonnull(w);
        ck_assert_float_eq_tol(w[2], cases[i].third, 1e-4);
        made_close(&t);
    }
}
END_TEST

START_TEST(powers_are_whole)
{
    made t;
    ck_assert_str_eq(read("Pow", "x", "c", 3, &t), "");
    ck_assert_double_eq(((const dt_power_conf *)made_node(&t, "n")->conf)->exponent, 3);
    made_close(&t);
    ck_assert_str_eq(read("Pow", "x", "c", 0.5f, &t), "");
    ck_assert_str_eq(made_node(&t, "n")->op->name, "sqrt");
    made_close(&t);
}
END_TEST

/* A number for each row of the picture: a parameter of all that comes behind rows. */
START_TEST(constants_are_spread)
{
    made t;
    ck_assert_str_eq(read("Add", "x", "rows", 1, &t), "");
    const dt_value *v = &t.graph.value[made_node(&t, "n")->in[1]];
    const float *x = dt_onnx_net_values(t.net, v->name);
    ck_assert(dt_shape_equal(&v->shape, &DT_SHAPE(8, 8, 3)));
    for (int i = 0; i < 8 * 8 * 3; i++)
        ck_assert_float_eq_tol(x[i], 0.01f * (float)(i / 24 + 1), 1e-6f);
    made_close(&t);
}
END_TEST

START_TEST(what_is_not_read_is_named)
{
    static const struct {
        const char *op, *a, *b;
        float value;
        const char *words;
    } cases[] = {
        { "Div", "x", "c", 0, "its constant is 0" },
        { "Mul", "x", "c", INFINITY, "its constant is inf" },
        { "Add", "x", "pair", 1, "2 elements along dimension 3, its value 8" },
        { "Pow", "x", "c", 2.5f, "its exponent" },
        { "Pow", "x", "c", 300, "its exponent" },
        { "Pow", "x", "row", 1, "its exponent" },
        { "Mod", "x", "c", 2, "it is read of constants alone" },
    };
    for (size_t i = 0; i < DT_ARRAY_LEN(cases); i++) {
        made t;
        const char *error = read(cases[i].op, cases[i].a, cases[i].b, cases[i].value, &t);
        ck_assert_msg(strncmp(error, "net.onnx: n: ", 13) == 0, "%zu: %s", i, error);
        ck_assert_msg(strstr(error, cases[i].words) != NULL, "%zu: %s", i, error);
        made_close(&t);
    }
}
END_TEST

DT_TEST_MAIN("onnx_arith", a_number_is_a_function, a_row_is_a_parameter, powers_are_whole,
             constants_are_spread, what_is_not_read_is_named)
