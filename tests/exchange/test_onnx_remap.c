/* Elements by an index for each dimension: rules that indices follow, and the nodes that read them.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_remap.h"
#include "tests/exchange/onnx_make.h"

/* The rule that was found gives every index; false: none was. */
static bool fits(int64_t size, int count, const int64_t *index)
{
    dt_remap_axis a;
    if (!dt_remap_fit(index, count, size, &a)) return false;
    ck_assert_int_eq(a.count, count);
    for (int i = 0; i < count; i++)
        ck_assert_int_eq(dt_remap_index(&a, size, i), index[i]);
    return true;
}
#define FITS(size, ...)                                                                            \
    fits(size, (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)),                        \
         (const int64_t[]){ __VA_ARGS__ })

START_TEST(rules_are_found)
{
    ck_assert(FITS(4, 2));
    ck_assert(FITS(4, 3, 2, 1, 0));
    ck_assert(FITS(9, 1, 4, 7));
    ck_assert(FITS(3, -1, -1, 0, 1, 2, -1));
    ck_assert(FITS(3, -1, 2, 1, 0, -1));
    ck_assert(FITS(4, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1));
    ck_assert(FITS(4, 0, 0, 0, 1, 2, 3, 3));
    ck_assert(FITS(5, 3, 4, 0, 1, 2));
    ck_assert(FITS(3, 0, 0, 1, 1, 2, 2));
    ck_assert(FITS(3, 0, 0, 1, 2, 2));
    ck_assert(FITS(7, 0, 2, 4));
    ck_assert(FITS(7, 1, 3, 5));
    ck_assert(FITS(1, 0, 0, 0));
    ck_assert(FITS(5, 3, 3, 3, 3));
}
END_TEST

START_TEST(other_indices_have_none)
{
    ck_assert(!FITS(4, 0, 2, 1, 3));
    ck_assert(!FITS(4, 0, -1, 1, 2));
    ck_assert(!FITS(4, 0, 1, 4));
    ck_assert(!FITS(4, 0, 1, -2));
    ck_assert(!FITS(4, -1, -1));
}
END_TEST

/* A convolution takes zeros in, another reader gets them, once, though two of them ask. */
START_TEST(zeros_wait_for_a_window)
{
    static const int64_t pads[] = { 0, 0, 1, 1, 0, 0, 1, 1 };
    made t;
    dt_onnx *m = make_open();
    make_reals(m, "w", DT_SHAPE(3, 3, 3, 3));
    make_wholes(m, "pads", 8, pads);
    make_node(m, "Pad", "p", NULL, "x", "pads", NULL, NULL);
    make_node(m, "Conv", "c", NULL, "p", "w", NULL, NULL);
    make_node(m, "Sigmoid", "s", NULL, "p", NULL, NULL, NULL);
    make_node(m, "Tanh", "t", NULL, "p", NULL, NULL, NULL);
    make_node(m, "Add", "a", NULL, "s", "t", NULL, NULL);
    make_node(m, "GlobalAveragePool", "g", NULL, "a", NULL, NULL, NULL);
    make_node(m, "GlobalAveragePool", "h", NULL, "c", NULL, NULL, NULL);
    make_node(m, "Add", "b", NULL, "g", "h", NULL, NULL);
    make_node(m, "Flatten", "y", NULL, "b", NULL, NULL, NULL);
    const char *error = made_of(m, 3, &t);
    ck_assert_msg(!*error, "%s", error);
    ck_assert_int_eq(made_count(&t, "remap"), 1);
    const dt_node *n = made_node(&t, "p");
    ck_assert(dt_shape_equal(&t.graph.value[n->out[0]].shape, &DT_SHAPE(1, 10, 10, 3)));
    made_close(&t);
}
END_TEST

/* A roll is one node, though the file has it as two windows beside each other. */
START_TEST(a_roll_is_one_node)
{
    static const int64_t zero[] = { 0 }, three[] = { 3 }, end[] = { 8 }, axis[] = { 3 };
    const dt_onnx_attr along[] = { { .name = "axis", .i = 3 }, { .name = NULL } };
    made t;
    dt_onnx *m = make_open();
    make_wholes(m, "zero", 1, zero);
    make_wholes(m, "three", 1, three);
    make_wholes(m, "end", 1, end);
    make_wholes(m, "axis", 1, axis);
    make_node(m, "Slice", "a", NULL, "x", "three", "end", "axis");
    make_node(m, "Slice", "b", NULL, "x", "zero", "three", "axis");
    make_node(m, "Concat", "c", along, "a", "b", NULL, NULL);
    make_node(m, "GlobalAveragePool", "g", NULL, "c", NULL, NULL, NULL);
    make_node(m, "Flatten", "y", NULL, "g", NULL, NULL, NULL);
    const char *error = made_of(m, 3, &t);
    ck_assert_msg(!*error, "%s", error);
    ck_assert_int_eq(t.graph.node_count, 2);
    const dt_remap_conf *c = made_node(&t, "c")->conf;
    ck_assert_int_eq(c->axis[2].border, DT_REMAP_WRAP);
    ck_assert_int_eq(c->axis[2].add, 3);
    made_close(&t);
}
END_TEST

/* One number for each channel beside a picture, as [N,C,1,1]. */
START_TEST(one_element_is_repeated)
{
    made t;
    dt_onnx *m = make_open();
    make_node(m, "GlobalAveragePool", "g", NULL, "x", NULL, NULL, NULL);
    make_node(m, "Add", "a", NULL, "g", "x", NULL, NULL);
    make_node(m, "GlobalMaxPool", "h", NULL, "a", NULL, NULL, NULL);
    make_node(m, "Flatten", "y", NULL, "h", NULL, NULL, NULL);
    const char *error = made_of(m, 3, &t);
    ck_assert_msg(!*error, "%s", error);
    ck_assert_int_eq(made_count(&t, "remap"), 1);
    made_close(&t);
}
END_TEST

START_TEST(what_follows_no_rule_is_refused)
{
    static const int64_t odd[] = { 0, 2, 1 };
    const dt_onnx_attr along[] = { { .name = "axis", .i = 2 }, { .name = NULL } };
    made t;
    dt_onnx *m = make_open();
    make_wholes(m, "odd", 3, odd);
    make_node(m, "Gather", "c", along, "x", "odd", NULL, NULL);
    make_node(m, "GlobalAveragePool", "g", NULL, "c", NULL, NULL, NULL);
    make_node(m, "Flatten", "y", NULL, "g", NULL, NULL, NULL);
    const char *error = made_of(m, 3, &t);
    ck_assert_ptr_nonnull(strstr(error, "Gather: its indices of dimension 2 are no rule"));
    made_close(&t);
}
END_TEST

DT_TEST_MAIN("onnx_remap", rules_are_found, other_indices_have_none, zeros_wait_for_a_window,
             a_roll_is_one_node, one_element_is_repeated, what_follows_no_rule_is_refused)
