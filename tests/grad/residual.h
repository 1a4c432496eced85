/* A small residual net, in the double build. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TESTS_GRAD_RESIDUAL_H
#define DT_TESTS_GRAD_RESIDUAL_H

#include <stdio.h>

#include "autograd/graph.h"
#include "autograd/op_batchnorm.h"
#include "autograd/op_conv2d.h"
#include "autograd/op_maxpool.h"
#include "autograd/op_pad_channels.h"
#include "autograd/op_softmax_ce.h"
#include "tests/support/run.h"

enum { N = 3, HW = 6, C = 2, CLASSES = 3 };

static inline int param(dt_graph *g, const char *name, dt_shape shape, dt_init init)
{
    int id = -1;
    dt_value v = {
        .name = name, .kind = DT_VALUE_PARAM, .shape = shape, .init = init, .fan_in = 8
    };
    ck_assert_int_eq(dt_graph_value(g, &v, &id, NULL), DT_OK);
    return id;
}

static inline int node(dt_graph *g, const char *op, const void *conf, int a, int b)
{
    int in[] = { a, b }, out = -1;
    dt_error err = { 0 };
    ck_assert_msg(dt_graph_node(g, op, op, conf, in, b >= 0 ? 2 : 1, &out, &err) == DT_OK, "%s",
                  err.text);
    return out;
}

static inline int norm(dt_graph *g, const char *name, int x, int64_t channels)
{
    char text[4][32];
    int in[5] = { x }, out = -1;
    static const char *const parts[] = { "g", "b", "m", "v" };
    for (int i = 0; i < 4; i++) {
        snprintf(text[i], sizeof text[i], "%s.%s", name, parts[i]);
        dt_value v = { .name = text[i],
                       .kind = i < 2 ? DT_VALUE_PARAM : DT_VALUE_BUFFER,
                       .shape = DT_SHAPE(channels),
                       .init = i % 3 == 0 ? DT_INIT_ONE : DT_INIT_ZERO };
        ck_assert_int_eq(dt_graph_value(g, &v, &in[1 + i], NULL), DT_OK);
    }
    const dt_batchnorm_conf conf = { 1e-5, 0.1 };
    ck_assert_int_eq(dt_graph_node(g, "batchnorm", name, &conf, in, 5, &out, NULL), DT_OK);
    return out;
}

static inline int build(dt_graph *g, int *out_x, int *out_labels)
{
    dt_value x = {
        .name = "x", .kind = DT_VALUE_INPUT, .shape = DT_SHAPE(1, HW, HW, C), .batched = true
    };
    dt_value l = { .name = "labels",
                   .kind = DT_VALUE_INPUT,
                   .shape = DT_SHAPE(1),
                   .batched = true,
                   .store = DT_STORE_INT32 };
    ck_assert_int_eq(dt_graph_init(g, NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_graph_value(g, &x, out_x, NULL), DT_OK);
    ck_assert_int_eq(dt_graph_value(g, &l, out_labels, NULL), DT_OK);
    const dt_conv2d_conf same = { 1, 1, 1, 1, 1 }, half = { 2, 2, 1, 1, 1 };
    const dt_pad_channels_conf pad = { 2, 1, 1 };
    const dt_maxpool_conf pool = { { 2, 2, 1, 1, 0, 0, 0, 0 } };
    int w1 = param(g, "w1", DT_SHAPE(2, 3, 3, C), DT_INIT_KAIMING);
    int w2 = param(g, "w2", DT_SHAPE(4, 3, 3, 2), DT_INIT_KAIMING);
    int w3 = param(g, "w3", DT_SHAPE(4, 3, 3, 4), DT_INIT_KAIMING);
    int fc = param(g, "fc", DT_SHAPE(CLASSES, 4), DT_INIT_KAIMING);
    int a = node(g, "relu", NULL, norm(g, "n1", node(g, "conv2d", &same, *out_x, w1), 2), -1);
    int b = norm(g, "n2", node(g, "conv2d", &half, a, w2), 4);
    int c =
        node(g, "relu", NULL, node(g, "add", NULL, b, node(g, "pad_channels", &pad, a, -1)), -1);
    /* w3 is used twice, and c three times. */
    int d = norm(g, "n3", node(g, "conv2d", &same, c, w3), 4);
    int e = node(g, "relu", NULL, node(g, "add", NULL, d, c), -1);
    int f = node(g, "add", NULL, node(g, "conv2d", &same, e, w3), c);
    int h = node(g, "gap", NULL, node(g, "maxpool", &pool, f, -1), -1);
    const dt_softmax_ce_conf ce = { 0.1 };
    return node(g, "softmax_ce", &ce, node(g, "linear", NULL, h, fc), *out_labels);
}

#endif
