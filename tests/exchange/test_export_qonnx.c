/* QONNX files, read back. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/exchange/net.h"
#include "tests/exchange/onnx_read.h"
#include "tests/support/run.h"
#include "tests/support/tempdir.h"

static Onnx__ModelProto *model_of(const dt_export_source *src)
{
    tempdir dir;
    dt_error err;
    const dt_exporter *e = dt_exporter_of(dt_table_find(&dt_exporters, "qonnx"));
    tempdir_init(&dir, "m.onnx");
    ck_assert_msg(e->write(src, NULL, dir.file, NULL, &err) == DT_OK, "%s", err.text);
    Onnx__ModelProto *m = onnx_read(dir.file);
    tempdir_fini(&dir);
    return m;
}

/* Inputs of Quant: value, scale, zero point, bits. */
static void expect_quant(const Onnx__ModelProto *m, const char *name, bool is_signed, int bits,
                         float scale)
{
    const Onnx__NodeProto *n = onnx_node(m, name);
    ck_assert_msg(n != NULL, "no '%s'", name);
    ck_assert_str_eq(n->op_type, "Quant");
    ck_assert_str_eq(n->domain, "qonnx.custom_op.general");
    ck_assert(onnx_float(m, n->input[1], 0) == scale);
    ck_assert(onnx_float(m, n->input[2], 0) == 0);
    ck_assert_msg(onnx_float(m, n->input[3], 0) == (float)bits, "%s: %g bits", name,
                  (double)onnx_float(m, n->input[3], 0));
    ck_assert_int_eq(onnx_attr(n, "signed")->i, is_signed);
    ck_assert_int_eq(onnx_attr(n, "narrow")->i, 0);
    ck_assert_mem_eq(onnx_attr(n, "rounding_mode")->s.data, "ROUND", 5);
}

START_TEST(quant_nodes_have_the_trained_bits)
{
    testnet t;
    testnet_init(&t, RECIPE_RESNET RECIPE_W4A4);
    Onnx__ModelProto *m = model_of(&t.src);
    ck_assert_str_eq(m->opset_import[1]->domain, "qonnx.custom_op.general");
    expect_quant(m, "conv1.input_quant/Quant", true, 8, 1);
    expect_quant(m, "layer1.0.conv1.input_quant/Quant", false, 4, 1);
    expect_quant(m, "layer1.0.branch_quant/Quant", true, 8, 1);
    expect_quant(m, "layer1.0.output_quant/Quant", false, 8, 1);
    ck_assert_int_eq(onnx_count(m, "Conv"), 21);
    ck_assert_int_eq(onnx_count(m, "MatMul"), 1);
    ck_assert_int_eq(onnx_count(m, "QuantizeLinear"), 0);
    /* Codes times the gain, which is the scale: a whole number that Quant keeps. */
    const Onnx__NodeProto *w = onnx_node(m, "layer1.0.conv1.weight/Quant");
    float gain = onnx_float(m, w->input[1], 0), bits = onnx_float(m, w->input[3], 0);
    ck_assert(gain == 8 && (bits == 4 || bits == 5)); /* 5: -8 of a negative norm scale is 8 */
    for (size_t i = 0; i < onnx_tensor(m, w->input[0])->raw_data.len / sizeof(float); i++) {
        float code = onnx_float(m, w->input[0], i) / gain;
        ck_assert(code == (float)(int)code && code >= -8 && code <= 8);
    }
    onnx__model_proto__free_unpacked(m, NULL);
    testnet_fini(&t);
}
END_TEST

DT_TEST_MAIN("export_qonnx", quant_nodes_have_the_trained_bits)
