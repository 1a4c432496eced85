/* The fused graph against the plain one. Scales are set to powers of two: then products of codes
 * are exact in float as well, and the whole forward pass has to agree bit for bit. Backward, sums
 * of parameters' gradients are taken in another order: 1e-4 of the largest element of a tensor. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "autograd/op_batchnorm.h"
#include "autograd/query.h"
#include "core/rng.h"
#include "tests/support/nets.h"

enum { BATCH = 12, SIDE = 32, PICTURE = SIDE * SIDE * 3, CLASSES = 10 };

typedef struct side { /* one of the two nets, at the same parameters */
    test_net t;
    dt_plan plan;
    dt_exec exec;
} side;

static float pictures[BATCH * PICTURE];
static int32_t labels[BATCH];

static void fill_batch(void)
{
    dt_rng rng;
    dt_rng_open(&rng, 1, DT_RNG_TEST, 0, 0);
    for (size_t i = 0; i < DT_ARRAY_LEN(pictures); i++)
        pictures[i] = (float)(5 * dt_rng_uniform(&rng) - 2.5);
    for (int i = 0; i < BATCH; i++)
        labels[i] = (int32_t)dt_rng_below(&rng, CLASSES);
}

/* Scales to powers of two; gamma and beta away from their starts, so that gradients differ. */
static void set_parameters(dt_net *net)
{
    const dt_graph *g = &net->graph;
    dt_rng rng;
    dt_rng_open(&rng, 2, DT_RNG_TEST, 0, 0);
    for (int i = 0; i < g->value_count; i++) {
        const dt_value *v = &g->value[i];
        real *x = net->state.data[i];
        for (int64_t k = 0; x && k < dt_shape_count(&v->shape); k++) {
            if (v->role == DT_ROLE_QUANT) x[k] = exp2f(rintf(log2f(x[k])));
            if ((v->role == DT_ROLE_NORM || v->role == DT_ROLE_BIAS) && v->kind == DT_VALUE_PARAM)
                x[k] += (real)(0.2 * dt_rng_normal(&rng));
        }
    }
}

/* `model`: instead of the recipe's, NULL: the recipe's. */
static void open_model(side *s, const char *recipe, const dt_model *model, const dt_kernels *k,
                       bool plain, dt_mode mode, int threads)
{
    dt_error err = { .status = DT_OK };
    test_net_open_model(&s->t, recipe, model, true);
    dt_net *net = &s->t.net;
    net->plain = plain;
    if (dt_net_is_quantized(net))
        ck_assert_int_eq(
            dt_net_calibrate(net, k, 1, pictures, labels, BATCH, true, NULL, NULL, NULL, &err),
            DT_OK);
    set_parameters(net);
    const int outputs[] = { net->loss, net->logits };
    ck_assert_int_eq(dt_plan_init(&s->plan,
                                  &(dt_plan_request){ .graph = dt_net_steps(net),
                                                      .kernels = k,
                                                      .mode = mode,
                                                      .batch = BATCH,
                                                      .threads = threads,
                                                      .outputs = outputs,
                                                      .output_count = 2 },
                                  NULL, &err),
                     DT_OK);
    ck_assert_int_eq(dt_exec_init(&s->exec, &s->plan, &net->state, k, NULL, NULL, &err), DT_OK);
    dt_exec_set_input(&s->exec, net->input, pictures);
    dt_exec_set_input(&s->exec, net->labels, labels);
    ck_assert_int_eq(dt_exec_forward(&s->exec, &err), DT_OK);
    if (mode == DT_MODE_TRAIN) dt_exec_backward(&s->exec);
}

static void open_side(side *s, const char *recipe, const dt_kernels *k, bool plain, dt_mode mode,
                      int threads)
{
    open_model(s, recipe, NULL, k, plain, mode, threads);
}

static void close_side(side *s)
{
    dt_exec_fini(&s->exec);
    dt_plan_fini(&s->plan);
    test_net_close(&s->t);
}

static const real *value_of(const side *s, int v)
{
    return dt_exec_value(&s->exec, v);
}

static double largest(const real *x, int64_t n)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++)
        most = fmax(most, fabs((double)x[i]));
    return most;
}

/* The largest gradient among the net's parameters of one number that are called alike ("scale").
 * Such a gradient is a sum of thousands of terms: where they cancel, their rounding errors stay,
 * and these go with what the sums of its kind come to when nothing cancels. */
static double largest_alike(const dt_net *net, const dt_value *v)
{
    const char *kind = strrchr(v->name, '.');
    double most = 0;
    for (int i = 0; kind && i < net->graph.value_count; i++) {
        const dt_value *w = &net->graph.value[i];
        const char *dot = strrchr(w->name, '.');
        if (w->kind == DT_VALUE_PARAM && dt_shape_count(&w->shape) == 1 && dot &&
            strcmp(dot, kind) == 0 && net->state.grad[i])
            most = fmax(most, fabs((double)net->state.grad[i][0]));
    }
    return most;
}

/* The largest element of the gradient of value i. A bias in front of a batch norm has none but
 * rounding: what it is made of is as large as the norm's own bias has it. */
static double scale_of(const dt_net *net, int i, int64_t n)
{
    const dt_graph *g = &net->graph;
    const dt_node *reader = dt_query_reader(g, i), *norm = NULL;
    if (reader && reader->op->product && dt_query_bias(reader) == i)
        norm = dt_query_norm(g, NULL, reader);
    return largest(net->state.grad[norm ? norm->in[DT_BN_BETA] : i], n);
}

static void compare(const char *recipe, const side *a, const side *b, bool gradients)
{
    const dt_net *net = &a->t.net;
    const dt_graph *g = &net->graph;
    ck_assert_msg(memcmp(value_of(a, net->logits), value_of(b, net->logits),
                         BATCH * CLASSES * sizeof(real)) == 0,
                  "%s: logits differ", recipe);
    int checked = 0;
    for (int i = 0; i < g->value_count; i++) {
        const dt_value *v = &g->value[i];
        int64_t n = dt_shape_count(&v->shape);
        if (v->kind == DT_VALUE_BUFFER)
            ck_assert_msg(
                memcmp(net->state.data[i], b->t.net.state.data[i], (size_t)n * sizeof(real)) == 0,
                "%s: buffer %s differs", recipe, v->name);
        if (v->kind != DT_VALUE_PARAM || !gradients) continue;
        const real *x = net->state.grad[i], *y = b->t.net.state.grad[i];
        ck_assert_msg(!x == !y, "%s: %s has a gradient in one graph only", recipe, v->name);
        if (!x) continue;
        double most = scale_of(net, i, n), bound = 1e-4 * most + 1e-12;
        if (n == 1) bound = fmax(bound, 1e-7 * largest_alike(net, v));
        for (int64_t k = 0; k < n; k++)
            ck_assert_msg(fabs((double)x[k] - (double)y[k]) <= bound,
                          "%s: gradient of %s[%d]: %.9g fused, %.9g plain", recipe, v->name, (int)k,
                          (double)x[k], (double)y[k]);
        checked += most > 0;
    }
    ck_assert_int_gt(checked, gradients ? 10 : -1);
}

static int count_nodes(const dt_graph *g, const char *op)
{
    int n = 0;
    for (int i = 0; i < g->node_count; i++)
        n += strcmp(g->node[i].op->name, op) == 0;
    return n;
}

/* Stages of chains that are no codes (APoT), and other gradients than LSQ's. */
#define OTHER(method, more)                                                                        \
    "{model: {name: smallcnn}, data: {name: builtin}, quant: {placement: paper, weights: "         \
    "{method: "                                                                                    \
    "lsq, bits: 4" more "}, activations: {method: " method ", bits: 4" more                        \
    "}, first: {activations: none}, last: {activations: {method: lsq}}}}"
#define MOBILE "mobilenet_v2, width: 0.25"
#define RESNET_B "resnet20, shortcut: conv"
/* Levels that are integers: of 4 steps, so that these are powers of two as well. */
#define APOT                                                                                       \
    "{model: {name: smallcnn}, data: {name: builtin}, quant: {placement: paper, weights: "         \
    "{method: apot, bits: 3}, activations: {method: apot, bits: 2}, first: {weights: {method: "    \
    "lsq}, activations: none}, last: {weights: {method: lsq}, activations: {method: lsq}}}}"
#define VIT "vit, dim: 24, depth: 2, heads: 2, dropout: 0.1, drop_path: 0.2"
static const struct {
    const char *recipe;
    int chains, codes, norms, attentions, linears, encodes; /* nodes of the fused graph */
} cases[] = {
    { TEST_FLOAT("resnet20"), 19, 0, 0 },
    { TEST_FLOAT(RESNET_B), 19, 0, 2 },
    { TEST_LSQ("resnet20", "paper"), 19, 19, 0, 0, 0, 1 },
    { TEST_LSQ("resnet20", "deploy"), 19, 19, 0, 0, 0, 1 },
    { TEST_LSQ("smallcnn", "deploy"), 5, 5, 0, 0, 0, 1 },
    { APOT, 5, 4, 0 },
    { OTHER("lsqplus", ", ste: ewgs"), 5, 4, 0 },
    { OTHER("lsq", ", ste: tanh"), 5, 4, 0 },
    { TEST_FLOAT(VIT), 0, 0, 0, 2 },
    { TEST_LSQ(VIT, "paper"), 0, 0, 0, 2, 8, 8 },
    { TEST_LSQ(VIT, "deploy"), 0, 0, 0, 2, 8, 8 },
    { TEST_FLOAT(MOBILE), 46, 0, 6 },
    { TEST_LSQ(MOBILE, "paper"), 47, 52, 5, 0, 0, 6 },
    { TEST_LSQ(MOBILE, "deploy"), 52, 52, 0, 0, 0, 1 },
};

START_TEST(fused_and_plain_agree)
{
    fill_batch();
    dt_kernels k;
    ck_assert_int_eq(dt_kernels_init(&k, test_isa, NULL), DT_OK);
    for (size_t i = 0; i < DT_ARRAY_LEN(cases); i++)
        for (int mode = DT_MODE_TRAIN; mode <= DT_MODE_EVAL; mode++) {
            side fused, plain;
            open_side(&fused, cases[i].recipe, &k, false, (dt_mode)mode, 2);
            open_side(&plain, cases[i].recipe, &k, true, (dt_mode)mode, 1);
            compare(cases[i].recipe, &fused, &plain, mode == DT_MODE_TRAIN);
            const dt_graph *g = &fused.t.net.fused;
            ck_assert_int_eq(count_nodes(g, "chain"), cases[i].chains);
            ck_assert_int_eq(count_nodes(g, "conv2d_codes"), cases[i].codes);
            ck_assert_int_eq(count_nodes(g, "batchnorm"), cases[i].norms);
            ck_assert_int_eq(count_nodes(g, "attention"), cases[i].attentions);
            ck_assert_int_eq(count_nodes(g, "softmax"), 0);
            ck_assert_int_eq(count_nodes(g, "linear_codes"), cases[i].linears);
            ck_assert_int_eq(count_nodes(g, "encode_codes"), cases[i].encodes);
            close_side(&fused);
            close_side(&plain);
        }
}
END_TEST

/* Biases in front of norms, which chains take in, and without one. */
static int biased_build(dt_builder *b, const void *conf, int classes, int x)
{
    (void)conf;
    x = dt_layer_conv2d_bias(b, "conv1", DT_LAYER_FIRST, x, 8, 3, 2, 1, 1);
    x = dt_layer_relu(b, "relu1", dt_layer_batchnorm(b, "bn1", x));
    x = dt_layer_relu(b, "relu2",
                      dt_layer_conv2d_bias(b, "conv2", DT_LAYER_BODY, x, 6, 3, 1, 1, 2));
    int y = dt_layer_conv2d_bias(b, "conv3", DT_LAYER_BODY, x, 12, 3, 2, 1, 1);
    y = dt_layer_relu(b, "relu3", dt_layer_batchnorm(b, "bn3", y));
    y = dt_layer_conv2d(b, "conv4", DT_LAYER_BODY, y, 12, 3, 1, 1, 1);
    y = dt_layer_relu(b, "relu4", dt_layer_batchnorm(b, "bn4", y));
    return dt_layer_linear(b, "fc", DT_LAYER_LAST, dt_layer_gap(b, "avgpool", y), classes);
}

START_TEST(biases_of_convolutions)
{
    static const dt_model model = { .row = { "biased", "for tests", NULL, 0 },
                                    .build = biased_build };
    static const char *const recipes[] = { TEST_FLOAT("smallcnn"), TEST_LSQ("smallcnn", "paper"),
                                           TEST_LSQ("smallcnn", "deploy") };
    fill_batch();
    dt_kernels k;
    ck_assert_int_eq(dt_kernels_init(&k, test_isa, NULL), DT_OK);
    for (size_t r = 0; r < DT_ARRAY_LEN(recipes); r++)
        for (int mode = DT_MODE_TRAIN; mode <= DT_MODE_EVAL; mode++) {
            side fused, plain;
            open_model(&fused, recipes[r], &model, &k, false, (dt_mode)mode, 2);
            open_model(&plain, recipes[r], &model, &k, true, (dt_mode)mode, 1);
            compare(recipes[r], &fused, &plain, mode == DT_MODE_TRAIN);
            const dt_graph *g = &fused.t.net.fused;
            ck_assert_int_eq(count_nodes(g, "chain"), 3);
            ck_assert_int_eq(count_nodes(g, "conv2d_codes"), r ? 4 : 0);
            close_side(&fused);
            close_side(&plain);
        }
}
END_TEST

/* A nan is told in the loss or by the executor. */
static void not_hidden(side *s, const char *what)
{
    ck_assert_int_eq(dt_exec_forward(&s->exec, NULL), DT_OK);
    ck_assert_msg(s->exec.lost || isnan((double)value_of(s, s->t.net.loss)[0]), "%s is hidden",
                  what);
}

/* Codes have no nan: the executor has to tell. */
START_TEST(nothing_hides_a_nan)
{
    fill_batch();
    dt_kernels k;
    side s;
    int64_t n;
    ck_assert_int_eq(dt_kernels_init(&k, test_isa, NULL), DT_OK);
    static const char *const names[] = { "layer2.1.conv1.weight", "conv1.weight",
                                         "layer1.0.bn1.bias", "layer3.0.bn2.weight",
                                         "layer3.1.conv1.input_quant.scale" };
    for (size_t i = 0; i < DT_ARRAY_LEN(names); i++) {
        open_side(&s, TEST_LSQ("resnet20", "paper"), &k, false, DT_MODE_TRAIN, 1);
        ck_assert(!s.exec.lost);
        test_net_data(&s.t, names[i], &n)[0] = NAN;
        not_hidden(&s, names[i]);
        close_side(&s);
    }
}
END_TEST

/* In evaluation no statistics of the batch tell of it. */
START_TEST(nothing_hides_a_nan_of_the_picture)
{
    fill_batch();
    dt_kernels k;
    ck_assert_int_eq(dt_kernels_init(&k, "", NULL), DT_OK);
    for (size_t i = 0; i < DT_ARRAY_LEN(cases); i++) {
        side s;
        float kept = pictures[PICTURE + 7];
        open_side(&s, cases[i].recipe, &k, false, DT_MODE_EVAL, 2);
        ck_assert(!s.exec.lost);
        pictures[PICTURE + 7] = NAN;
        not_hidden(&s, cases[i].recipe);
        pictures[PICTURE + 7] = kept;
        ck_assert_int_eq(dt_exec_forward(&s.exec, NULL), DT_OK);
        ck_assert(!s.exec.lost);
        close_side(&s);
    }
}
END_TEST

/* The other operand of a chain's add is of a convolution without a norm. */
static int sum_build(dt_builder *b, const void *conf, int classes, int x)
{
    (void)conf;
    int skip = dt_layer_conv2d(b, "skip", DT_LAYER_FIRST, x, 8, 3, 2, 1, 1);
    x = dt_layer_conv2d(b, "conv1", DT_LAYER_FIRST, x, 8, 3, 2, 1, 1);
    x = dt_layer_relu(b, "relu1", dt_layer_add(b, "add", dt_layer_batchnorm(b, "bn1", x), skip));
    x = dt_layer_conv2d(b, "conv2", DT_LAYER_BODY, x, 8, 3, 1, 1, 1);
    x = dt_layer_gap(b, "avgpool", dt_layer_relu(b, "relu2", dt_layer_batchnorm(b, "bn2", x)));
    return dt_layer_linear(b, "fc", DT_LAYER_LAST, x, classes);
}

START_TEST(no_chain_hides_a_nan_that_is_added)
{
    static const dt_model model = { .row = { "sum", "for tests", NULL, 0 }, .build = sum_build };
    fill_batch();
    dt_kernels k;
    ck_assert_int_eq(dt_kernels_init(&k, "", NULL), DT_OK);
    for (int mode = DT_MODE_TRAIN; mode <= DT_MODE_EVAL; mode++) {
        side s;
        int64_t n;
        open_model(&s, OTHER("lsq", ""), &model, &k, false, (dt_mode)mode, 1);
        ck_assert_int_eq(count_nodes(&s.t.net.fused, "chain"), 2);
        ck_assert(!s.exec.lost);
        test_net_data(&s.t, "skip.weight", &n)[0] = NAN;
        not_hidden(&s, "what is added");
        close_side(&s);
    }
}
END_TEST

/* Nor is a scale that is nan hidden by any product of codes: linear layers, convolutions. */
START_TEST(no_product_hides_a_nan_scale)
{
    static const char *const recipes[] = { TEST_LSQ(VIT, "paper"), TEST_LSQ("smallcnn", "paper") };
    fill_batch();
    dt_kernels k;
    ck_assert_int_eq(dt_kernels_init(&k, "", NULL), DT_OK);
    for (size_t r = 0; r < DT_ARRAY_LEN(recipes); r++) {
        side s;
        int tried = 0;
        open_side(&s, recipes[r], &k, false, DT_MODE_EVAL, 1);
        const dt_graph *g = dt_net_steps(&s.t.net);
        for (int i = 0; i < g->node_count; i++) {
            const dt_node *node = &g->node[i];
            bool linear = strcmp(node->op->name, "linear_codes") == 0;
            if (!linear && strcmp(node->op->name, "conv2d_codes") != 0) continue;
            for (int j = linear ? 3 : 2; j < node->in_count; j++) {
                real *x = s.t.net.state.data[node->in[j]], kept = x[0];
                if (!strstr(g->value[node->in[j]].name, "_quant.scale") ||
                    strstr(g->value[node->in[j]].name, "_start"))
                    continue;
                x[0] = NAN;
                not_hidden(&s, g->value[node->in[j]].name);
                x[0] = kept;
                tried++;
            }
        }
        ck_assert_int_gt(tried, 5);
        close_side(&s);
    }
}
END_TEST

DT_TEST_MAIN("fuse", fused_and_plain_agree, biases_of_convolutions, nothing_hides_a_nan,
             nothing_hides_a_nan_of_the_picture, no_chain_hides_a_nan_that_is_added,
             no_product_hides_a_nan_scale)
