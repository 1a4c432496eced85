/* Orders of elements: what Reshape, Transpose, Slice and Split of values become. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_order.h"

#include "autograd/op_arrange.h"
#include "tests/exchange/onnx_make.h"

/* [N,T,C] as it is. */
static dt_ox_order tokens(int64_t T, int64_t C)
{
    return (dt_ox_order){ .parts = 3, .part = { { 0, 0, 1, 1 }, { 1, 1, T, 1 }, { 2, 2, C, 1 } } };
}

static void expect(const dt_ox_order *o, int k, int axis, int dim, int64_t count, int64_t step)
{
    ck_assert_int_eq(o->part[k].axis, axis);
    ck_assert_int_eq(o->part[k].dim, dim);
    ck_assert_int_eq(o->part[k].count, count);
    ck_assert_int_eq(o->part[k].step, step);
}

START_TEST(axes_are_split_and_joined)
{
    static const int64_t heads[] = { 1, 5, 3, 2, 4 }, whole[] = { 1, 5, 24 }, rows[] = { 5, 24 };
    static const int64_t across[] = { 1, 4, 30 };
    dt_ox_order o = tokens(5, 24);
    ck_assert(dt_ox_order_reshape(&o, 5, heads));
    ck_assert_int_eq(o.parts, 5);
    expect(&o, 2, 2, 2, 3, 8);
    expect(&o, 3, 2, 3, 2, 4);
    expect(&o, 4, 2, 4, 4, 1);
    ck_assert(dt_ox_order_reshape(&o, 3, whole));
    ck_assert_int_eq(o.parts, 3);
    expect(&o, 2, 2, 2, 24, 1);
    ck_assert(dt_ox_order_reshape(&o, 2, rows)); /* N T rows: the batch is part of them */
    expect(&o, 0, 0, 0, 1, 1);
    expect(&o, 1, 1, 0, 5, 1);
    o = tokens(5, 24);
    ck_assert(!dt_ox_order_reshape(&o, 3, across)); /* 5 x 24 as 4 x 30 */
}
END_TEST

START_TEST(windows_are_parts_of_axes)
{
    static const int64_t heads[] = { 1, 5, 3, 8 };
    dt_ox_order o = tokens(5, 24);
    ck_assert(dt_ox_order_cut(&o, 1, 1, 2, 2));
    expect(&o, 1, 1, 1, 2, 2);
    ck_assert_int_eq(o.first[1], 1);
    ck_assert(dt_ox_order_reshape(&o, 4, (const int64_t[]){ 1, 2, 3, 8 }));
    ck_assert(dt_ox_order_cut(&o, 2, 2, 1, 1)); /* one of three: no part of it is left */
    ck_assert_int_eq(o.first[2], 16);
    ck_assert_int_eq(o.parts, 3);
    o = tokens(5, 24);
    ck_assert(dt_ox_order_reshape(&o, 4, heads));
    ck_assert(!dt_ox_order_cut(&o, 3, 0, 4, 1)); /* of every head: no part of an axis */
}
END_TEST

/* Reshape, Transpose, Reshape and a Slice are one node, named after the last. */
START_TEST(a_chain_is_one_node)
{
    static const int64_t split[] = { 0, 2, 2, 4, 4 }, join[] = { 0, 4, 4, 4 }, one[] = { 1 },
                         three[] = { 3 };
    const dt_onnx_attr turn[] = { { .name = "perm", .count = 5, .ints = { 0, 2, 1, 3, 4 } },
                                  { .name = NULL } };
    const dt_onnx_attr strides[] = { { .name = "strides", .count = 2, .ints = { 2, 2 } },
                                     { .name = NULL } };
    made t;
    dt_onnx *m = make_open();
    make_reals(m, "w", DT_SHAPE(4, 3, 1, 1));
    make_wholes(m, "split", 5, split);
    make_wholes(m, "join", 4, join);
    make_wholes(m, "one", 1, one);
    make_wholes(m, "three", 1, three);
    make_node(m, "Conv", "c", strides, "x", "w", NULL, NULL);
    make_node(m, "Reshape", "a", NULL, "c", "split", NULL, NULL);
    make_node(m, "Transpose", "b", turn, "a", NULL, NULL, NULL);
    make_node(m, "Reshape", "d", NULL, "b", "join", NULL, NULL);
    make_node(m, "Slice", "e", NULL, "d", "one", "three", "one");
    make_node(m, "GlobalAveragePool", "p", NULL, "e", NULL, NULL, NULL);
    make_node(m, "Flatten", "y", NULL, "p", NULL, NULL, NULL);
    const char *error = made_of(m, 2, &t);
    ck_assert_msg(!*error, "%s", error);
    ck_assert_int_eq(t.graph.node_count, 4); /* conv, two moves, mean */
    ck_assert_int_eq(made_count(&t, "arrange"), 2);
    const dt_arrange_conf *c = made_node(&t, "e")->conf;
    ck_assert_int_eq(c->first[3], 1);
    ck_assert(
        dt_shape_equal(&t.graph.value[made_node(&t, "e")->out[0]].shape, &DT_SHAPE(1, 4, 4, 2)));
    made_close(&t);
}
END_TEST

/* Elements of no axis are put along one first. */
START_TEST(what_is_no_part_is_moved)
{
    static const int64_t odd[] = { 0, 6, 32 };
    made t;
    dt_onnx *m = make_open();
    make_wholes(m, "odd", 3, odd);
    make_node(m, "Reshape", "a", NULL, "x", "odd", NULL, NULL);
    make_node(m, "Flatten", "f", NULL, "a", NULL, NULL, NULL);
    make_reals(m, "w", DT_SHAPE(192, 4));
    make_node(m, "MatMul", "y", NULL, "f", "w", NULL, NULL);
    const char *error = made_of(m, 4, &t);
    ck_assert_msg(!*error, "%s", error);
    ck_assert_int_eq(made_count(&t, "linear"), 1);
    made_close(&t);
}
END_TEST

DT_TEST_MAIN("onnx_order", axes_are_split_and_joined, windows_are_parts_of_axes,
             a_chain_is_one_node, what_is_no_part_is_moved)
