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

#define PTQ(stage) "ptq: {images: 8, batch: 8, stages: [{equalize: {" stage "}}, norms]}\n"
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
        *out_shifts = *out_shifts && dt_ptq_edge_shifts(&e);
    }
    dt_ptq_fini(&q);
    return edges;
}

/* Convolutions with biases before batch norms, as other programs' files have them. */
static int build_biased(dt_builder *b, const void *options, int classes, int x)
{
    (void)options;
    x = dt_layer_conv2d_bias(b, "conv1", DT_LAYER_FIRST, x, 8, 3, 1, 1, 1);
    x = dt_layer_relu(b, "relu1", dt_layer_batchnorm(b, "bn1", x));
    x = dt_layer_conv2d_bias(b, "conv2", DT_LAYER_BODY, x, 8, 3, 2, 1, 8);
    x = dt_layer_relu6(b, "relu2", dt_layer_batchnorm(b, "bn2", x));
    const int skip = dt_layer_batchnorm(
        b, "bn3", dt_layer_conv2d_bias(b, "conv3", DT_LAYER_BODY, x, 12, 1, 1, 0, 1));
    x = dt_layer_conv2d_bias(b, "expand", DT_LAYER_BODY, skip, 24, 1, 1, 0, 1);
    x = dt_layer_relu6(b, "relu4", dt_layer_batchnorm(b, "bn4", x));
    x = dt_layer_conv2d_bias(b, "depthwise", DT_LAYER_BODY, x, 24, 3, 1, 1, 24);
    x = dt_layer_relu6(b, "relu5", dt_layer_batchnorm(b, "bn5", x));
    x = dt_layer_conv2d_bias(b, "project", DT_LAYER_BODY, x, 12, 1, 1, 0, 1);
    x = dt_layer_gap(b, "avgpool", dt_layer_add(b, "add", dt_layer_batchnorm(b, "bn6", x), skip));
    return dt_layer_linear(b, "fc", DT_LAYER_LAST, x, classes);
}
static const dt_model biased = { .row = { "biased", "", NULL, 0 }, .build = build_biased };

static void shake_biases(staged *s)
{
    const dt_graph *g = &s->t.net.graph;
    for (int i = 0; i < g->node_count; i++) {
        const dt_op_product *of = g->node[i].op->product;
        if (!of || of->bias < 0 || of->bias >= g->node[i].in_count) continue;
        const int v = g->node[i].in[of->bias];
        for (int64_t c = 0; c < dt_shape_count(&g->value[v].shape); c++)
            s->p.state->data[v][c] = (real)(0.3 * (double)(c % 7) - 1);
    }
}

typedef struct fold {
    const char *recipe;
    const dt_model *model; /* NULL: the recipe's */
    int edges;
    bool shifts;
} fold;

/* The net's float logits after the stage are those of before. */
static void check(const fold *f)
{
    staged s;
    bool shift;
    real before[8 * 10], after[8 * 10];
    double size = 0, error = 0;
    staged_open_model(&s, f->recipe, f->model, 1);
    shake(&s);
    shake_biases(&s);
    int edges = count_edges(&s, &shift);
    ck_assert_msg(edges == f->edges && shift == f->shifts, "%s: %d edges", f->recipe, edges);
    read_logits(&s, before);
    ck_assert(((const dt_ptq_stage *)(const void *)s.p.stage[0].row)->transforms);
    staged_run_one(&s, 0);
    read_logits(&s, after);
    for (int i = 0; i < 80; i++) {
        size = fmax(size, fabs((double)before[i]));
        error = fmax(error, fabs((double)before[i] - (double)after[i]));
    }
    ck_assert_msg(size > 1e-3 && error < 1e-5 * size, "%s: %g of %g", f->recipe, error, size);
    staged_close(&s);
}

#define VIT "vit, patch: 8, dim: 48, depth: 2, heads: 3"
/* No rows of MobileNetV2: behind norms that are not its own it is chaotic. One unit in the last
 * place of all weights changes its logits by 5e-4 of their size; `biased` has its kinds of layers.
 */
static const fold folds[] = {
    { NET("resnet20") PTQ("from: weights"), NULL, 9, false },
    { NET("resnet20") PTQ("from: pictures, alpha: 0.5"), NULL, 9, false },
    { NET("resnet20") PTQ("from: weights, rows: true"), NULL, 9, false },
    { NET("smallcnn, width: 6") PTQ("from: pictures"), NULL, 4, false },
    { NET("mobilenet_v2, width: 0.25, stem: cifar") PTQ("from: pictures"), NULL, 1, true },
    { NET("mobilenet_v2, width: 0.25, stem: cifar") PTQ("from: pictures, shift: true"), NULL, 1,
      true },
    { NET(VIT) PTQ("from: pictures"), NULL, 5, true },
    { NET(VIT) PTQ("from: pictures, alpha: 1, beta: 0, shift: true"), NULL, 5, true },
    { NET("smallcnn") PTQ("from: weights, rows: true"), &biased, 1, false },
    { NET("smallcnn") PTQ("from: nothing, rows: true"), &biased, 1, false },
};

START_TEST(folds_leave_the_net)
{
    for (size_t i = 0; i < DT_ARRAY_LEN(folds); i++)
        check(&folds[i]);
}
END_TEST

/* Norms whose values stay above 0, and 1x1 and 3x3 convolutions without padding behind ReLU; one
 * with, and one behind ReLU6. */
static int build_unpadded(dt_builder *b, const void *options, int classes, int x)
{
    (void)options;
    x = dt_layer_conv2d(b, "conv1", DT_LAYER_FIRST, x, 8, 3, 4, 1, 1);
    x = dt_layer_relu(b, "relu1", dt_layer_batchnorm(b, "bn1", x));
    x = dt_layer_conv2d(b, "conv2", DT_LAYER_BODY, x, 8, 3, 1, 0, 2);
    x = dt_layer_relu(b, "relu2", dt_layer_batchnorm(b, "bn2", x));
    x = dt_layer_conv2d_bias(b, "conv3", DT_LAYER_BODY, x, 12, 1, 1, 0, 1);
    x = dt_layer_relu(b, "relu3", dt_layer_batchnorm(b, "bn3", x));
    x = dt_layer_conv2d(b, "conv4", DT_LAYER_BODY, x, 12, 3, 1, 1, 12);
    x = dt_layer_relu6(b, "relu4", dt_layer_batchnorm(b, "bn4", x));
    x = dt_layer_conv2d(b, "conv5", DT_LAYER_BODY, x, 12, 1, 1, 0, 1);
    x = dt_layer_gap(b, "avgpool", dt_layer_relu(b, "relu5", dt_layer_batchnorm(b, "bn5", x)));
    return dt_layer_linear(b, "fc", DT_LAYER_LAST, x, classes);
}
static const dt_model unpadded = { .row = { "unpadded", "", NULL, 0 }, .build = build_unpadded };

#define ABSORB(options)                                                                            \
    NET("smallcnn") "ptq: {images: 8, batch: 8, stages: [{absorb: {" options "}}, norms]}\n"

/* How much the shift of a norm's channel 0 was lowered by. */
static double lowered(staged *s, const char *name, real before)
{
    int64_t n;
    return (double)before - (double)test_net_data(&s->t, name, &n)[0];
}

/* What is taken out of bn1 and bn2 is put behind conv2 (its norm) and conv3 (its bias); the logits
 * stay. */
START_TEST(offsets_are_absorbed)
{
    static const char *const names[] = { "bn1.bias", "bn2.bias", "bn3.bias", "bn4.bias",
                                         "bn5.bias" };
    for (int from = 0; from < 2; from++) {
        staged s;
        real before[8 * 10], after[8 * 10];
        double size = 0, error = 0;
        int64_t n;
        staged_open_model(&s,
                          from ? ABSORB("from: pictures") : ABSORB("from: norms, deviations: 1"),
                          &unpadded, 1);
        for (int k = 0; k < 5; k++) {
            char gain[32];
            snprintf(gain, sizeof gain, "bn%d.weight", k + 1);
            real *shift = test_net_data(&s.t, names[k], &n), *g = test_net_data(&s.t, gain, &n);
            for (int64_t c = 0; c < n; c++) {
                shift[c] = 2;
                g[c] = (real)0.25;
            }
        }
        read_logits(&s, before);
        staged_run_one(&s, 0);
        read_logits(&s, after);
        for (int k = 0; k < 5; k++) {
            double by = lowered(&s, names[k], 2);
            bool absorbs = k < 2;
            ck_assert_msg(absorbs ? by > 0.1 : by == 0, "%s: %g", names[k], by);
            if (!from && absorbs) ck_assert_double_eq_tol(by, 1.75, 1e-6);
        }
        for (int i = 0; i < 80; i++) {
            size = fmax(size, fabs((double)before[i]));
            error = fmax(error, fabs((double)before[i] - (double)after[i]));
        }
        if (from) ck_assert_msg(error < 1e-5 * size, "%g of %g", error, size);
        staged_close(&s);
    }
}
END_TEST

/* Behind `rows` every output channel has the same scale of least error. */
START_TEST(rows_get_one_scale)
{
    staged s;
    dt_ptq q;
    staged_open(&s, NET("resnet20") PTQ("from: nothing, rows: true"), 1);
    shake(&s);
    staged_run_one(&s, 0);
    ck_assert_int_eq(dt_ptq_init(&q, &s.p, NULL), DT_OK);
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

DT_TEST_MAIN("edges", factors_as_worked_out, folds_leave_the_net, offsets_are_absorbed,
             rows_get_one_scale)
