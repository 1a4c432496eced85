/* Transformers as ONNX, read back. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "autograd/query.h"
#include "integer/lower.h"
#include "tests/exchange/net.h"
#include "tests/exchange/onnx_read.h"
#include "tests/support/run.h"
#include "tests/support/tempdir.h"

#define RECIPE_VIT                                                                                 \
    "model: {name: vit, classes: 10, patch: 4, dim: 12, heads: 2, depth: 1, mlp_ratio: 2, "        \
    "dropout: 0.1, drop_path: 0.1}\n" RECIPE_DATA

static dt_status write_as(const char *format, const dt_export_source *src, bool allow_float,
                          const char *path, dt_export_report *report, dt_error *err)
{
    const dt_row *row = dt_table_find(&dt_exporters, format);
    char conf[2048];
    ck_assert_uint_le(row->conf_size, sizeof conf);
    if (row->opts) dt_opt_defaults(row->opts, conf);
    if (allow_float)
        ck_assert_int_eq(dt_opt_set(dt_opt_find(row->opts, "allow_float"), conf, "yes", NULL, NULL),
                         DT_OK);
    return dt_exporter_of(row)->write(src, conf, path, report, err);
}

static Onnx__ModelProto *model_of(const char *format, const dt_export_source *src, bool allow_float)
{
    tempdir dir;
    dt_error err = { .text = "" };
    tempdir_init(&dir, "m.onnx");
    ck_assert_msg(write_as(format, src, allow_float, dir.file, NULL, &err) == DT_OK, "%s",
                  err.text);
    Onnx__ModelProto *m = onnx_read(dir.file);
    tempdir_fini(&dir);
    return m;
}

static bool is_op(const Onnx__NodeProto *n, const char *op)
{
    return n && strcmp(n->op_type, op) == 0;
}

/* Operands are dequantized, and the only reader quantizes: so that a runtime joins them. */
static void expect_fusible(const Onnx__ModelProto *m, const char *op, int count)
{
    ck_assert_int_eq(onnx_count(m, op), count);
    for (size_t i = 0; i < m->graph->n_node; i++) {
        const Onnx__NodeProto *n = m->graph->node[i];
        int readers = 0;
        if (!is_op(n, op)) continue;
        for (int k = 0; k < 2; k++) {
            const Onnx__NodeProto *x = onnx_node(m, n->input[k]);
            ck_assert_msg(is_op(x, "DequantizeLinear"), "%s input %d", n->name, k);
        }
        for (size_t j = 0; j < m->graph->n_node; j++)
            for (size_t k = 0; k < m->graph->node[j]->n_input; k++) {
                if (strcmp(m->graph->node[j]->input[k], n->output[0]) != 0) continue;
                ck_assert_msg(is_op(m->graph->node[j], "QuantizeLinear"), "%s", n->name);
                readers++;
            }
        ck_assert_int_eq(readers, 1);
    }
}

/* Which element of a tensor [a,b,c,...] in C order. */
static const unsigned char *codes(const Onnx__ModelProto *m, const char *name, size_t count)
{
    const Onnx__TensorProto *t = onnx_tensor(m, name);
    ck_assert_msg(t != NULL, "no '%s'", name);
    ck_assert_uint_eq(t->raw_data.len, count);
    return t->raw_data.data;
}

/* Queries, keys and values have their rows of the joint layer. */
static void expect_rows(const testnet *t, const Onnx__ModelProto *m)
{
    enum { C = 12 };
    static const char *const part[] = { "q", "k", "v" };
    dt_lowered *l;
    char name[64];
    ck_assert_int_eq(dt_lower_new(&t->low, &l, NULL), DT_OK);
    const dt_node *qkv = testnet_node(t, "linear", "blocks.0.attn.qkv");
    const dt_lower_product *p = l->product[dt_query_index(&t->net.graph, qkv)];
    ck_assert(p->scales == (int64_t)3 * C && p->has_bias);
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "blocks.0.attn.%s.weight", part[i]);
        ck_assert_int_eq(memcmp(codes(m, name, C * C), p->code + i * C * C, C * C), 0);
        snprintf(name, sizeof name, "blocks.0.attn.%s.weight.scale", part[i]);
        ck_assert_int_eq(memcmp(codes(m, name, 4 * C), p->scale + i * C, 4 * C), 0);
        snprintf(name, sizeof name, "blocks.0.attn.%s.bias", part[i]);
        ck_assert_int_eq(memcmp(codes(m, name, 4 * C), p->bias_code + i * C, 4 * C), 0);
        snprintf(name, sizeof name, "blocks.0.attn.%s.bias.scale", part[i]);
        ck_assert_int_eq(memcmp(codes(m, name, 4 * C), p->bias_scale + i * C, 4 * C), 0);
    }
    dt_lower_free(l);
}

#define RECIPE_VIT_QUANT(more)                                                                     \
    RECIPE_VIT "quant: {weights: {method: lsq, bits: 4, granularity: channel}, "                   \
               "activations: {method: lsq, bits: 4}, first: {weights: 8, activations: 8}, "        \
               "last: {weights: 8, activations: 8}" more "}\n"

/* Biases start at 0, and a wrong part of zeros is not seen. */
static void randomize_biases(testnet *t)
{
    dt_rng rng;
    dt_rng_open(&rng, 5, DT_RNG_TEST, 0, 0);
    for (int i = 0; i < t->net.graph.value_count; i++) {
        const dt_value *v = &t->net.graph.value[i];
        for (int64_t k = 0; v->role == DT_ROLE_BIAS && k < dt_shape_count(&v->shape); k++)
            t->net.state.data[i][k] = (real)dt_rng_normal(&rng);
    }
}

START_TEST(a_transformer_is_fusible_but_for_its_norms)
{
    testnet t;
    dt_export_report report;
    testnet_init(&t, RECIPE_VIT_QUANT(""));
    randomize_biases(&t);
    Onnx__ModelProto *m = model_of("onnx", &t.src, false);
    ck_assert_int_eq(m->opset_import[0]->version, 17);
    ck_assert_int_eq(m->ir_version, 8);
    expect_fusible(m, "Conv", 1);
    expect_fusible(m, "Gemm", 7);
    expect_fusible(m, "MatMul", 2);
    ck_assert_int_eq(onnx_count(m, "LayerNormalization"), 3);
    ck_assert_int_eq(onnx_count(m, "Erf"), 0);
    ck_assert_int_eq(onnx_count(m, "Gather"), 2); /* GELU's table, the class token */
    ck_assert_int_eq(onnx_count(m, "Softmax"), 1);
    ck_assert_int_eq(onnx_count(m, "Dropout"), 0);
    expect_rows(&t, m);
    /* 1 / sqrt(6) is in the scale of the queries; their codes have the trained one */
    float s = onnx_float(m, "blocks.0.attn.q_quant.scale", 0);
    ck_assert(onnx_float(m, "blocks.0.attn.scores.q.scale", 0) == (float)((double)s / sqrt(6)));
    const Onnx__NodeProto *quantize = onnx_node(m, "blocks.0.attn.q_quant/QuantizeLinear");
    ck_assert_str_eq(quantize->input[1], "blocks.0.attn.q_quant.scale");
    const Onnx__NodeProto *keys = onnx_node(m, "blocks.0.attn.scores.k/Transpose");
    ck_assert_int_eq(onnx_attr(keys, "perm")->ints[2], 3);
    ck_assert_str_eq(onnx_meta(m, "detent.arithmetic"), "float parts");
    const char *level = onnx_meta(m, "detent.optimization");
    ck_assert(level && strstr(level, "ORT_ENABLE_ALL"));
    char kept[512];
    ck_assert_uint_lt(strlen(level), sizeof kept);
    strcpy(kept, level);
    onnx__model_proto__free_unpacked(m, NULL);
    ck_assert_int_eq(write_as("onnx", &t.src, false, NULL, &report, NULL), DT_OK);
    ck_assert_int_eq(report.missing, 0);
    ck_assert_int_eq(report.floats, 4);
    ck_assert_str_eq(report.depends, kept);
    testnet_fini(&t);
}
END_TEST

/* A fused softmax would wrap. A row has 10 probabilities. */
START_TEST(a_softmax_of_small_steps_stays_in_float)
{
    static const struct {
        const char *recipe;
        float most;
    } cases[] = {
        { RECIPE_VIT_QUANT(""), 15 },
        { RECIPE_VIT "quant: {weights: {method: lsq, bits: 8}, "
                     "activations: {method: lsq, bits: 8}}\n",
          255 },
    };
    for (size_t i = 0; i < DT_ARRAY_LEN(cases); i++) {
        testnet t;
        testnet_init(&t, cases[i].recipe);
        const dt_node *site = testnet_node(&t, "fakequant", "blocks.0.attn.probs_quant");
        real *scale = t.net.state.data[site->in[1]];
        *scale = (real)(1.01 / 1000);
        Onnx__ModelProto *m = model_of("onnx", &t.src, false);
        const char *x = onnx_node(m, "blocks.0.attn.probs_quant/QuantizeLinear")->input[0];
        ck_assert_str_eq(onnx_node(m, x)->op_type, "Softmax");
        onnx__model_proto__free_unpacked(m, NULL);
        *scale = (real)(0.99 / 1000);
        m = model_of("onnx", &t.src, false);
        x = onnx_node(m, "blocks.0.attn.probs_quant/QuantizeLinear")->input[0];
        const Onnx__NodeProto *limit = onnx_node(m, x);
        ck_assert_str_eq(limit->op_type, "Min");
        ck_assert_str_eq(onnx_node(m, limit->input[0])->op_type, "Softmax");
        ck_assert(onnx_float(m, limit->input[1], 0) == cases[i].most * (float)*scale);
        onnx__model_proto__free_unpacked(m, NULL);
        testnet_fini(&t);
    }
}
END_TEST

/* The class token is in row 0, where no patch is. */
START_TEST(the_class_token_is_added_with_the_positions)
{
    testnet t;
    testnet_init(&t, RECIPE_VIT_QUANT(""));
    Onnx__ModelProto *m = model_of("onnx", &t.src, false);
    const dt_node *n = testnet_node(&t, "class_position", "pos_embed");
    const real *token = t.net.state.data[n->in[0]], *at = t.net.state.data[n->in[1]];
    ck_assert_uint_eq(onnx_tensor(m, "pos_embed.sum")->raw_data.len, 10 * 12 * sizeof(float));
    for (size_t j = 0; j < 24; j++)
        ck_assert(onnx_float(m, "pos_embed.sum", j) == (float)(at[j] + (j < 12 ? token[j] : 0)));
    const Onnx__NodeProto *pad = onnx_node(m, "embed/Pad");
    const int64_t *pads = (const void *)codes(m, pad->input[1], 6 * sizeof(int64_t));
    ck_assert(pads[1] == 1 && pads[0] == 0 && pads[4] == 0);
    ck_assert_str_eq(pad->input[2], "embed.branch_quant.zero_point");
    onnx__model_proto__free_unpacked(m, NULL);
    testnet_fini(&t);
}
END_TEST

START_TEST(missing_quantizers_of_attention_are_named)
{
    testnet t;
    dt_error err;
    dt_export_report report;
    testnet_init(&t, RECIPE_VIT_QUANT(", placement: paper, "
                                      "rules: [{layers: \"*.probs\", activations: none}]"));
    ck_assert_int_eq(write_as("onnx", &t.src, false, NULL, NULL, &err), DT_ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.text, "output of 'blocks.0.attn.scores'"));
    ck_assert_ptr_nonnull(strstr(err.text, "an operand of 'blocks.0.attn'"));
    ck_assert_ptr_nonnull(strstr(err.text, "--allow-float"));
    Onnx__ModelProto *m = model_of("onnx", &t.src, true);
    ck_assert_int_eq(onnx_count(m, "Gemm"), 7);
    onnx__model_proto__free_unpacked(m, NULL);
    ck_assert_int_eq(write_as("onnx", &t.src, true, NULL, &report, NULL), DT_OK);
    ck_assert_int_gt(report.missing, 0);
    testnet_fini(&t);
}
END_TEST

START_TEST(a_float_transformer_has_no_codes)
{
    testnet t;
    testnet_init(&t, RECIPE_VIT);
    Onnx__ModelProto *m = model_of("onnx", &t.src, true);
    ck_assert_int_eq(onnx_count(m, "QuantizeLinear") + onnx_count(m, "DequantizeLinear"), 0);
    ck_assert_int_eq(onnx_count(m, "Gemm"), 7);
    ck_assert_str_eq(onnx_node(m, "logits")->op_type, "Gemm");
    ck_assert(onnx_float(m, "blocks.0.attn.scores.factor", 0) == (float)(1 / sqrt(6)));
    onnx__model_proto__free_unpacked(m, NULL);
    testnet_fini(&t);
}
END_TEST

/* TensorRT: a DequantizeLinear directly behind every QuantizeLinear. */
START_TEST(symmetric_codes_are_not_moved)
{
    testnet t;
    testnet_init(&t, RECIPE_VIT_QUANT(", residual: {bits: 7}"));
    Onnx__ModelProto *m = model_of("onnx_trt", &t.src, true);
    for (size_t i = 0; i < m->graph->n_node; i++) {
        const Onnx__NodeProto *n = m->graph->node[i];
        if (!is_op(n, "DequantizeLinear")) continue;
        const Onnx__NodeProto *x = onnx_node(m, n->input[0]);
        ck_assert_msg(!x || is_op(x, "QuantizeLinear"), "%s", n->name);
    }
    onnx__model_proto__free_unpacked(m, NULL);
    testnet_fini(&t);
}
END_TEST

START_TEST(integer_formats_name_what_has_no_integer_form)
{
    static const char *const formats[] = { "c", "qoperator", "qonnx", "tflite" };
    testnet t;
    dt_error err;
    testnet_init(&t, RECIPE_VIT_QUANT(""));
    for (size_t i = 0; i < DT_ARRAY_LEN(formats); i++) {
        ck_assert_int_eq(write_as(formats[i], &t.src, false, NULL, NULL, &err), DT_ERR_UNSUPPORTED);
        ck_assert_ptr_nonnull(strstr(err.text, "blocks.0.norm1"));
        ck_assert_ptr_nonnull(strstr(err.text, "--format onnx"));
    }
    testnet_fini(&t);
}
END_TEST

DT_TEST_MAIN("onnx_tokens", a_transformer_is_fusible_but_for_its_norms,
             a_softmax_of_small_steps_stays_in_float, the_class_token_is_added_with_the_positions,
             missing_quantizers_of_attention_are_named, a_float_transformer_has_no_codes,
             symmetric_codes_are_not_moved, integer_formats_name_what_has_no_integer_form)
