/* What all ONNX rows share: permission for float parts, metadata, opsets. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/onnx_file.h"

#include "tests/exchange/net.h"
#include "tests/exchange/onnx_read.h"
#include "tests/support/run.h"
#include "tests/support/tempdir.h"

/* One node of another domain, and packed halves of bytes. */
static dt_status build(const dt_export_source *src, const dt_lowered *l, const void *arg,
                       dt_onnx *m, dt_error *err)
{
    (void)arg;
    (void)src, (void)l, (void)err;
    const dt_shape three = DT_SHAPE(3), x = DT_SHAPE(1, 3);
    dt_onnx_input(m, "input", &x);
    dt_onnx_output(m, "logits", &x);
    dt_onnx_constant(m, "halves", DT_ONNX_S4, &three, (const signed char[]){ -8, 7, -1 });
    dt_onnx_node(m, "some.where:Thing", (const char *[]){ "input", NULL }, "y", NULL);
    dt_onnx_node(m, "some.where:Thing", (const char *[]){ "y", NULL }, "logits", NULL);
    dt_onnx_require(m, 21);
    dt_onnx_require(m, 17);
    return DT_OK;
}

START_TEST(domains_opsets_and_texts_are_written)
{
    testnet t;
    tempdir dir;
    dt_export_report report;
    testnet_init(&t, RECIPE_SMALL RECIPE_W4A4);
    tempdir_init(&dir, "m.onnx");
    ck_assert_int_eq(
        dt_onnx_write(&t.src, &(dt_onnx_form){ build, NULL, false }, dir.file, &report, NULL),
        DT_OK);
    ck_assert_str_eq(report.format, "ONNX opset 21, IR 10");
    ck_assert_int_eq(report.layer_count, 2);
    Onnx__ModelProto *m = onnx_read(dir.file);
    ck_assert_uint_eq(m->n_opset_import, 2);
    ck_assert_int_eq(m->opset_import[0]->version, 21);
    ck_assert_str_eq(m->opset_import[1]->domain, "some.where");
    ck_assert_int_eq(m->opset_import[1]->version, 1);
    ck_assert_int_eq(m->ir_version, 10);
    ck_assert_str_eq(m->graph->node[0]->op_type, "Thing");
    const Onnx__TensorProto *halves = onnx_tensor(m, "halves");
    ck_assert_uint_eq(halves->raw_data.len, 2);
    ck_assert_int_eq(halves->raw_data.data[0], 0x78);
    ck_assert_int_eq(halves->raw_data.data[1], 0x0f);
    ck_assert_str_eq(onnx_meta(m, "detent.arithmetic"), "integer");
    ck_assert_ptr_null(onnx_meta(m, "detent.optimization"));
    ck_assert_str_eq(onnx_meta(m, "detent.bits.conv2"), "w4 a4");
    onnx__model_proto__free_unpacked(m, NULL);
    tempdir_fini(&dir);
    testnet_fini(&t);
}
END_TEST

START_TEST(float_parts_need_permission)
{
    testnet t;
    dt_error err;
    dt_export_report report;
    testnet_init(&t, RECIPE_SMALL);
    ck_assert_int_eq(dt_onnx_write(&t.src, &(dt_onnx_form){ build, NULL, false }, NULL, NULL, &err),
                     DT_ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.text, "float network"));
    ck_assert_int_eq(
        dt_onnx_write(&t.src, &(dt_onnx_form){ build, NULL, true }, NULL, &report, NULL), DT_OK);
    ck_assert_int_gt(report.missing, 0);
    testnet_fini(&t);
}
END_TEST

DT_TEST_MAIN("onnx_file", domains_opsets_and_texts_are_written, float_parts_need_permission)
