/* Golden graphs: small nets around one operation, in every granularity and with awkward grids,
 * written in every integer format together with pictures and the integer model's codes.
 *
 *   golden FOLDER
 *
 * For each case and format there are the exported file and a file NAME.FORMAT.golden, in the form
 * that the scripts of `detent verify --runtime` read (cli/runtime.c): golden_check.py runs them
 * all. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <math.h>
#include <stdio.h>

#include "autograd/quantizer.h"
#include "tests/integer/models.h"

enum { PICTURES = 8, CLASSES = 5 };

typedef enum state { PLAIN, ODD_ZERO, DYADIC, SATURATING, STATES } state;
static const char *const state_name[STATES] = { "plain", "odd-zero", "dyadic", "saturating" };

/* The operation: a conv of these numbers, or another where there is no kernel. */
typedef struct shape {
    const char *name;
    int channels, outputs, kernel, stride, pad, groups;
    bool norm, relu, bias;
} shape;
static const shape shapes[] = {
    { "conv", 7, 5, 3, 1, 1, 1, true, true },
    { "conv-signed", 6, 9, 3, 1, 1, 1, true, false },
    { "conv-plain", 8, 8, 3, 1, 0, 1, false, true }, /* no norm: weights keep their one scale */
    { "conv-stride2", 5, 7, 3, 2, 1, 1, true, true },
    { "conv-bias", 5, 6, 3, 1, 1, 1, true, true, true },
    { "conv-bias-plain", 6, 5, 3, 1, 1, 1, false, true, true },
    { "conv-1x1", 9, 11, 1, 1, 0, 1, true, true },
    { "conv-5x5", 3, 4, 5, 2, 2, 1, true, true },
    { "grouped", 6, 10, 3, 1, 1, 2, true, true },
    { "depthwise", 7, 7, 3, 1, 1, 7, true, true },
    { "depthwise-stride2", 6, 6, 3, 2, 1, 6, true, false },
    { "add", 7, 7, 0, 1, 0, 1, true, true },
    { "maxpool", 5, 5, 0, 2, 1, 1, true, true },
    { "shortcut", 4, 9, 0, 2, 0, 1, true, true },
};

static const shape *current; /* of the net that is built */

static int add_operation(dt_builder *b, const shape *s, int x)
{
    if (s->kernel) {
        x = (s->bias ? dt_layer_conv2d_bias : dt_layer_conv2d)(
            b, "op", DT_LAYER_BODY, x, s->outputs, s->kernel, s->stride, s->pad, s->groups);
        if (s->norm) x = dt_layer_batchnorm(b, "op_norm", x);
        return s->relu ? dt_layer_relu(b, "op_relu", x) : x;
    }
    if (strcmp(s->name, "maxpool") == 0)
        return dt_layer_maxpool(b, "op", dt_layer_stream(b, "stem", x), 3, s->stride, s->pad);
    x = dt_layer_stream(b, "stem", x);
    int skip = x;
    if (s->stride > 1) skip = dt_layer_pad_shortcut(b, "op_skip", x, s->outputs, s->stride);
    int y = dt_layer_conv2d(b, "branch", DT_LAYER_BODY, x, s->outputs, 3, s->stride, 1, 1);
    return dt_layer_residual(b, "op", dt_layer_batchnorm(b, "branch_norm", y), skip);
}

static int build(dt_builder *b, const void *conf, int classes, int x)
{
    (void)conf;
    x = dt_layer_conv2d(b, "first", DT_LAYER_FIRST, x, current->channels, 3, 1, 1, 1);
    x = dt_layer_relu(b, "first_relu", dt_layer_batchnorm(b, "first_norm", x));
    x = add_operation(b, current, x);
    x = dt_layer_gap(b, "pool", x);
    return dt_layer_linear(b, "fc", DT_LAYER_LAST, x, classes);
}
static const dt_model model_row = { .row = { "golden", "for tests", NULL, 0 }, .build = build };

static real nearest_power(real x)
{
    return (real)exp2(rint(log2((double)x)));
}

/* Scales that are powers of two, so that sums fall on ties; norms that keep them so. */
static void make_dyadic(testnet *t, const dt_node *n)
{
    real *const *data = t->net.state.data;
    const dt_graph *g = &t->net.graph;
    int64_t count = g->value[n->in[1]].shape.dim[0];
    if (n->op->quantizes)
        for (int64_t i = 0; i < dt_shape_count(&g->value[n->in[1]].shape); i++)
            data[n->in[1]][i] = nearest_power(data[n->in[1]][i]);
    if (!n->op->batch_stat) return;
    for (int64_t c = 0; c < count; c++) {
        data[n->in[DT_BN_GAMMA]][c] = c % 3 ? 1 : (real).5;
        data[n->in[DT_BN_VAR]][c] = (real)(1 - 1e-5);
        data[n->in[DT_BN_MEAN]][c] = 0;
        data[n->in[DT_BN_BETA]][c] = (real)((double)(c % 5 - 2) / 16);
    }
}

static void apply(testnet *t, state s)
{
    for (int i = 0; i < t->net.graph.node_count; i++) {
        const dt_node *n = &t->net.graph.node[i];
        const dt_fakequant_conf *c = dt_query_quantizer(n);
        real *const *data = t->net.state.data;
        if (s == DYADIC) make_dyadic(t, n);
        if (s == SATURATING && c)
            for (int64_t k = 0; k < dt_shape_count(&t->net.graph.value[n->in[1]].shape); k++)
                data[n->in[1]][k] /= c->site.weight ? 2 : 6;
        if (s == ODD_ZERO && c && !c->site.weight) /* scale and zero point */
            data[n->in[2]][0] = (real)(1 + 2 * (i * 37 % 60));
    }
}

static void make_recipe(char *text, size_t size, bool each, int bits, state s)
{
    const char *method = s == ODD_ZERO ? "asymmetric, form: scale_offset" : "lsq";
    snprintf(text, size,
             "model: {name: smallcnn, classes: %d, width: 4}\n" RECIPE_DATA
             "quant: {weights: {method: lsq, bits: %d, granularity: %s, narrow: yes}, "
             "activations: {method: %s, bits: %d}, "
             "first: {weights: %d, activations: 8}, last: {weights: %d, activations: 8}}\n",
             CLASSES, bits, each ? "channel" : "tensor", method, bits == 8 || s == ODD_ZERO ? 8 : 4,
             bits, bits);
}

typedef struct format {
    const char *name, *rounding;
} format;
static const format formats[] = {
    { "onnx", "fp32" },      { "qoperator", "fp32" },    { "qonnx", "unfused" },
    { "tflite", "xnnpack" }, { "tflite-ref", "double" }, { "tflite_int4", "double" },
};

static const dt_exporter *exporter_of(const format *f)
{
    const dt_row *row =
        dt_table_find(&dt_exporters, strcmp(f->name, "tflite-ref") == 0 ? "tflite" : f->name);
    ck_assert_ptr_nonnull(row);
    return dt_exporter_of(row);
}

static dt_int_model *lower(const testnet *t, const format *f)
{
    testnet as = *t;
    as.low.no_gain = exporter_of(f)->no_gain;
    return int_model(&as, f->rounding);
}

static bool is_code(const dt_int_model *m, int node)
{
    return !m->value[m->node[node].out].is_sum;
}

static void write_header(FILE *to, const dt_int_model *m, const char *file)
{
    json_t *nodes = json_array();
    for (int i = 0; i < m->node_count; i++) {
        const dt_int_value *v = &m->value[m->node[i].out];
        if (is_code(m, i))
            json_array_append_new(nodes,
                                  json_pack("{s:s,s:I,s:I,s:I,s:i}", "name", m->node[i].name, "H",
                                            (json_int_t)v->H, "W", (json_int_t)v->W, "C",
                                            (json_int_t)v->C, "zero", v->grid.zero_point));
    }
    json_t *o =
        json_pack("{s:s,s:s,s:i,s:i,s:i,s:i,s:o}", "model", file, "rounding", m->contract->name,
                  "H", TESTNET_SIDE, "W", TESTNET_SIDE, "C", 3, "classes", CLASSES, "nodes", nodes);
    ck_assert_ptr_nonnull(o);
    json_dumpf(o, to, JSON_COMPACT);
    fputc('\n', to);
    json_decref(o);
}

static void write_batch(FILE *to, const dt_int_model *m, const float *x)
{
    dt_int_run r;
    float logits[PICTURES * CLASSES];
    const int64_t n = PICTURES, end = 0;
    ck_assert_int_eq(dt_int_run_init(&r, m, &dt_int_reference, NULL, 1, PICTURES, NULL, NULL),
                     DT_OK);
    dt_int_run_forward(&r, x, n);
    dt_int_run_logits(&r, logits);
    fwrite(&n, sizeof n, 1, to);
    fwrite(x, sizeof *x, (size_t)(n * TESTNET_SIDE * TESTNET_SIDE * 3), to);
    for (int i = 0; i < m->node_count; i++)
        if (is_code(m, i))
            fwrite(r.data[m->node[i].out], 1, (size_t)(n * dt_int_count(&m->value[m->node[i].out])),
                   to);
    fwrite(logits, sizeof *logits, PICTURES * CLASSES, to);
    fwrite(&end, sizeof end, 1, to);
    dt_int_run_fini(&r);
}

static void write_format(const testnet *t, const format *f, const char *folder, const char *name)
{
    char file[512], golden[512];
    dt_error err = { .text = "" };
    const dt_exporter *e = exporter_of(f);
    snprintf(file, sizeof file, "%s/%s.%s.%s", folder, name, f->name, e->extension);
    snprintf(golden, sizeof golden, "%s/%s.%s.golden", folder, name, f->name);
    void *conf = dt_get(NULL, e->row.conf_size + 1, "conf");
    if (e->row.opts) dt_opt_defaults(e->row.opts, conf);
    ck_assert_msg(e->write(&t->src, conf, file, NULL, &err) == DT_OK, "%s: %s", file, err.text);
    dt_put(NULL, conf);
    FILE *to = fopen(golden, "wb");
    ck_assert_ptr_nonnull(to);
    dt_int_model *m = lower(t, f);
    float *x = int_pictures(PICTURES, 21);
    write_header(to, m, file);
    write_batch(to, m, x);
    dt_put(NULL, x);
    dt_int_model_free(m);
    ck_assert_int_eq(fclose(to), 0);
}

/* Norms of positive scale, as training starts with: the lowest code has no negative. */
static void make_positive(testnet *t)
{
    for (int i = 0; i < t->net.graph.node_count; i++) {
        const dt_node *n = &t->net.graph.node[i];
        if (!n->op->batch_stat) continue;
        for (int64_t c = 0; c < t->net.graph.value[n->in[DT_BN_GAMMA]].shape.dim[0]; c++)
            t->net.state.data[n->in[DT_BN_GAMMA]][c] =
                (real)fabs((double)t->net.state.data[n->in[DT_BN_GAMMA]][c]) + (real).1;
    }
}

static void write_case(const char *folder, const shape *s, bool each, int bits, state how)
{
    char recipe[1024], name[128];
    testnet t;
    current = s;
    make_recipe(recipe, sizeof recipe, each, bits, how);
    snprintf(name, sizeof name, "%s-%s-w%d-%s", s->name, each ? "channel" : "tensor", bits,
             state_name[how]);
    testnet_init_model(&t, recipe, &model_row);
    make_positive(&t);
    apply(&t, how);
    for (size_t i = 0; i < DT_ARRAY_LEN(formats); i++)
        write_format(&t, &formats[i], folder, name);
    testnet_fini(&t);
}

static const char *target_folder;

START_TEST(golden)
{
    for (size_t i = 0; i < DT_ARRAY_LEN(shapes); i++)
        for (int each = 0; each < 2; each++)
            for (int how = 0; how < STATES; how++)
                write_case(target_folder, &shapes[i], each, how % 2 ? 8 : 4, (state)how);
}
END_TEST

int main(int argc, char **argv)
{
    if (argc != 2) return 1;
    target_folder = argv[1];
    Suite *suite = suite_create("golden");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 600);
    tcase_add_test(all, golden);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
