/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/graph.h"

#include <stdio.h>
#include <string.h>

#include "autograd/op_conv2d.h"
#include "tests/support/run.h"

static dt_graph g;
static dt_error err;

static int value(const char *name, dt_value_kind kind, dt_shape shape, bool batched)
{
    int id = -1;
    const dt_value v = { .name = name, .kind = kind, .shape = shape, .batched = batched };
    ck_assert_int_eq(dt_graph_value(&g, &v, &id, &err), DT_OK);
    return id;
}

START_TEST(shape_errors_print_both_shapes)
{
    const dt_conv2d_conf conf = { 1, 1, 1, 1, 1 };
    ck_assert_int_eq(dt_graph_init(&g, NULL, NULL), DT_OK);
    int x = value("x", DT_VALUE_INPUT, DT_SHAPE(1, 32, 32, 16), true), out;
    int w = value("w", DT_VALUE_PARAM, DT_SHAPE(16, 3, 3, 3), false);
    ck_assert_int_eq(
        dt_graph_node(&g, "conv2d", "layer1.0.conv1", &conf, (int[]){ x, w }, 2, &out, &err),
        DT_ERR_SHAPE);
    ck_assert_str_eq(err.text, "conv2d 'layer1.0.conv1': input [1,32,32,16] has 16 channels, "
                               "weight [16,3,3,3] wants 3");
    int y = value("y", DT_VALUE_INPUT, DT_SHAPE(1, 16, 32, 16), true);
    ck_assert_int_eq(dt_graph_node(&g, "add", "sum", NULL, (int[]){ x, y }, 2, &out, &err),
                     DT_ERR_SHAPE);
    ck_assert_ptr_nonnull(strstr(err.text, "[1,32,32,16]"));
    ck_assert_ptr_nonnull(strstr(err.text, "[1,16,32,16]"));
    int flat = value("flat", DT_VALUE_INPUT, DT_SHAPE(1, 7), true);
    int fc = value("fc", DT_VALUE_PARAM, DT_SHAPE(10, 8), false);
    int bias = value("bias", DT_VALUE_PARAM, DT_SHAPE(10), false);
    ck_assert_int_eq(
        dt_graph_node(&g, "linear", "head", NULL, (int[]){ flat, fc, bias }, 3, &out, &err),
        DT_ERR_SHAPE);
    ck_assert_ptr_nonnull(strstr(err.text, "linear 'head'"));
    ck_assert_ptr_nonnull(strstr(err.text, "[1,7]"));
    ck_assert_ptr_nonnull(strstr(err.text, "[10,8]"));
    ck_assert_int_eq(g.node_count, 0);
    dt_graph_fini(&g);
}
END_TEST

START_TEST(bad_nodes_and_values_are_refused)
{
    ck_assert_int_eq(dt_graph_init(&g, NULL, NULL), DT_OK);
    int x = value("x", DT_VALUE_INPUT, DT_SHAPE(1, 4), true), out, id;
    value("w", DT_VALUE_PARAM, DT_SHAPE(4), false);
    ck_assert_int_eq(dt_graph_node(&g, "convolve", "c", NULL, &x, 1, &out, &err), DT_ERR_NOT_FOUND);
    ck_assert_str_eq(err.text, "c: unknown op 'convolve'");
    ck_assert_int_eq(dt_graph_node(&g, "relu", "r", NULL, (int[]){ x, x }, 2, &out, &err),
                     DT_ERR_ARG);
    ck_assert_str_eq(err.text, "r: op 'relu' takes 1..1 inputs, not 2");
    const dt_value again = { .name = "w", .kind = DT_VALUE_BUFFER, .shape = DT_SHAPE(4) };
    ck_assert_int_eq(dt_graph_value(&g, &again, &id, &err), DT_ERR_ARG);
    ck_assert_ptr_nonnull(strstr(err.text, "w: "));
    const dt_value empty = { .name = "e", .kind = DT_VALUE_PARAM, .shape = DT_SHAPE(4, 0) };
    ck_assert_int_eq(dt_graph_value(&g, &empty, &id, &err), DT_ERR_SHAPE);
    const dt_value made = { .name = "n", .kind = DT_VALUE_NODE, .shape = DT_SHAPE(4) };
    ck_assert_int_eq(dt_graph_value(&g, &made, &id, &err), DT_ERR_ARG);
    dt_graph_fini(&g);
}
END_TEST

START_TEST(signs_are_known)
{
    ck_assert_int_eq(dt_graph_init(&g, NULL, NULL), DT_OK);
    int x = value("x", DT_VALUE_INPUT, DT_SHAPE(1, 4, 4, 2), true), r, sum, pooled, mixed;
    ck_assert_int_eq(dt_graph_node(&g, "relu", "r", NULL, &x, 1, &r, NULL), DT_OK);
    ck_assert_int_eq(dt_graph_node(&g, "add", "s", NULL, (int[]){ r, r }, 2, &sum, NULL), DT_OK);
    ck_assert_int_eq(dt_graph_node(&g, "gap", "g", NULL, &sum, 1, &pooled, NULL), DT_OK);
    ck_assert_int_eq(dt_graph_node(&g, "add", "m", NULL, (int[]){ r, x }, 2, &mixed, NULL), DT_OK);
    ck_assert(!g.value[x].nonneg && g.value[r].nonneg && g.value[sum].nonneg);
    ck_assert(g.value[pooled].nonneg && !g.value[mixed].nonneg);
    ck_assert_int_eq(g.value[pooled].shape.rank, 2);
    dt_graph_fini(&g);
}
END_TEST

START_TEST(growth_keeps_everything)
{
    char name[16];
    ck_assert_int_eq(dt_graph_init(&g, NULL, NULL), DT_OK);
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "p%d", i); /* the graph copies names */
        ck_assert_int_eq(value(name, DT_VALUE_PARAM, DT_SHAPE(i + 1), false), i);
    }
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "p%d", i);
        ck_assert_int_eq(dt_graph_find(&g, name), i);
        ck_assert_int_eq(g.value[i].shape.dim[0], i + 1);
    }
    ck_assert_int_eq(dt_graph_find(&g, "p300"), -1);
    dt_graph_fini(&g);
}
END_TEST

START_TEST(ports_have_names)
{
    char name[16];
    ck_assert_int_eq(dt_graph_init(&g, NULL, NULL), DT_OK);
    int x = value("x", DT_VALUE_INPUT, DT_SHAPE(1, 4), true), y;
    ck_assert_int_eq(dt_graph_node(&g, "relu", "r", NULL, &x, 1, &y, &err), DT_OK);
    ck_assert_int_eq(dt_graph_port(&g, DT_PORT_INPUT, "sound", x, NULL), DT_OK);
    ck_assert_int_eq(dt_graph_port(&g, DT_PORT_OUTPUT, "level", y, NULL), DT_OK);
    ck_assert_str_eq(dt_graph_port_name(&g, y, "logits"), "level");
    ck_assert_str_eq(dt_graph_port_name(&g, 17, "logits"), "logits");
    ck_assert_int_eq(dt_graph_port(&g, DT_PORT_OUTPUT, "level", x, &err), DT_ERR_RANGE);
    ck_assert_ptr_nonnull(strstr(err.text, "level: is the name of two ports"));
    for (int i = g.port_count; i < DT_GRAPH_PORTS; i++) {
        snprintf(name, sizeof name, "p%d", i);
        ck_assert_int_eq(dt_graph_port(&g, DT_PORT_ANSWER, name, x, NULL), DT_OK);
    }
    ck_assert_int_eq(dt_graph_port(&g, DT_PORT_ANSWER, "more", x, NULL), DT_ERR_RANGE);
    dt_graph_fini(&g);
}
END_TEST

DT_TEST_MAIN("graph", ports_have_names, shape_errors_print_both_shapes,
             bad_nodes_and_values_are_refused, signs_are_known, growth_keeps_everything)
