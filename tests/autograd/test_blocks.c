/* Blocks of a net run alone, on given inputs and gradients, against the whole plan: the same bits.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "autograd/fuse.h"
#include "autograd/query.h"
#include "core/rng.h"
#include "tests/support/nets.h"

enum { BATCH = 3, CUTS = 128, APART = 3 /* nodes of a block, at least */ };

static dt_kernels k;

/* Values through which all goes that the loss gets of the picture: between two of them is a block.
 */
static int find_cuts(const dt_net *net, int *cut)
{
    const dt_graph *g = &net->graph;
    int count = 0, at = -1;
    bool needed[1024];
    ck_assert_int_le(g->node_count, 1024);
    dt_query_cone(g, &net->logits, 1, needed);
    for (int i = 0; i < g->node_count; i++) {
        int crossing = 0, v = -1;
        for (int x = 0; x < g->value_count; x++) {
            const dt_value *value = &g->value[x];
            int last = -1;
            DT_QUERY_EACH_USE(u, g, x)
            if (needed[u->node]) last = u->node;
            if (!value->batched || x == net->labels || value->producer > i || last <= i) continue;
            crossing++;
            v = x;
        }
        if (crossing != 1 || v == net->input || v == net->logits || i - at <= APART) continue;
        cut[count++] = v;
        at = i;
        ck_assert_int_lt(count, CUTS);
    }
    return count;
}

typedef struct one { /* a plan with its executor */
    dt_plan plan;
    dt_exec exec;
} one;

static void open_one(one *o, const dt_plan_request *r, dt_state *state)
{
    dt_error err = { .status = DT_OK };
    ck_assert_msg(dt_plan_init(&o->plan, r, NULL, &err) == DT_OK, "%s", err.text);
    ck_assert_int_eq(dt_exec_init(&o->exec, &o->plan, state, &k, NULL, NULL, NULL), DT_OK);
    o->exec.seed = 7;
    o->exec.step = 11;
}

static void close_one(one *o)
{
    dt_exec_fini(&o->exec);
    dt_plan_fini(&o->plan);
}

static void *copy_of(const void *data, size_t bytes)
{
    void *copy = dt_get(NULL, bytes, "test");
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, data, bytes);
    return copy;
}

typedef struct known { /* of a cut, in the whole plan */
    void *value;
    real *grad;
} known;

static size_t bytes_of(const one *o, int v)
{
    return dt_plan_value_bytes(&o->plan, v);
}

/* Runs the block between cuts `from` (-1: the picture) and `to` and compares. */
static void check_block(const dt_graph *g, const test_net *t, const int *cut, const known *want,
                        int from, int to, real *const *grad, const float *x)
{
    const int in = from < 0 ? t->net.input : cut[from], out = cut[to];
    one o;
    open_one(&o,
             &(dt_plan_request){ .graph = g,
                                 .kernels = &k,
                                 .mode = DT_MODE_TRAIN,
                                 .batch = BATCH,
                                 .threads = 2,
                                 .outputs = &out,
                                 .output_count = 1,
                                 .given = &in,
                                 .given_count = from >= 0,
                                 .seeds = &out,
                                 .seed_count = 1,
                                 .gradients = &in,
                                 .gradient_count = from >= 0 },
             (dt_state *)(uintptr_t)&t->net.state);
    dt_exec_set_input(&o.exec, in, from < 0 ? (const void *)x : want[from].value);
    ck_assert_int_eq(dt_exec_forward(&o.exec, NULL), DT_OK);
    ck_assert_msg(memcmp(dt_exec_value(&o.exec, out), want[to].value, bytes_of(&o, out)) == 0,
                  "block %d: output", to);
    dt_exec_set_gradient(&o.exec, out, want[to].grad);
    dt_exec_backward(&o.exec);
    if (from >= 0)
        ck_assert_msg(memcmp(dt_exec_gradient(&o.exec, in), want[from].grad, bytes_of(&o, in)) == 0,
                      "block %d: gradient of its input", to);
    int params = 0;
    for (int v = 0; v < g->value_count; v++) {
        const real *got = t->net.state.grad[v];
        if (!got) continue;
        params++;
        ck_assert_msg(
            memcmp(got, grad[v], sizeof(real) * (size_t)dt_shape_count(&g->value[v].shape)) == 0,
            "block %d: gradient of %s", to, g->value[v].name);
    }
    ck_assert_int_gt(params, 0);
    close_one(&o);
}

/* The whole step, with what it gave at the cuts and for the parameters. */
static void run_whole(const dt_graph *g, test_net *t, const int *cut, int count, const float *x,
                      const int32_t *labels, known *out, real **grad)
{
    int outputs[CUTS + 1] = { t->net.loss };
    one o;
    memcpy(outputs + 1, cut, sizeof *cut * (size_t)count);
    open_one(&o,
             &(dt_plan_request){ .graph = g,
                                 .kernels = &k,
                                 .mode = DT_MODE_TRAIN,
                                 .batch = BATCH,
                                 .threads = 1,
                                 .outputs = outputs,
                                 .output_count = count + 1,
                                 .gradients = cut,
                                 .gradient_count = count },
             &t->net.state);
    dt_exec_set_input(&o.exec, t->net.input, x);
    dt_exec_set_input(&o.exec, t->net.labels, labels);
    ck_assert_int_eq(dt_exec_forward(&o.exec, NULL), DT_OK);
    for (int i = 0; i < count; i++)
        out[i].value = copy_of(dt_exec_value(&o.exec, cut[i]), bytes_of(&o, cut[i]));
    dt_exec_backward(&o.exec);
    for (int i = 0; i < count; i++)
        out[i].grad = copy_of(dt_exec_gradient(&o.exec, cut[i]), bytes_of(&o, cut[i]));
    for (int v = 0; v < g->value_count; v++)
        if (t->net.state.grad[v])
            grad[v] = copy_of(t->net.state.grad[v],
                              sizeof(real) * (size_t)dt_shape_count(&g->value[v].shape));
    close_one(&o);
}

static void check_net(const char *recipe, bool fused, int least)
{
    test_net t;
    int cut[CUTS];
    known want[CUTS];
    static float x[BATCH * 32 * 32 * 3];
    const int32_t labels[BATCH] = { 3, 0, 7 };
    dt_graph own;
    dt_rng rng;
    test_net_open(&t, recipe, true);
    dt_rng_open(&rng, 5, DT_RNG_INIT, 1, 0);
    for (size_t i = 0; i < DT_ARRAY_LEN(x); i++)
        x[i] = (float)dt_rng_normal(&rng);
    ck_assert_int_eq(
        dt_net_calibrate(&t.net, &k, 1, x, labels, BATCH, true, NULL, NULL, NULL, NULL), DT_OK);
    int count = find_cuts(&t.net, cut), keep[CUTS + 2] = { t.net.loss, t.net.logits };
    ck_assert_int_ge(count, least);
    memcpy(keep + 2, cut, sizeof *cut * (size_t)count);
    ck_assert_int_eq(dt_fuse(&t.net.graph, keep, count + 2, &own, NULL, NULL), DT_OK);
    const dt_graph *g = fused ? &own : &t.net.graph;
    real **grad = dt_get_array(NULL, (size_t)g->value_count, sizeof *grad, "test");
    run_whole(g, &t, cut, count, x, labels, want, grad);
    for (int i = 0; i < count; i++)
        check_block(g, &t, cut, want, i - 1, i, grad, x);
    for (int i = 0; i < count; i++) {
        dt_put(NULL, want[i].value);
        dt_put(NULL, want[i].grad);
    }
    for (int v = 0; v < g->value_count; v++)
        dt_put(NULL, grad[v]);
    dt_put(NULL, grad);
    dt_graph_fini(&own);
    test_net_close(&t);
}

#define MOBILE "mobilenet_v2, width: 0.25, stem: cifar"
#define VIT "vit, patch: 8, dim: 48, depth: 3, heads: 3"

START_TEST(blocks_of_a_resnet)
{
    for (int fused = 0; fused < 2; fused++) {
        check_net(TEST_LSQ("resnet20", "deploy"), fused, 9);
        check_net(TEST_LSQ("resnet20", "paper"), fused, 9);
        check_net(TEST_FLOAT("resnet20"), fused, 9);
    }
}
END_TEST

START_TEST(blocks_of_a_mobilenet)
{
    for (int fused = 0; fused < 2; fused++) {
        check_net(TEST_LSQ(MOBILE, "deploy"), fused, 17);
        check_net(TEST_LSQ(MOBILE, "paper"), fused, 17);
    }
}
END_TEST

START_TEST(blocks_of_a_transformer)
{
    for (int fused = 0; fused < 2; fused++) {
        check_net(TEST_LSQ(VIT, "deploy"), fused, 4);
        check_net(TEST_LSQ(VIT, "paper"), fused, 4);
    }
}
END_TEST

/* Frozen parameters get no gradient, the others the same one; an overlay shares memory. */
START_TEST(frozen_parameters_and_overlays)
{
    test_net t;
    static float x[BATCH * 32 * 32 * 3];
    const int32_t labels[BATCH] = { 1, 2, 3 };
    test_net_open(&t, TEST_LSQ("smallcnn", "deploy"), true);
    const dt_graph *g = &t.net.graph;
    for (size_t i = 0; i < DT_ARRAY_LEN(x); i++)
        x[i] = (float)(i % 17) / 16 - 0.5f;
    ck_assert_int_eq(
        dt_net_calibrate(&t.net, &k, 1, x, labels, BATCH, true, NULL, NULL, NULL, NULL), DT_OK);
    dt_state over;
    ck_assert_int_eq(dt_state_overlay(&over, g, &t.net.state, 1, NULL, NULL), DT_OK);
    bool *frozen = dt_get_array(NULL, (size_t)g->value_count, sizeof *frozen, "test");
    int weight = dt_graph_find(g, "conv2.weight"), other = dt_graph_find(g, "conv3.weight");
    frozen[weight] = true;
    ck_assert_ptr_eq(over.data[weight], t.net.state.data[weight]);
    one o;
    open_one(&o,
             &(dt_plan_request){ .graph = g,
                                 .kernels = &k,
                                 .mode = DT_MODE_TRAIN,
                                 .batch = BATCH,
                                 .threads = 1,
                                 .outputs = &t.net.loss,
                                 .output_count = 1,
                                 .frozen = frozen },
             &over);
    dt_exec_set_input(&o.exec, t.net.input, x);
    dt_exec_set_input(&o.exec, t.net.labels, labels);
    ck_assert_int_eq(dt_exec_forward(&o.exec, NULL), DT_OK);
    dt_exec_backward(&o.exec);
    ck_assert_ptr_null(over.grad[weight]);
    ck_assert_ptr_nonnull(over.grad[other]);
    close_one(&o);
    dt_put(NULL, frozen);
    dt_state_fini(&over);
    test_net_close(&t);
}
END_TEST

static int open_kernels(void)
{
    return dt_kernels_init(&k, NULL, NULL) != DT_OK;
}

DT_TEST_MAIN_UNLESS(open_kernels(), "blocks", blocks_of_a_resnet, blocks_of_a_mobilenet,
                    blocks_of_a_transformer, frozen_parameters_and_overlays)
