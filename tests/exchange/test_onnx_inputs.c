/* ONNX files of several inputs: they are found by the names of the graph's ports. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_inputs.h"

#include <stdio.h>

#include "tests/exchange/onnx_make.h"

/* x [N,3,8,8] -> conv -> mean -> flat; with v [N,6] -> gemm; both -> gemm -> y [N,4]. */
static unsigned char *two_inputs(size_t *size)
{
    const dt_shape rows = DT_SHAPE(1, 6);
    const dt_onnx_attr trans[] = { { .name = "transB", .i = 1 }, { .name = NULL } };
    const dt_onnx_attr axis[] = { { .name = "axis", .i = 1 }, { .name = NULL } };
    dt_onnx *m = make_open();
    dt_onnx_input(m, "v", &rows);
    make_reals(m, "conv.weight", DT_SHAPE(5, 3, 3, 3));
    make_reals(m, "told.weight", DT_SHAPE(2, 6));
    make_reals(m, "fc.weight", DT_SHAPE(4, 7));
    make_node(m, "Conv", "/conv/Conv", NULL, "x", "conv.weight", NULL, NULL);
    make_node(m, "GlobalAveragePool", "/pool", NULL, "/conv/Conv", NULL, NULL, NULL);
    make_node(m, "Flatten", "/flat", NULL, "/pool", NULL, NULL, NULL);
    make_node(m, "Gemm", "/told/Gemm", trans, "v", "told.weight", NULL, NULL);
    make_node(m, "Concat", "/both", axis, "/flat", "/told/Gemm", NULL, NULL);
    make_node(m, "Gemm", "y", trans, "/both", "fc.weight", NULL, NULL);
    return make_close(m, 4, size);
}

typedef struct named {
    const char *name;
    dt_shape shape;
} named;

/* The file behind these inputs, with so many classes. */
static dt_status read_behind(made *t, const named *in, int count, int classes, dt_error *err)
{
    size_t size;
    unsigned char *bytes = two_inputs(&size);
    *t = (made){ .y = -1 };
    ck_assert_int_eq(dt_onnx_net_open_bytes("net.onnx", bytes, size, NULL, &t->net, err), DT_OK);
    ck_assert_int_eq(dt_graph_init(&t->graph, NULL, NULL), DT_OK);
    for (int i = 0; i < count; i++) {
        const dt_value v = {
            .name = in[i].name, .kind = DT_VALUE_INPUT, .batched = true, .shape = in[i].shape
        };
        int value;
        ck_assert_int_eq(dt_graph_value(&t->graph, &v, &value, NULL), DT_OK);
        ck_assert_int_eq(dt_graph_port(&t->graph, DT_PORT_INPUT, v.name, value, NULL), DT_OK);
        if (i == 0) t->x = value;
    }
    dt_builder b = { .graph = &t->graph, .err = err };
    dt_status st = dt_onnx_net_build(t->net, &b, t->x, classes, false, &t->y, err);
    dt_put(NULL, bytes);
    return st;
}

static void end(made *t)
{
    dt_graph_fini(&t->graph);
    dt_onnx_net_close(t->net);
}

START_TEST(they_are_found_by_name)
{
    /* the data may have them in another order */
    const named in[] = { { "v", DT_SHAPE(1, 6) }, { "x", DT_SHAPE(1, 8, 8, 3) } };
    made t;
    int64_t H, W;
    dt_shape shape;
    dt_error err = { .text = "" };
    for (int classes = 4; classes <= 7; classes += 3) { /* 7: the last layer is looked for first */
        ck_assert_msg(read_behind(&t, in, 2, classes, &err) == DT_OK, "%s", err.text);
        ck_assert_int_eq(t.graph.value[t.y].shape.dim[1], classes);
        const dt_node *conv = made_node(&t, "conv"), *told = made_node(&t, "told");
        ck_assert_str_eq(t.graph.value[conv->in[0]].name, "x");
        ck_assert_str_eq(t.graph.value[told->in[0]].name, "v");
        dt_onnx_net_size(t.net, &H, &W);
        dt_onnx_net_input(t.net, &shape);
        ck_assert(H == 0 && W == 0 && shape.rank == 0); /* of several nothing is told */
        end(&t);
    }
}
END_TEST

START_TEST(what_does_not_fit_is_named)
{
    const struct {
        named in[3];
        int count;
        dt_status status;
        const char *words;
    } cases[] = {
        { { { "x", DT_SHAPE(1, 8, 8, 3) } }, 1, DT_ERR_NOT_FOUND, "v: is one of 2 inputs" },
        { { { "x", DT_SHAPE(1, 8, 8, 3) }, { "vv", DT_SHAPE(1, 6) } },
          2,
          DT_ERR_NOT_FOUND,
          "v: is one of 2 inputs; the data has none of this name, but '" },
        { { { "x", DT_SHAPE(1, 8, 8, 3) }, { "v", DT_SHAPE(1, 5) } },
          2,
          DT_ERR_SHAPE,
          "v: wants 6 numbers, the data has 5" },
        { { { "x", DT_SHAPE(1, 192) }, { "v", DT_SHAPE(1, 6) } },
          2,
          DT_ERR_SHAPE,
          "x: has 4 dimensions, the data gives [1,192]" },
        { { { "x", DT_SHAPE(1, 8, 8, 3) }, { "v", DT_SHAPE(1, 6) }, { "w", DT_SHAPE(1, 6) } },
          3,
          DT_ERR_RANGE,
          "has 2 inputs, the data more" },
    };
    for (size_t i = 0; i < DT_ARRAY_LEN(cases); i++) {
        made t;
        dt_error err = { .text = "" };
        ck_assert_int_eq(read_behind(&t, cases[i].in, cases[i].count, 4, &err), cases[i].status);
        ck_assert_msg(strstr(err.text, cases[i].words) != NULL, "%zu: %s", i, err.text);
        end(&t);
    }
}
END_TEST

START_TEST(nine_are_too_many)
{
    size_t size;
    dt_onnx_net *net;
    dt_error err = { .text = "" };
    char name[8];
    dt_onnx *m = make_open();
    for (int i = 1; i <= DT_OX_INPUTS; i++) {
        snprintf(name, sizeof name, "x%d", i);
        dt_onnx_input(m, name, &DT_SHAPE(1, 3));
    }
    make_node(m, "Relu", "y", NULL, "x1", NULL, NULL, NULL);
    unsigned char *bytes = make_close(m, 3, &size);
    ck_assert_int_eq(dt_onnx_net_open_bytes("net.onnx", bytes, size, NULL, &net, &err),
                     DT_ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.text, "has 9 inputs; 1 to 8 are read"));
    dt_put(NULL, bytes);
}
END_TEST

DT_TEST_MAIN("onnx_inputs", they_are_found_by_name, what_does_not_fit_is_named, nine_are_too_many)
