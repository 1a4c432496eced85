/* Factors moved over edges: nets compute what they did. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/ptq/run_stages.h"

#include "autograd/op_batchnorm.h"
#include "autograd/query.h"
#include "fakequant/range.h"
#include "ptq/edges.h"

START_TEST(factors_as_worked_out)
{
    static const double a[] = { 2, 16, 2 }, w[] = { .5, .25, 2 }, half[] = { 2, 8, 1 },
                        more[] = { 2, 11.313708, 1.414214 };
    for (int i = 0; i < 3; i++) {
        ck_assert_double_eq_tol(dt_ptq_edge_factor(a[i], w[i], .5, .5), half[i], 1e-6);
        ck_assert_double_eq_tol(dt_ptq_edge_factor(a[i], w[i], .75, .25), more[i], 1e-6);
    }
    ck_assert_double_eq_tol(dt_ptq_edge_factor(4, .2, .5, .5), 4.472136, 1e-6);
    ck_assert_double_eq_tol(dt_ptq_edge_factor(.5, 6, .5, .5), .288675, 1e-6);
}
END_TEST

#define PTQ(stage) "ptq: {images: 8, batch: 8, stages: [{equalize: {" stage "}}, ranges]}\n"
#define NET(model)                                                                                 \
    "model: {name: " model                                                                         \
    "}\ndata: {name: builtin}\nquant: {placement: paper, weights: {method: "                       \
    "lsq, bits: 4}, activations: {method: lsq, bits: 4}}\n"

/* Norms that are as different as trained ones. */
static void shake(staged *s)
{
    dt_rng rng;
    dt_rng_open(&rng, 9, DT_RNG_TEST, 2, 0);
    for (int i = 0; i < s->t.net.graph.node_count; i++) {
        const dt_node *node = &s->t.net.graph.node[i];
        if (!node->op->affine) continue;
        for (int k = 1; k < node->in_count; k++)
            for (int64_t c = 0; c < dt_shape_count(&s->t.net.graph.value[node->in[k]].shape); c++) {
                real *x = &s->p.state->data[node->in[k]][c];
                double u = dt_rng_uniform(&rng);
                *x = (real)(k == 1 || k == DT_BN_VAR ? 0.2 + 2 * u : u - 0.5);
            }
    }
}

static void read_logits(staged *s, real *to)
{
    dt_ptq q;
    ck_assert_int_eq(dt_ptq_init(&q, &s->p, NULL), DT_OK);
    q.origin = *s->p.state;
    ck_assert_int_eq(dt_ptq_collect(&q,
                                    &(dt_ptq_pass){ .plain = true,
                                                    .from = s->p.input,
                                                    .data = s->pictures,
                                                    .want = &s->p.logits,
                                                    .want_count = 1,
                                                    .to = &to },
                                    NULL),
                     DT_OK);
    q.origin = (dt_state){ 0 };
    dt_ptq_fini(&q);
}

static int count_edges(staged *s, bool *out_shifts)
{
    dt_ptq q;
    int edges = 0;
    *out_shifts = true;
    ck_assert_int_eq(dt_ptq_init(&q, &s->p, NULL), DT_OK);
    for (int i = 0; i < q.g->node_count; i++) {
        dt_ptq_edge e;
        if (!dt_ptq_edge_of(&q, &q.g->node[i], &e)) continue;
        edges++;
        *out_shifts = *out_shifts && e.shifts;
    }
    dt_ptq_fini(&q);
    return edges;
}

/* The net's float logits after the stage are those of before. */
static void check(const char *recipe, int edges, bool shifts)
{
    staged s;
    bool shift;
    real before[8 * 10], after[8 * 10];
    double size = 0, error = 0;
    staged_open(&s, recipe, 1);
    shake(&s);
    {
        int got = count_edges(&s, &shift);
        ck_assert_msg(got == edges, "%s: %d edges", recipe, got);
    }
    ck_assert_int_eq(shift, shifts);
    read_logits(&s, before);
    s.p.stage_count = 1;
    /* Weights go onto their grids at the end, so the stage runs by itself. */
    dt_ptq q;
    ck_assert_int_eq(dt_ptq_init(&q, &s.p, NULL), DT_OK);
    const dt_ptq_stage *stage = (const dt_ptq_stage *)(const void *)s.p.stage[0].row;
    ck_assert(stage->transforms);
    dt_error err = { .status = DT_OK };
    ck_assert_msg(stage->run(&q, s.p.stage[0].conf, &err) == DT_OK, "%s", err.text);
    dt_ptq_fini(&q);
    read_logits(&s, after);
    for (int i = 0; i < 80; i++) {
        size = fmax(size, fabs((double)before[i]));
        error = fmax(error, fabs((double)before[i] - (double)after[i]));
    }
    ck_assert_msg(size > 1e-3 && error < 1e-5 * size, "%s: %g of %g", recipe, error, size);
    staged_close(&s);
}

START_TEST(folds_leave_the_net)
{
    check(NET("resnet20") PTQ("from: weights"), 9, false);
    check(NET("resnet20") PTQ("from: pictures, alpha: 0.5"), 9, false);
    check(NET("resnet20") PTQ("from: weights, rows: true"), 9, false);
    check(NET("smallcnn, width: 6") PTQ("from: pictures"), 4, false);
    check(NET("mobilenet_v2, width: 0.25, stem: cifar") PTQ("from: pictures"), 1, false);
    check(NET("vit, patch: 8, dim: 48, depth: 2, heads: 3") PTQ("from: pictures"), 5, true);
    check(NET("vit, patch: 8, dim: 48, depth: 2, heads: 3")
              PTQ("from: pictures, alpha: 1, beta: 0, shift: true"),
          5, true);
}
END_TEST

/* Behind `rows` every output channel has the same scale of least error. */
START_TEST(rows_get_one_scale)
{
    staged s;
    dt_ptq q;
    staged_open(&s, NET("resnet20") PTQ("from: nothing, rows: true"), 1);
    shake(&s);
    ck_assert_int_eq(dt_ptq_init(&q, &s.p, NULL), DT_OK);
    ck_assert_int_eq(
        ((const dt_ptq_stage *)(const void *)s.p.stage[0].row)->run(&q, s.p.stage[0].conf, NULL),
        DT_OK);
    int checked = 0;
    for (int i = 0; i < q.g->node_count; i++) {
        dt_ptq_weight w;
        if (!dt_ptq_weight_of(&q, &q.g->node[i], &w)) continue;
        if (!dt_query_norm(q.g, q.needed, &q.g->node[i])) continue;
        const int high = (1 << (w.at.bits - 1)) - 1;
        const int64_t O = q.g->value[w.value].shape.dim[0], n = w.count / O;
        const real *x = s.p.state->data[w.value];
        double first = dt_range_mse(n, x, -high - 1, high);
        for (int64_t o = 1; o < O; o++)
            ck_assert_double_eq_tol(dt_range_mse(n, x + o * n, -high - 1, high) / first, 1, 1e-2);
        checked++;
    }
    ck_assert_int_eq(checked, 19);
    dt_ptq_fini(&q);
    staged_close(&s);
}
END_TEST

DT_TEST_MAIN("edges", factors_as_worked_out, folds_leave_the_net, rows_get_one_scale)
