/* A small residual net through planner and executor: gradients of all parameters against central
 * differences. Finds wrong lifetimes, wrong sharing of memory and lost contributions. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "autograd/exec.h"
#include "autograd/op_batchnorm.h"
#include "autograd/op_conv2d.h"
#include "autograd/op_maxpool.h"
#include "autograd/op_pad_channels.h"
#include "autograd/op_softmax_ce.h"
#include "core/rng.h"
#include "tests/support/run.h"

enum { N = 3, HW = 6, C = 2, CLASSES = 3 };

static int param(dt_graph *g, const char *name, dt_shape shape, dt_init init)
{
    int id = -1;
    dt_value v = {
        .name = name, .kind = DT_VALUE_PARAM, .shape = shape, .init = init, .fan_in = 8
    };
    ck_assert_int_eq(dt_graph_value(g, &v, &id, NULL), DT_OK);
    return id;
}

static int node(dt_graph *g, const char *op, const void *conf, int a, int b)
{
    int in[] = { a, b }, out = -1;
    dt_error err = { 0 };
    ck_assert_msg(dt_graph_node(g, op, op, conf, in, b >= 0 ? 2 : 1, &out, &err) == DT_OK, "%s",
                  err.text);
    return out;
}

static int norm(dt_graph *g, const char *name, int x, int64_t channels)
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

static int build(dt_graph *g, int *out_x, int *out_labels)
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
    const dt_maxpool_conf pool = { 2, 1, 0 };
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

static double run(dt_exec *e, int loss)
{
    ck_assert_int_eq(dt_exec_forward(e, NULL), DT_OK);
    return ((real *)dt_exec_value(e, loss))[0];
}

START_TEST(planned_gradients_are_central_differences)
{
    dt_graph g;
    dt_kernels k;
    dt_plan p;
    dt_state s;
    dt_exec e;
    int x, labels, loss = build(&g, &x, &labels);
    ck_assert_int_eq(dt_kernels_init(&k, "", NULL), DT_OK);
    ck_assert_int_eq(dt_plan_init(&p, &g, &k, DT_MODE_TRAIN, N, 2, &loss, 1, NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_state_init(&s, &g, true, 1, NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_exec_init(&e, &p, &s, &k, NULL, NULL, NULL), DT_OK);
    ck_assert_uint_lt(p.arena_bytes, p.sum_bytes);
    real data[N * HW * HW * C];
    int32_t target[N] = { 0, 2, 1 };
    dt_rng rng;
    dt_rng_open(&rng, 1, DT_RNG_TEST, 0, 0);
    for (size_t i = 0; i < DT_ARRAY_LEN(data); i++)
        data[i] = (real)dt_rng_normal(&rng);
    dt_exec_set_input(&e, x, data);
    dt_exec_set_input(&e, labels, target);
    run(&e, loss);
    dt_exec_backward(&e);
    int checked = 0;
    for (int v = 0; v < g.value_count; v++) {
        if (g.value[v].kind != DT_VALUE_PARAM) continue;
        for (int64_t i = 0; i < dt_shape_count(&g.value[v].shape); i++) {
            const double step = 1e-6;
            real *w = &s.data[v][i], at = *w;
            *w = at + step;
            double up = run(&e, loss);
            *w = at - step;
            double down = run(&e, loss);
            *w = at;
            double slope = (up - down) / (2 * step), got = s.grad[v][i];
            ck_assert_msg(fabs(slope - got) < 1e-6 * (1 + fabs(slope)), "%s[%d]: %.9g, got %.9g",
                          g.value[v].name, (int)i, slope, got);
            checked++;
        }
    }
    ck_assert_int_gt(checked, 250);
    dt_exec_fini(&e);
    dt_state_fini(&s);
    dt_plan_fini(&p);
    dt_graph_fini(&g);
}
END_TEST

DT_TEST_MAIN("graph_gradients", planned_gradients_are_central_differences)
