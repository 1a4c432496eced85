/* Nodes that are one operator. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_patterns.h"

#include "autograd/op_gelu.h"
#include "autograd/op_groupnorm.h"
#include "autograd/op_layernorm.h"
#include "tests/exchange/onnx_make.h"

static void end(dt_onnx *m, const char *x)
{
    make_node(m, "GlobalAveragePool", "p", NULL, x, NULL, NULL, NULL);
    make_node(m, "Flatten", "y", NULL, "p", NULL, NULL, NULL);
}

static void numbers(dt_onnx *m)
{
    make_real(m, "one", 1);
    make_real(m, "half", 0.5f);
    make_real(m, "two", 2);
    make_real(m, "three", 3);
    make_real(m, "root", 1.41421356f);
    make_real(m, "bend", 0.044715f);
    make_real(m, "factor", 0.79788456f);
    make_real(m, "eps", 1e-6f);
}

START_TEST(gelu_by_erf)
{
    made t;
    dt_onnx *m = make_open();
    numbers(m);
    make_node(m, "Div", "a", NULL, "x", "root", NULL, NULL);
    make_node(m, "Erf", "b", NULL, "a", NULL, NULL, NULL);
    make_node(m, "Add", "c", NULL, "one", "b", NULL, NULL);
    make_node(m, "Mul", "d", NULL, "half", "x", NULL, NULL);
    make_node(m, "Mul", "g", NULL, "c", "d", NULL, NULL);
    end(m, "g");
    const char *error = made_of(m, 3, &t);
    ck_assert_msg(!*error, "%s", error);
    ck_assert_int_eq(t.graph.node_count, 2);
    ck_assert(!((const dt_gelu_conf *)made_node(&t, "g")->conf)->by_tanh);
    made_close(&t);
}
END_TEST

START_TEST(gelu_by_tanh)
{
    made t;
    dt_onnx *m = make_open();
    numbers(m);
    make_node(m, "Pow", "a", NULL, "x", "three", NULL, NULL);
    make_node(m, "Mul", "b", NULL, "a", "bend", NULL, NULL);
    make_node(m, "Add", "c", NULL, "x", "b", NULL, NULL);
    make_node(m, "Mul", "d", NULL, "factor", "c", NULL, NULL);
    make_node(m, "Tanh", "e", NULL, "d", NULL, NULL, NULL);
    make_node(m, "Add", "f", NULL, "e", "one", NULL, NULL);
    make_node(m, "Mul", "h", NULL, "x", "f", NULL, NULL);
    make_node(m, "Mul", "g", NULL, "h", "half", NULL, NULL);
    end(m, "g");
    const char *error = made_of(m, 3, &t);
    ck_assert_msg(!*error, "%s", error);
    ck_assert_int_eq(t.graph.node_count, 2);
    ck_assert(((const dt_gelu_conf *)made_node(&t, "g")->conf)->by_tanh);
    made_close(&t);
}
END_TEST

/* What another node reads, too, is no part of it. */
START_TEST(what_others_read_stays)
{
    made t;
    dt_onnx *m = make_open();
    numbers(m);
    make_node(m, "Div", "a", NULL, "x", "root", NULL, NULL);
    make_node(m, "Erf", "b", NULL, "a", NULL, NULL, NULL);
    make_node(m, "Add", "c", NULL, "one", "b", NULL, NULL);
    make_node(m, "Mul", "d", NULL, "half", "x", NULL, NULL);
    make_node(m, "Mul", "g", NULL, "c", "d", NULL, NULL);
    make_node(m, "Add", "h", NULL, "g", "a", NULL, NULL);
    end(m, "h");
    const char *error = made_of(m, 3, &t);
    ck_assert_msg(strstr(error, "Erf: there is no form") != NULL, "%s", error);
    made_close(&t);
}
END_TEST

/* Over channels, as [N,C,H,W] has them, without a bias. */
START_TEST(layer_norm_over_one_axis)
{
    const dt_onnx_attr channels[] = { { .name = "axes", .count = 1, .ints = { 1 } },
                                      { .name = NULL } };
    made t;
    dt_onnx *m = make_open();
    numbers(m);
    make_reals(m, "gamma", DT_SHAPE(3, 1, 1));
    make_node(m, "ReduceMean", "a", channels, "x", NULL, NULL, NULL);
    make_node(m, "Sub", "b", NULL, "x", "a", NULL, NULL);
    make_node(m, "Mul", "c", NULL, "b", "b", NULL, NULL);
    make_node(m, "ReduceMean", "d", channels, "c", NULL, NULL, NULL);
    make_node(m, "Add", "e", NULL, "d", "eps", NULL, NULL);
    make_node(m, "Sqrt", "f", NULL, "e", NULL, NULL, NULL);
    make_node(m, "Div", "g", NULL, "b", "f", NULL, NULL);
    make_node(m, "Mul", "h", NULL, "gamma", "g", NULL, NULL);
    end(m, "h");
    const char *error = made_of(m, 3, &t);
    ck_assert_msg(!*error, "%s", error);
    ck_assert_int_eq(t.graph.node_count, 2);
    const dt_node *n = made_node(&t, "h");
    ck_assert_double_eq_tol(((const dt_layernorm_conf *)n->conf)->eps, 1e-6, 1e-12);
    ck_assert_float_eq_tol(dt_onnx_net_values(t.net, "h.weight")[2], 0.03f, 1e-6);
    ck_assert_float_eq(dt_onnx_net_values(t.net, "h.bias")[2], 0);
    made_close(&t);
}
END_TEST

START_TEST(group_norm_of_instances)
{
    static const int64_t groups[] = { 0, 3, -1 }, back[] = { 0, 6, 8, 8 };
    const float fill[] = { 1, 1, 1, 0, 0, 0 };
    made t;
    dt_onnx *m = make_open();
    make_reals(m, "w", DT_SHAPE(6, 3, 1, 1));
    make_reals(m, "gamma", DT_SHAPE(6, 1, 1));
    make_reals(m, "beta", DT_SHAPE(6, 1, 1));
    make_wholes(m, "groups", 3, groups);
    make_wholes(m, "back", 4, back);
    dt_onnx_constant(m, "one", DT_ONNX_FLOAT, &DT_SHAPE(3), fill);
    dt_onnx_constant(m, "zero", DT_ONNX_FLOAT, &DT_SHAPE(3), fill + 3);
    make_node(m, "Conv", "c", NULL, "x", "w", NULL, NULL);
    make_node(m, "Reshape", "a", NULL, "c", "groups", NULL, NULL);
    make_node(m, "InstanceNormalization", "b", NULL, "a", "one", "zero", NULL);
    make_node(m, "Reshape", "d", NULL, "b", "back", NULL, NULL);
    make_node(m, "Mul", "e", NULL, "d", "gamma", NULL, NULL);
    make_node(m, "Add", "f", NULL, "e", "beta", NULL, NULL);
    end(m, "f");
    const char *error = made_of(m, 6, &t);
    ck_assert_msg(!*error, "%s", error);
    ck_assert_int_eq(t.graph.node_count, 3);
    ck_assert_int_eq(((const dt_groupnorm_conf *)made_node(&t, "f")->conf)->groups, 3);
    ck_assert_float_eq_tol(dt_onnx_net_values(t.net, "f.bias")[5], 0.06f, 1e-6);
    made_close(&t);
}
END_TEST

DT_TEST_MAIN("onnx_patterns", gelu_by_erf, gelu_by_tanh, what_others_read_stays,
             layer_norm_over_one_axis, group_norm_of_instances)
