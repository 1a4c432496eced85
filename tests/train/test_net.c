/* Parameters from and to files; batch-norm signs; calibration. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/net/net.h"

#include <math.h>
#include <string.h>

#include "autograd/quantizer.h"

#include "core/rng.h"
#include "tests/support/nets.h"

enum { BATCH = 4, PICTURE = 32 * 32 * 3 };

static void scramble(test_net *t, uint32_t stream)
{
    dt_rng rng;
    for (int i = 0; i < t->net.graph.value_count; i++) {
        real *x = t->net.state.data[i];
        if (!x) continue;
        dt_rng_open(&rng, 5, DT_RNG_TEST, stream, (uint64_t)i);
        bool spread = strstr(t->net.graph.value[i].name, "running_var") != NULL;
        for (int64_t k = 0; k < dt_shape_count(&t->net.graph.value[i].shape); k++)
            x[k] = (real)(spread ? 0.5 + dt_rng_uniform(&rng) : 0.2 * dt_rng_normal(&rng));
    }
}

static void expect_equal_nets(const test_net *a, const test_net *b)
{
    for (int i = 0; i < a->net.graph.value_count; i++) {
        if (!a->net.state.data[i]) continue;
        size_t n = (size_t)dt_shape_count(&a->net.graph.value[i].shape) * sizeof(real);
        ck_assert_mem_eq(a->net.state.data[i], b->net.state.data[i], n);
    }
}

static dt_status take(test_net *t, const dt_tensors *set, const char *path, bool native,
                      bool allow_missing, dt_net_report *report, dt_error *err)
{
    const dt_net_file file = { .set = set,
                               .path = path,
                               .importer = native ? &dt_importer_detent : NULL,
                               .native = native,
                               .allow_missing = allow_missing,
                               .missing_advice = "model.allow_missing=true starts them anew" };
    return dt_net_import(&t->net, &file, report, err);
}

static void round_trip(bool native)
{
    test_net a, b;
    dt_tensors set;
    dt_net_report report;
    test_net_open(&a, TEST_LSQ("smallcnn", "deploy"), false);
    test_net_open(&b, TEST_LSQ("smallcnn", "deploy"), false);
    scramble(&a, 1);
    ck_assert_int_eq(dt_tensors_init(&set, NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_net_export(&a.net, native, &set, NULL), DT_OK);
    ck_assert_int_eq(take(&b, &set, "f", native, false, &report, NULL), DT_OK);
    ck_assert_uint_eq((size_t)report.matched, set.count);
    ck_assert(report.missing == 0 && report.unexpected == 0 && report.has_quantizers);
    expect_equal_nets(&a, &b);
    dt_tensors_fini(&set);
    test_net_close(&a);
    test_net_close(&b);
}

START_TEST(tensors_come_back)
{
    round_trip(true);
    round_trip(false);
}
END_TEST

START_TEST(conv_weights_are_permuted)
{
    test_net t;
    dt_tensors set;
    int64_t n;
    test_net_open(&t, TEST_FLOAT("smallcnn"), false);
    real *w = test_net_data(&t, "conv2.weight", &n); /* [32,3,3,16] */
    for (int64_t i = 0; i < n; i++)
        w[i] = (real)i;
    ck_assert_int_eq(dt_tensors_init(&set, NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_net_export(&t.net, false, &set, NULL), DT_OK);
    const dt_named_tensor *f = dt_tensors_find(&set, "conv2.weight");
    ck_assert(dt_shape_equal(&f->shape, &DT_SHAPE(32, 16, 3, 3)));
    const float *there = f->data;
    for (int64_t o = 0; o < 32; o++)
        for (int64_t i = 0; i < 16; i++)
            for (int64_t p = 0; p < 9; p++)
                ck_assert(there[(o * 16 + i) * 9 + p] == (float)((o * 9 + p) * 16 + i));
    dt_tensors_fini(&set);
    test_net_close(&t);
}
END_TEST

/* All tensors of a float net but those whose names start with `without`. */
static void export_without(test_net *t, const char *without, dt_tensors *set)
{
    dt_tensors all;
    ck_assert_int_eq(dt_tensors_init(&all, NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_tensors_init(set, NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_net_export(&t->net, true, &all, NULL), DT_OK);
    for (size_t i = 0; i < all.count; i++) {
        const dt_named_tensor *x = &all.item[i];
        if (strncmp(x->name, without, strlen(without)) == 0) continue;
        ck_assert_int_eq(dt_tensors_add(set, x->name, x->dtype, &x->shape, x->data, NULL), DT_OK);
    }
    dt_tensors_fini(&all);
}

/* APoT's files have an alpha beside each layer's weight, under a name of their own. */
START_TEST(quantizer_parameters_have_published_names)
{
    test_net a, b;
    dt_tensors set, renamed;
    dt_net_report report;
    const char *recipe = "{model: {name: smallcnn}, data: {name: builtin}, quant: {placement: "
                         "paper, weights: {method: apot, bits: 4}, activations: {method: apot, "
                         "bits: 4}, first: none, last: none}}";
    test_net_open(&a, recipe, false);
    test_net_open(&b, recipe, false);
    scramble(&a, 2);
    ck_assert_int_eq(dt_tensors_init(&set, NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_tensors_init(&renamed, NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_net_export(&a.net, false, &set, NULL), DT_OK);
    for (size_t i = 0; i < set.count; i++) {
        const dt_named_tensor *t = &set.item[i];
        const char *name = t->name;
        if (strcmp(name, "conv2.weight_quant.alpha") == 0) name = "conv2.weight_quant.wgt_alpha";
        if (strcmp(name, "conv2.input_quant.alpha") == 0) name = "conv2.act_alpha";
        ck_assert_int_eq(dt_tensors_add(&renamed, name, t->dtype, &t->shape, t->data, NULL), DT_OK);
    }
    ck_assert_int_eq(take(&b, &renamed, "f", false, false, &report, NULL), DT_OK);
    ck_assert(report.missing == 0 && report.unexpected == 0 && report.has_quantizers);
    ck_assert_uint_eq((size_t)report.matched, set.count);
    expect_equal_nets(&a, &b);
    dt_tensors_fini(&set);
    dt_tensors_fini(&renamed);
    test_net_close(&a);
    test_net_close(&b);
}
END_TEST

START_TEST(missing_tensors_are_told)
{
    test_net t;
    dt_tensors set;
    dt_net_report report;
    dt_error err;
    const float extra[2] = { 1, 2 };
    test_net_open(&t, TEST_FLOAT("smallcnn"), false);
    export_without(&t, "fc.", &set);
    ck_assert_int_eq(
        dt_tensors_add(&set, "optimizer/momentum/x", DT_F32, &DT_SHAPE(2), extra, NULL), DT_OK);
    ck_assert_int_eq(take(&t, &set, "a.pth", true, false, &report, &err), DT_ERR_NOT_FOUND);
    ck_assert_str_eq(err.text, "a.pth: has no 'fc.weight' (2 of 27 tensors are missing); "
                               "model.allow_missing=true starts them anew");
    ck_assert_int_eq(take(&t, &set, "a.pth", true, true, &report, &err), DT_OK);
    ck_assert_int_eq(report.matched, 25);
    ck_assert_int_eq(report.missing, 2);
    ck_assert_str_eq(report.missing_name[1], "fc.bias");
    ck_assert_int_eq(report.unexpected, 0);
    dt_tensors_fini(&set);
    test_net_close(&t);
}
END_TEST

/* A file with little or nothing of the net is refused whatever is allowed, and nothing advised. */
START_TEST(a_file_of_another_net_is_no_start)
{
    test_net t;
    dt_tensors set;
    dt_net_report report;
    dt_error err;
    const float extra[64] = { 1 };
    test_net_open(&t, TEST_FLOAT("smallcnn"), false);
    ck_assert_int_eq(dt_tensors_init(&set, NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_tensors_add(&set, "stem.conv.weight", DT_F32, &DT_SHAPE(2), extra, NULL),
                     DT_OK);
    for (int with = 0; with < 2; with++) {
        if (with)
            ck_assert_int_eq(dt_tensors_add(&set, "bn5.bias", DT_F32, &DT_SHAPE(64), extra, NULL),
                             DT_OK);
        for (int allow = 0; allow < 2; allow++) {
            ck_assert_int_eq(take(&t, &set, "a.pth", false, allow, &report, &err),
                             DT_ERR_NOT_FOUND);
            ck_assert_msg(!strstr(err.text, "allow_missing"), "%s", err.text);
            ck_assert_msg(strstr(err.text, with ? "has 1 of the net's 27" : "has 0 of") &&
                              strstr(err.text, "'conv1.weight', but 'stem.conv.weight'"),
                          "%s", err.text);
        }
    }
    dt_tensors_fini(&set);
    test_net_close(&t);
}
END_TEST

START_TEST(unexpected_tensors_are_refused_unless_allowed)
{
    test_net t, before;
    dt_tensors set;
    dt_net_report report;
    dt_error err;
    dt_opt_words allow = { 1, { "blocks.*.gamma" } };
    const float extra[2] = { 1, 2 };
    static const char *const names[] = { "blocks.0.gamma", "blocks.1.gamma",
                                         "x.total_ops",    "conv1.num_batches_tracked",
                                         "ema/x",          "fc.scale" };
    test_net_open(&t, TEST_FLOAT("smallcnn"), false);
    test_net_open(&before, TEST_FLOAT("smallcnn"), false);
    ck_assert_int_eq(dt_tensors_init(&set, NULL, NULL), DT_OK);
    scramble(&t, 4);
    ck_assert_int_eq(dt_net_export(&t.net, false, &set, NULL), DT_OK);
    scramble(&t, 2);
    scramble(&before, 2);
    for (size_t i = 0; i < DT_ARRAY_LEN(names); i++)
        ck_assert_int_eq(dt_tensors_add(&set, names[i], DT_F32, &DT_SHAPE(2), extra, NULL), DT_OK);
    dt_net_file file = { .set = &set,
                         .path = "a.st",
                         .importer = (const dt_importer *)(const void *)dt_table_find(
                             &dt_importers, "safetensors"),
                         .unexpected_advice = "advice" };
    ck_assert_int_eq(dt_net_import(&t.net, &file, &report, &err), DT_ERR_NOT_FOUND);
    ck_assert_str_eq(err.text, "a.st: has 4 tensors that the net has not: 'blocks.0.gamma', "
                               "'blocks.1.gamma', 'ema/x', ...; advice");
    file.allow = &allow;
    ck_assert_int_eq(dt_net_import(&t.net, &file, &report, &err), DT_ERR_NOT_FOUND);
    ck_assert_str_eq(err.text,
                     "a.st: has 2 tensors that the net has not: 'ema/x', 'fc.scale'; advice");
    expect_equal_nets(&t, &before);
    allow = (dt_opt_words){ 3, { "blocks.?.gamma", "ema/x", "fc.scale" } };
    ck_assert_int_eq(dt_net_import(&t.net, &file, &report, &err), DT_OK);
    ck_assert_int_eq(report.unexpected, 4);
    ck_assert_str_eq(report.unexpected_name[3], "fc.scale");
    dt_tensors_fini(&set);
    test_net_close(&t);
    test_net_close(&before);
}
END_TEST

START_TEST(wrong_shapes_change_nothing)
{
    test_net t, before;
    dt_tensors set;
    dt_net_report report;
    dt_error err;
    const float values[32] = { 9 };
    test_net_open(&t, TEST_FLOAT("smallcnn"), false);
    test_net_open(&before, TEST_FLOAT("smallcnn"), false);
    scramble(&t, 3); /* the file */
    export_without(&t, "fc.bias", &set);
    scramble(&t, 2); /* the net */
    scramble(&before, 2);
    ck_assert_int_eq(dt_tensors_add(&set, "fc.bias", DT_F32, &DT_SHAPE(11), values, NULL), DT_OK);
    ck_assert_int_eq(take(&t, &set, "a.h5", true, false, &report, &err), DT_ERR_SHAPE);
    ck_assert_str_eq(err.text, "a.h5: fc.bias: has the shape [11], the model wants [10]; "
                               "model.reinit=fc.* starts it anew");
    expect_equal_nets(&t, &before);
    dt_tensors_fini(&set);
    test_net_close(&t);
    test_net_close(&before);
}
END_TEST

START_TEST(half_of_the_quantizers_is_told)
{
    test_net t;
    dt_tensors set;
    dt_net_report report;
    bool converted;
    test_net_open(&t, TEST_LSQ("smallcnn", "paper"), false);
    export_without(&t, "conv3.input_quant.scale", &set);
    ck_assert_int_eq(take(&t, &set, "a.h5", true, true, &report, NULL), DT_OK);
    ck_assert_int_eq(report.quantizers_missing, 2);
    ck_assert_str_eq(report.missing_quantizer, "conv3.input_quant.scale");
    for (int i = 0; i < t.net.graph.node_count; i++) {
        const dt_node *n = &t.net.graph.node[i];
        if (n->op->quantizes)
            ck_assert(dt_net_has_site(&t.net.graph, n, &set, &converted) ==
                      (strcmp(n->name, "conv3.input_quant") != 0));
    }
    dt_tensors_fini(&set);
    test_net_close(&t);
}
END_TEST

/* A float net's file with one element that is no number of a net. */
static void expect_refused(const char *name, dt_dtype type, double value, int64_t at,
                           const char *said)
{
    test_net t, before;
    dt_tensors set;
    dt_net_report report;
    dt_error err;
    test_net_open(&t, TEST_FLOAT("smallcnn"), false);
    test_net_open(&before, TEST_FLOAT("smallcnn"), false);
    export_without(&t, name, &set);
    const dt_value *v = &t.net.graph.value[dt_graph_find(&t.net.graph, name)];
    ck_assert_int_eq(dt_tensors_add(&set, name, type, &v->shape, NULL, NULL), DT_OK);
    unsigned char *data = dt_tensors_data(&set, set.count - 1);
    if (type == DT_F64)
        memcpy(data + 8 * at, &value, 8);
    else
        memcpy(data + 4 * at, &(float){ (float)value }, 4);
    ck_assert_int_eq(take(&t, &set, "a.h5", true, false, &report, &err), DT_ERR_NUMERIC);
    ck_assert_str_eq(err.text, said);
    expect_equal_nets(&t, &before);
    dt_tensors_fini(&set);
    test_net_close(&t);
    test_net_close(&before);
}

START_TEST(values_that_are_no_numbers_are_refused)
{
    expect_refused("conv2.weight", DT_F32, NAN, 3 * 144 + 50,
                   "a.h5: conv2.weight: element [3,1,0,2] is nan; it must be finite");
    expect_refused("bn1.running_var", DT_F32, INFINITY, 3,
                   "a.h5: bn1.running_var: element [3] is inf; it must be finite");
    expect_refused("bn1.running_mean", DT_F64, -INFINITY, 3,
                   "a.h5: bn1.running_mean: element [3] is -inf; it must be finite");
    expect_refused("fc.weight", DT_F64, 1e300, 65,
                   "a.h5: fc.weight: element [1,1] is 1e+300, which is beyond float32");
    expect_refused("bn5.running_var", DT_F32, -0.125, 63,
                   "a.h5: bn5.running_var: element [63] is -0.125; it cannot be negative");
}
END_TEST

/* Logits of a batch with running statistics. */
static void logits(test_net *t, real *out)
{
    dt_plan plan;
    dt_exec exec;
    dt_kernels k;
    static float x[BATCH * PICTURE];
    int32_t labels[BATCH] = { 0 };
    dt_rng rng;
    dt_rng_open(&rng, 8, DT_RNG_TEST, 0, 0);
    for (int i = 0; i < BATCH * PICTURE; i++)
        x[i] = (float)dt_rng_normal(&rng);
    ck_assert_int_eq(dt_kernels_init(&k, "scalar", NULL), DT_OK);
    ck_assert_int_eq(dt_plan_init(&plan,
                                  &(dt_plan_request){ .graph = &t->net.graph,
                                                      .kernels = &k,
                                                      .mode = DT_MODE_EVAL,
                                                      .batch = BATCH,
                                                      .threads = 1,
                                                      .outputs = &t->net.logits,
                                                      .output_count = 1 },
                                  NULL, NULL),
                     DT_OK);
    ck_assert_int_eq(dt_exec_init(&exec, &plan, &t->net.state, &k, NULL, NULL, NULL), DT_OK);
    dt_exec_set_input(&exec, t->net.input, x);
    dt_exec_set_input(&exec, t->net.labels, labels);
    ck_assert_int_eq(dt_exec_forward(&exec, NULL), DT_OK);
    memcpy(out, dt_exec_value(&exec, t->net.logits), BATCH * 10 * sizeof *out);
    dt_exec_fini(&exec);
    dt_plan_fini(&plan);
}

START_TEST(positive_scales_change_no_result)
{
    test_net t;
    real before[BATCH * 10], after[BATCH * 10];
    int64_t n;
    int negative = 0, small;
    test_net_open(&t, TEST_FLOAT("resnet20"), false);
    for (int i = 0; i < t.net.graph.value_count; i++) {
        const char *name = t.net.graph.value[i].name;
        bool gamma = t.net.state.data[i] && strstr(name, "bn") && strstr(name, ".weight");
        for (int64_t k = 0; gamma && k < t.net.graph.value[i].shape.dim[0]; k++)
            if (k % 3 == 0) t.net.state.data[i][k] = -(real)(0.5 + 0.1 * (double)(k % 7));
        bool mean = t.net.state.data[i] && strstr(name, "running_mean");
        for (int64_t k = 0; mean && k < t.net.graph.value[i].shape.dim[0]; k++)
            t.net.state.data[i][k] = (real)(0.1 * (double)(k % 5) - 0.2);
        for (int64_t k = 0; gamma && k < t.net.graph.value[i].shape.dim[0]; k++)
            negative += t.net.state.data[i][k] < 0;
    }
    real *last = test_net_data(&t, "layer3.2.bn2.weight", &n);
    last[1] = (real)1e-4; /* near 0, positive */
    logits(&t, before);
    ck_assert_int_eq(dt_net_make_gamma_positive(&t.net, &small), negative);
    ck_assert_int_gt(negative, 200);
    ck_assert_int_eq(small, 1);
    logits(&t, after);
    for (int i = 0; i < BATCH * 10; i++)
        ck_assert_msg(fabs((double)before[i] - (double)after[i]) <=
                          1e-5 * (1 + fabs((double)before[i])),
                      "logit %d: %.9g became %.9g", i, (double)before[i], (double)after[i]);
    for (int i = 0; i < t.net.graph.value_count; i++) {
        const char *name = t.net.graph.value[i].name;
        if (!t.net.state.data[i] || !strstr(name, "bn") || !strstr(name, ".weight")) continue;
        for (int64_t k = 0; k < t.net.graph.value[i].shape.dim[0]; k++)
            ck_assert(t.net.state.data[i][k] >= 0);
    }
    ck_assert_int_eq(dt_net_make_gamma_positive(&t.net, &small), 0);
    test_net_close(&t);
}
END_TEST

/* A bias in front of a norm turns with the weights. */
static int biased_build(dt_builder *b, const void *conf, int classes, int x)
{
    (void)conf;
    x = dt_layer_conv2d_bias(b, "conv1", DT_LAYER_FIRST, x, 8, 3, 2, 1, 1);
    x = dt_layer_relu(b, "relu1", dt_layer_batchnorm(b, "bn1", x));
    return dt_layer_linear(b, "fc", DT_LAYER_LAST, dt_layer_gap(b, "avgpool", x), classes);
}

START_TEST(biases_turn_with_their_weights)
{
    static const dt_model model = { .row = { "biased", "for tests", NULL, 0 },
                                    .build = biased_build };
    test_net t;
    real before[BATCH * 10], after[BATCH * 10];
    int64_t n;
    int small;
    test_net_open_model(&t, TEST_FLOAT("smallcnn"), &model, false);
    real *gamma = test_net_data(&t, "bn1.weight", &n), *bias = test_net_data(&t, "conv1.bias", &n);
    for (int64_t c = 0; c < n; c++) {
        gamma[c] = c % 3 == 1 ? (real)-0.7 : 1;
        bias[c] = (real)(0.3 + 0.1 * (double)c);
    }
    logits(&t, before);
    ck_assert_int_eq(dt_net_make_gamma_positive(&t.net, &small), 3);
    logits(&t, after);
    for (int i = 0; i < BATCH * 10; i++)
        ck_assert(fabs((double)before[i] - (double)after[i]) <=
                  1e-5 * (1 + fabs((double)before[i])));
    test_net_close(&t);
}
END_TEST

typedef struct sites {
    int count;
    double least_db;
} sites;

static void on_site(void *arg, const dt_site_report *r)
{
    sites *s = arg;
    s->count++;
    if (r->sqnr_db < s->least_db) s->least_db = r->sqnr_db;
    ck_assert_msg(r->scale > 0, "%s has the scale %g", r->name, r->scale);
}

START_TEST(calibration_starts_every_site)
{
    test_net t;
    dt_kernels k;
    sites s = { 0, 100 };
    static float x[BATCH * PICTURE];
    const int32_t labels[BATCH] = { 0 };
    dt_error err = { .status = DT_OK };
    dt_rng rng;
    dt_rng_open(&rng, 8, DT_RNG_TEST, 0, 0);
    for (int i = 0; i < BATCH * PICTURE; i++)
        x[i] = (float)(4 * dt_rng_uniform(&rng) - 2);
    ck_assert_int_eq(dt_kernels_init(&k, test_isa, NULL), DT_OK);
    test_net_open(&t, TEST_LSQ("smallcnn", "deploy"), false);
    ck_assert(dt_net_is_quantized(&t.net));
    ck_assert_msg(
        dt_net_calibrate(&t.net, &k, 1, x, labels, BATCH, true, on_site, &s, NULL, &err) == DT_OK,
        "%s", err.text);
    ck_assert_int_eq(s.count, 14);
    /* 4 bits give 15 to 25 dB on bell-shaped values, 8 bits 40 and more. */
    ck_assert_double_gt(s.least_db, 12);
    x[7] = (float)NAN;
    ck_assert_int_eq(
        dt_net_calibrate(&t.net, &k, 1, x, labels, BATCH, true, NULL, NULL, NULL, &err),
        DT_ERR_NUMERIC);
    ck_assert_ptr_nonnull(strstr(err.text, "_quant: values are not finite"));
    test_net_close(&t);
}
END_TEST

/* Number of quantizers, and the bits of one; -1: it is not there. */
static int quantizers(const dt_graph *g, const char *name, int *out_bits)
{
    int count = 0;
    *out_bits = -1;
    for (int i = 0; i < g->node_count; i++) {
        const dt_fakequant_conf *c = g->node[i].conf;
        if (!g->node[i].op->quantizes) continue;
        count++;
        if (strcmp(g->node[i].name, name) == 0) *out_bits = c->site.bits;
    }
    return count;
}

START_TEST(graphs_of_phases)
{
    static const dt_recipe_phase floats = { .weight_bits = 32, .activation_bits = 32 },
                                 six = { .weight_bits = 6 };
    test_net t;
    dt_graph g;
    dt_error err = { .status = DT_OK };
    int bits;
    test_net_open(&t, TEST_LSQ("smallcnn", "deploy"), false);
    int all = quantizers(&t.net.graph, "", &bits);
    ck_assert_int_eq(dt_net_phase(&t.net, &floats, NULL, &g, NULL), DT_OK);
    ck_assert_int_eq(quantizers(&g, "", &bits), 0);
    ck_assert_str_eq(g.node[g.value[t.net.logits].producer].op->name, "linear");
    dt_graph_fini(&g);
    ck_assert_int_eq(dt_net_phase(&t.net, &six, NULL, &g, NULL), DT_OK);
    ck_assert_int_eq(quantizers(&g, "conv2.weight_quant", &bits), all);
    ck_assert_int_eq(bits, 6);
    quantizers(&g, "conv1.weight_quant", &bits);
    ck_assert_int_eq(bits, 8); /* the first layer had more */
    quantizers(&g, "conv2.input_quant", &bits);
    ck_assert_int_eq(bits, 4);
    dt_graph_fini(&g);
    test_net_close(&t);
    test_net_open(&t, TEST_FLOAT("smallcnn"), false);
    ck_assert_int_eq(dt_net_phase(&t.net, &six, NULL, &g, &err), DT_ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.text, "weight_bits of epoch 0: the net has no such"));
    test_net_close(&t);
}
END_TEST

DT_TEST_MAIN("net", graphs_of_phases, tensors_come_back, conv_weights_are_permuted,
             quantizer_parameters_have_published_names, missing_tensors_are_told,
             a_file_of_another_net_is_no_start, unexpected_tensors_are_refused_unless_allowed,
             values_that_are_no_numbers_are_refused, wrong_shapes_change_nothing,
             half_of_the_quantizers_is_told, positive_scales_change_no_result,
             biases_turn_with_their_weights, calibration_starts_every_site)
