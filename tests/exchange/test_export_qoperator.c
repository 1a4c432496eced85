/* ONNX files of integer operators, read back. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/exchange/net.h"
#include "tests/exchange/onnx_read.h"
#include "tests/support/run.h"
#include "tests/support/tempdir.h"

static Onnx__ModelProto *model_of(const dt_export_source *src)
{
    tempdir dir;
    dt_error err;
    const dt_exporter *e = dt_exporter_of(dt_table_find(&dt_exporters, "qoperator"));
    tempdir_init(&dir, "m.onnx");
    ck_assert_msg(e->write(src, NULL, dir.file, NULL, &err) == DT_OK, "%s", err.text);
    Onnx__ModelProto *m = onnx_read(dir.file);
    tempdir_fini(&dir);
    return m;
}

/* Inputs 3..5 of QLinearConv and QGemm are weight, scale and zero point; `bias` is another's. */
static void expect_product(const Onnx__ModelProto *m, const Onnx__NodeProto *n, size_t bias)
{
    const Onnx__TensorProto *w = onnx_tensor(m, n->input[3]), *s = onnx_tensor(m, n->input[4]);
    const Onnx__TensorProto *z = onnx_tensor(m, n->input[5]), *b = onnx_tensor(m, n->input[bias]);
    ck_assert(w && s && z && b);
    bool wide = w->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__UINT8;
    int most = 0;
    for (size_t i = 0; i < w->raw_data.len; i++) {
        int code = wide ? w->raw_data.data[i] - 128 : (signed char)w->raw_data.data[i];
        if (abs(code) > most) most = abs(code);
    }
    ck_assert_int_eq(wide, most > 64);
    ck_assert_int_eq(z->data_type, w->data_type);
    ck_assert_uint_eq(z->n_dims, s->n_dims);
    for (size_t i = 0; i < z->raw_data.len; i++)
        ck_assert_int_eq(z->raw_data.data[i], wide ? 128 : 0);
    ck_assert_int_eq(b->data_type, ONNX__TENSOR_PROTO__DATA_TYPE__INT32);
    ck_assert_int_eq(b->dims[0], w->dims[0]);
}

static int expect_products(const Onnx__ModelProto *m)
{
    int n = 0;
    for (size_t i = 0; i < m->graph->n_node; i++) {
        const Onnx__NodeProto *node = m->graph->node[i];
        bool gemm = strcmp(node->op_type, "QGemm") == 0;
        if (!gemm && (strcmp(node->op_type, "QLinearConv") != 0 || node->n_input < 9)) continue;
        expect_product(m, node, gemm ? 6 : 8);
        ck_assert_str_eq(node->domain ? node->domain : "", gemm ? "com.microsoft" : "");
        n++;
    }
    return n;
}

START_TEST(a_residual_net_is_integer_operators)
{
    testnet t;
    testnet_init(&t, RECIPE_RESNET RECIPE_W4A4);
    Onnx__ModelProto *m = model_of(&t.src);
    ck_assert_uint_eq(m->n_opset_import, 2);
    ck_assert_int_eq(m->opset_import[0]->version, 13);
    ck_assert_str_eq(m->opset_import[1]->domain, "com.microsoft");
    ck_assert_int_eq(expect_products(m), 20);
    ck_assert_int_eq(onnx_count(m, "QLinearConv"), 21); /* two of them subsample shortcuts */
    ck_assert_int_eq(onnx_count(m, "QLinearAdd"), 9);
    ck_assert_int_eq(onnx_count(m, "QLinearGlobalAveragePool"), 1);
    ck_assert_int_eq(onnx_count(m, "QGemm"), 1);
    ck_assert_int_eq(onnx_count(m, "Conv") + onnx_count(m, "Gemm") + onnx_count(m, "Add"), 0);
    ck_assert_str_eq(onnx_node(m, "logits")->op_type, "DequantizeLinear");
    ck_assert_str_eq(onnx_meta(m, "detent.gain.layer1.0.conv1"), "8");
    onnx__model_proto__free_unpacked(m, NULL);
    testnet_fini(&t);
}
END_TEST

START_TEST(weights_of_8_bits_are_unsigned)
{
    testnet t;
    testnet_init(&t, RECIPE_SMALL RECIPE_W8("yes"));
    Onnx__ModelProto *m = model_of(&t.src);
    ck_assert_int_eq(expect_products(m), 6);
    ck_assert_int_eq(onnx_tensor(m, "conv1.weight")->data_type,
                     ONNX__TENSOR_PROTO__DATA_TYPE__UINT8);
    onnx__model_proto__free_unpacked(m, NULL);
    testnet_fini(&t);
}
END_TEST

DT_TEST_MAIN("export_qoperator", a_residual_net_is_integer_operators,
             weights_of_8_bits_are_unsigned)
