/* Products of two values. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_attention.h"

#include "autograd/op_attention.h"
#include "autograd/op_slice.h"
#include "tests/exchange/onnx_make.h"

static const dt_onnx_attr along[] = { { .name = "axis", .i = 1 }, { .name = NULL } };
static const dt_onnx_attr first[] = { { .name = "axis", .i = 0 }, { .name = NULL } };

/* Tokens [N,65,12] of pixels and a class, and 0, 1, 2. */
static dt_onnx *tokens(void)
{
    static const int64_t flat[] = { 0, 3, -1 }, all[] = { 0, 1, 2 };
    const dt_onnx_attr last[] = { { .name = "perm", .count = 3, .ints = { 0, 2, 1 } },
                                  { .name = NULL } };
    const dt_shape scalar = { .rank = 0 };
    dt_onnx *m = make_open();
    make_reals(m, "w", DT_SHAPE(3, 12));
    make_wholes(m, "flat", 3, flat);
    for (int i = 0; i < 3; i++)
        dt_onnx_constant(m, dt_onnx_text(m, "%d", i), DT_ONNX_S64, &scalar, &all[i]);
    make_node(m, "Reshape", "r", NULL, "x", "flat", NULL, NULL);
    make_node(m, "Transpose", "t", last, "r", NULL, NULL, NULL);
    make_reals(m, "class", DT_SHAPE(1, 1, 3));
    make_reals(m, "positions", DT_SHAPE(1, 65, 3));
    make_node(m, "Concat", "all", along, "class", "t", NULL, NULL);
    make_node(m, "Add", "placed", NULL, "all", "positions", NULL, NULL);
    make_node(m, "MatMul", "qkv", NULL, "placed", "w", NULL, NULL);
    return m;
}

/* Channels as [a,b,c], of which dimension `which` of the five is queries, keys and values. */
static void heads_in(dt_onnx *m, int64_t a, int64_t b, int64_t c, int which)
{
    const int64_t split[] = { 0, 65, a, b, c };
    const dt_onnx_attr turn[] = {
        { .name = "perm", .count = 5, .ints = { which, 0, 5 - which, 1, 4 } }, { .name = NULL }
    };
    const dt_onnx_attr keys[] = { { .name = "perm", .count = 4, .ints = { 0, 1, 3, 2 } },
                                  { .name = NULL } };
    make_wholes(m, "split", 5, split);
    make_node(m, "Reshape", "s", NULL, "qkv", "split", NULL, NULL);
    make_node(m, "Transpose", "h", turn, "s", NULL, NULL, NULL);
    make_node(m, "Gather", "q", first, "h", "0", NULL, NULL);
    make_node(m, "Gather", "k", first, "h", "1", NULL, NULL);
    make_node(m, "Transpose", "kt", keys, "k", NULL, NULL, NULL);
    make_node(m, "MatMul", "scores", NULL, "q", "kt", NULL, NULL);
}

static void heads(dt_onnx *m, int64_t a, int64_t b, int64_t c)
{
    heads_in(m, a, b, c, 2);
}

static void mean(dt_onnx *m, const char *x)
{
    make_wholes(m, "one", 1, (const int64_t[]){ 1 });
    make_wholes(m, "zero", 1, (const int64_t[]){ 0 });
    make_node(m, "Slice", "some", NULL, x, "zero", "one", "one");
    make_node(m, "Flatten", "y", NULL, "some", NULL, NULL, NULL);
}

START_TEST(heads_are_parts_of_channels)
{
    static const int64_t rows[] = { 0, 65, 4 };
    const dt_onnx_attr back[] = { { .name = "perm", .count = 4, .ints = { 0, 2, 1, 3 } },
                                  { .name = NULL } };
    made t;
    dt_onnx *m = tokens();
    heads(m, 3, 2, 2);
    make_real(m, "half", 0.5f);
    make_wholes(m, "rows", 3, rows);
    make_node(m, "Mul", "scaled", NULL, "scores", "half", NULL, NULL);
    make_node(m, "Softmax", "probs", NULL, "scaled", NULL, NULL, NULL);
    make_node(m, "Gather", "v", first, "h", "2", NULL, NULL);
    make_node(m, "MatMul", "mixed", NULL, "probs", "v", NULL, NULL);
    make_node(m, "Transpose", "b", back, "mixed", NULL, NULL, NULL);
    make_node(m, "Reshape", "z", NULL, "b", "rows", NULL, NULL);
    mean(m, "z");
    const char *error = made_of(m, 4, &t);
    ck_assert_msg(!*error, "%s", error);
    const dt_attention_heads *c = made_node(&t, "scores")->conf;
    ck_assert_int_eq(c->heads, 2);
    ck_assert_double_eq(c->scale, 0.5);
    const dt_slice_conf *k = made_node(&t, "scores.k")->conf, *v = made_node(&t, "mixed.v")->conf;
    ck_assert_int_eq(k->part, 1);
    ck_assert_int_eq(v->part, 2);
    ck_assert_int_eq(v->parts, 3);
    ck_assert_int_eq(made_count(&t, "arrange"), 2); /* pixels to tokens, the token in the end */
    made_close(&t);
}
END_TEST

/* q, k and v inside of heads: their elements are moved. */
START_TEST(other_orders_are_moved)
{
    made t;
    dt_onnx *m = tokens();
    heads_in(m, 2, 3, 2, 3);
    mean(m, "scores");
    const char *error = made_of(m, 8450, &t);
    ck_assert_msg(!*error, "%s", error);
    ck_assert_int_eq(((const dt_attention_heads *)made_node(&t, "scores")->conf)->heads, 2);
    ck_assert_int_eq(made_count(&t, "slice"), 0);
    made_close(&t);
}
END_TEST

START_TEST(what_does_not_fit_is_named)
{
    made t;
    dt_onnx *m = tokens();
    heads(m, 2, 2, 3);
    make_node(m, "MatMul", "bad", NULL, "q", "k", NULL, NULL); /* not turned: 65 rows, 3 columns */
    mean(m, "bad");
    const char *error = made_of(m, 4, &t);
    ck_assert_msg(strstr(error, "bad: MatMul: 2 heads of 3 columns times 2 of 65 rows") != NULL,
                  "%s", error);
    made_close(&t);
}
END_TEST

/* In front of the tokens, and added to what came of them, as in CaiT. */
START_TEST(a_token_that_two_nodes_read_is_one_parameter)
{
    for (int before = 0; before < 2; before++) {
        made t;
        dt_onnx *m = make_open();
        make_wholes(m, "flat", 3, (const int64_t[]){ 0, 64, 3 });
        make_wholes(m, "one", 1, (const int64_t[]){ 1 });
        make_wholes(m, "zero", 1, (const int64_t[]){ 0 });
        make_reals(m, "class", DT_SHAPE(1, 1, 3));
        make_node(m, "Reshape", "t", NULL, "x", "flat", NULL, NULL);
        if (before) make_node(m, "Add", "u", NULL, "t", "class", NULL, NULL);
        make_node(m, "Concat", "all", along, "class", before ? "u" : "t", NULL, NULL);
        make_node(m, "Slice", "some", NULL, "all", "zero", "one", "one");
        if (!before) make_node(m, "Add", "u", NULL, "some", "class", NULL, NULL);
        make_node(m, "Flatten", "y", NULL, before ? "some" : "u", NULL, NULL, NULL);
        const char *error = made_of(m, 3, &t);
        ck_assert_msg(!*error, "%s", error);
        const dt_node *token = made_node(&t, "all.pos_embed"), *sum = made_node(&t, "u");
        ck_assert_str_eq(sum->op->name, "shift");
        ck_assert_int_eq(token->in[0], sum->in[1]);
        made_close(&t);
    }
}
END_TEST

DT_TEST_MAIN("onnx_attention", heads_are_parts_of_channels, other_orders_are_moved,
             what_does_not_fit_is_named, a_token_that_two_nodes_read_is_one_parameter)
