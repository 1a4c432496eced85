/* ONNX files, read back. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "integer/lower.h"
#include "tests/exchange/net.h"
#include "tests/exchange/onnx_read.h"
#include "tests/support/run.h"
#include "tests/support/tempdir.h"

typedef struct options {
    bool allow_float;
} options;

static dt_status write_onnx(const dt_export_source *src, bool allow_float, const char *path,
                            dt_export_report *report, dt_error *err)
{
    const dt_row *row = dt_table_find(&dt_exporters, "onnx");
    options conf = { false };
    ck_assert_uint_eq(row->conf_size, sizeof conf);
    dt_opt_defaults(row->opts, &conf);
    ck_assert(!conf.allow_float);
    conf.allow_float = allow_float;
    return dt_exporter_of(row)->write(src, &conf, path, report, err);
}

static Onnx__ModelProto *model_of(const dt_export_source *src, bool allow_float)
{
    tempdir dir;
    dt_error err = { .text = "" };
    tempdir_init(&dir, "m.onnx");
    ck_assert_msg(write_onnx(src, allow_float, dir.file, NULL, &err) == DT_OK, "%s", err.text);
    Onnx__ModelProto *m = onnx_read(dir.file);
    tempdir_fini(&dir);
    return m;
}

/* What must hold for every quantized value, conv and Gemm of an integer model. */
static void expect_quantizers(const Onnx__ModelProto *m)
{
    for (size_t i = 0; i < m->graph->n_node; i++) {
        const Onnx__NodeProto *n = m->graph->node[i];
        if (strcmp(n->op_type, "QuantizeLinear") == 0) {
            const Onnx__TensorProto *s = onnx_tensor(m, n->input[1]);
            ck_assert(s && s->n_dims == 0 && onnx_float(m, n->input[1], 0) > 0);
            const Onnx__NodeProto *before = onnx_node(m, n->input[0]);
            int z = onnx_byte(m, n->input[2]); /* uint8 */
            ck_assert(z == 0 || z == 128);
            if (before && strcmp(before->op_type, "Relu") == 0) ck_assert_int_eq(z, 0);
        }
        if (strcmp(n->op_type, "Clip") == 0) {
            ck_assert_str_eq(onnx_node(m, n->input[0])->op_type, "QuantizeLinear");
            ck_assert_int_lt(onnx_byte(m, n->input[1]), onnx_byte(m, n->input[2]));
        }
    }
}

static void expect_product(const Onnx__ModelProto *m, const Onnx__NodeProto *n)
{
    const Onnx__NodeProto *x = onnx_node(m, n->input[0]), *w = onnx_node(m, n->input[1]);
    ck_assert_str_eq(x->op_type, "DequantizeLinear");
    ck_assert_str_eq(w->op_type, "DequantizeLinear");
    ck_assert_uint_eq(w->n_input, 3); /* a zero point is there */
    const Onnx__TensorProto *code = onnx_tensor(m, w->input[0]), *z = onnx_tensor(m, w->input[2]);
    bool wide = code->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__UINT8;
    ck_assert(wide || code->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__INT8);
    ck_assert_int_eq(z->data_type, code->data_type);
    for (size_t i = 0; i < z->raw_data.len; i++)
        ck_assert_int_eq(z->raw_data.data[i], wide ? 128 : 0);
    for (size_t i = 0; !wide && i < code->raw_data.len; i++)
        ck_assert_int_le(abs((signed char)code->raw_data.data[i]), 64);
    if (n->n_input < 3) return;
    const Onnx__NodeProto *b = onnx_node(m, n->input[2]);
    const Onnx__TensorProto *bias = onnx_tensor(m, b->input[0]), *s = onnx_tensor(m, b->input[1]);
    ck_assert_str_eq(b->op_type, "DequantizeLinear");
    ck_assert_uint_eq(b->n_input, 2);
    ck_assert_int_eq(bias->data_type, ONNX__TENSOR_PROTO__DATA_TYPE__INT32);
    ck_assert_int_eq(bias->dims[0], code->dims[0]);
    ck_assert_uint_eq(s->n_dims, onnx_tensor(m, w->input[1])->n_dims);
    if (s->n_dims) ck_assert_int_eq(onnx_attr(b, "axis")->i, 0);
    if (s->n_dims) ck_assert_int_eq(onnx_attr(w, "axis")->i, 0);
    for (size_t c = 0; c < s->raw_data.len / sizeof(float); c++)
        ck_assert(onnx_float(m, b->input[1], c) ==
                  onnx_float(m, x->input[1], 0) * onnx_float(m, w->input[1], c));
}

static int expect_products(const Onnx__ModelProto *m)
{
    int n = 0;
    for (size_t i = 0; i < m->graph->n_node; i++) {
        const Onnx__NodeProto *node = m->graph->node[i];
        if (strcmp(node->op_type, "Conv") != 0 && strcmp(node->op_type, "Gemm") != 0) continue;
        expect_product(m, node);
        n++;
    }
    return n;
}

START_TEST(a_plain_net_is_integer_throughout)
{
    testnet t;
    testnet_init(&t, RECIPE_SMALL RECIPE_W4A4);
    t.src.mean = t.src.std = (const float[]){ .25f, .5f, .1f };
    Onnx__ModelProto *m = model_of(&t.src, false);
    ck_assert_int_eq(m->ir_version, 7);
    ck_assert_int_eq(m->opset_import[0]->version, 13);
    expect_quantizers(m);
    ck_assert_int_eq(expect_products(m), 6);
    ck_assert_int_eq(onnx_count(m, "GlobalAveragePool"), 1);
    ck_assert_int_eq(onnx_count(m, "QuantizeLinear"), 8); /* 5 convs, pool twice, logits */
    ck_assert_int_eq(onnx_count(m, "Clip"), 4);           /* the 4-bit ones */
    ck_assert_int_eq(onnx_byte(m, "conv1.input_quant.zero_point"), 128);
    ck_assert_int_eq(onnx_byte(m, "conv2.input_quant.zero_point"), 0);
    ck_assert_int_eq(onnx_byte(m, "conv2.input_quant.high"), 15);
    ck_assert_int_eq(onnx_tensor(m, "conv1.weight")->data_type,
                     ONNX__TENSOR_PROTO__DATA_TYPE__UINT8);
    const Onnx__TypeProto__Tensor *x = m->graph->input[0]->type->tensor_type;
    ck_assert_str_eq(m->graph->input[0]->name, "input");
    ck_assert_str_eq(x->shape->dim[0]->dim_param, "N");
    ck_assert_int_eq(x->shape->dim[1]->dim_value, 3);
    ck_assert_str_eq(m->graph->output[0]->name, "logits");
    ck_assert_str_eq(onnx_node(m, "logits")->op_type, "DequantizeLinear");
    ck_assert_int_eq(onnx_attr(onnx_node(m, "fc/Gemm"), "transB")->i, 1);
    ck_assert_str_eq(onnx_meta(m, "detent.bits.conv2"), "w4 a4");
    ck_assert_str_eq(onnx_meta(m, "detent.gain.conv2"), "8");
    ck_assert_str_eq(onnx_meta(m, "detent.rounding"), "fp32-RNE");
    ck_assert_str_eq(onnx_meta(m, "detent.input.mean"), "0.25 0.5 0.100000001");
    onnx__model_proto__free_unpacked(m, NULL);
    testnet_fini(&t);
}
END_TEST

START_TEST(signed_grids_of_few_bits_are_clipped)
{
    testnet t;
    testnet_init(&t, RECIPE_SMALL RECIPE_QUANT("first: {activations: 3}"));
    Onnx__ModelProto *m = model_of(&t.src, false);
    ck_assert_int_eq(onnx_byte(m, "conv1.input_quant.zero_point"), 128);
    ck_assert_int_eq(onnx_byte(m, "conv1.input_quant.low"), 124);
    ck_assert_int_eq(onnx_byte(m, "conv1.input_quant.high"), 131);
    onnx__model_proto__free_unpacked(m, NULL);
    testnet_fini(&t);
}
END_TEST

START_TEST(residual_nets_keep_codes_on_shortcuts)
{
    testnet t;
    dt_export_report report;
    testnet_init(&t, RECIPE_RESNET RECIPE_W4A4);
    Onnx__ModelProto *m = model_of(&t.src, false);
    expect_quantizers(m);
    ck_assert_int_eq(expect_products(m), 19 + 2 + 1);
    ck_assert_int_eq(onnx_count(m, "Add"), 9);
    const Onnx__NodeProto *conv = onnx_node(m, "layer2.0.shortcut/Conv");
    const Onnx__TensorProto *w = onnx_tensor(m, "layer2.0.shortcut.weight");
    ck_assert_uint_eq(conv->n_input, 2);
    ck_assert_int_eq(onnx_attr(conv, "strides")->ints[0], 2);
    ck_assert(w->dims[0] == 32 && w->dims[1] == 16 && w->dims[2] == 1);
    for (int o = 0; o < 32; o++)
        for (int i = 0; i < 16; i++)
            ck_assert_int_eq(w->raw_data.data[o * 16 + i], o == i + 8);
    ck_assert(onnx_float(m, "layer2.0.shortcut.weight.scale", 0) == 1);
    /* the same grid before and after */
    const Onnx__NodeProto *before = onnx_node(m, conv->input[0]);
    const Onnx__NodeProto *after = onnx_node(m, "layer2.0.shortcut/QuantizeLinear");
    ck_assert_str_eq(before->input[1], after->input[1]);
    ck_assert_str_eq(before->input[2], after->input[2]);
    onnx__model_proto__free_unpacked(m, NULL);
    ck_assert_int_eq(write_onnx(&t.src, false, NULL, &report, NULL), DT_OK);
    ck_assert_int_eq(report.missing, 0);
    ck_assert_int_eq(report.layer_count, 2);
    ck_assert_uint_gt(report.bytes, 270000);
    testnet_fini(&t);
}
END_TEST

/* onnxruntime would join Q-DQ-Q-DQ into one pair with another scale. */
START_TEST(a_clip_parts_two_quantizers_of_8_bits)
{
    testnet t;
    testnet_init(&t, RECIPE_RESNET RECIPE_W8("auto"));
    Onnx__ModelProto *m = model_of(&t.src, false);
    expect_quantizers(m);
    expect_products(m);
    const Onnx__NodeProto *clip = onnx_node(m, "layer1.0.conv1.input_quant/Clip");
    ck_assert_ptr_nonnull(clip);
    ck_assert_int_eq(onnx_byte(m, clip->input[1]), 0);
    ck_assert_int_eq(onnx_byte(m, clip->input[2]), 255);
    onnx__model_proto__free_unpacked(m, NULL);
    testnet_fini(&t);
}
END_TEST

START_TEST(float_parts_need_permission)
{
    testnet t;
    dt_error err;
    testnet_init(&t, RECIPE_SMALL);
    ck_assert_int_eq(write_onnx(&t.src, false, NULL, NULL, &err), DT_ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.text, "float network"));
    ck_assert_ptr_nonnull(strstr(err.text, "--allow-float"));
    Onnx__ModelProto *m = model_of(&t.src, true);
    ck_assert_int_eq(onnx_count(m, "Conv"), 5);
    ck_assert_int_eq(onnx_count(m, "BatchNormalization"), 0);
    ck_assert_int_eq(onnx_count(m, "QuantizeLinear"), 0);
    ck_assert_str_eq(onnx_node(m, onnx_node(m, "logits")->input[0])->op_type, "Flatten");
    ck_assert_str_eq(onnx_meta(m, "detent.arithmetic"), "float parts");
    ck_assert_ptr_nonnull(onnx_meta(m, "detent.optimization"));
    onnx__model_proto__free_unpacked(m, NULL);
    testnet_fini(&t);
    testnet_init(&t, RECIPE_RESNET RECIPE_QUANT("placement: paper"));
    ck_assert_int_eq(write_onnx(&t.src, false, NULL, NULL, &err), DT_ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.text, "output of 'conv1'"));
    m = model_of(&t.src, true);
    ck_assert_int_eq(onnx_count(m, "Conv"), 21);
    expect_product(m, onnx_node(m, "layer1.0.bn1/Conv"));
    onnx__model_proto__free_unpacked(m, NULL);
    testnet_fini(&t);
}
END_TEST

DT_TEST_MAIN("export_onnx", a_plain_net_is_integer_throughout, signed_grids_of_few_bits_are_clipped,
             residual_nets_keep_codes_on_shortcuts, a_clip_parts_two_quantizers_of_8_bits,
             float_parts_need_permission)
