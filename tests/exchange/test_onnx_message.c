/* Building ONNX messages. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/onnx_message.h"

#include "tests/exchange/onnx_read.h"
#include "tests/support/run.h"

START_TEST(everything_said_is_packed)
{
    unsigned char *bytes;
    size_t size;
    dt_export_report report = { 0 };
    dt_onnx *m = dt_onnx_new(NULL);
    const float data[] = { 1, 2, 3, 4, 5, 6 };
    const signed char code = -5;
    dt_onnx_input(m, "x", &DT_SHAPE(1, 3, 4, 5));
    dt_onnx_output(m, "y", &DT_SHAPE(1, 7));
    dt_onnx_constant(m, "c", DT_ONNX_FLOAT, &DT_SHAPE(2, 3), data);
    dt_onnx_constant(m, "z", DT_ONNX_S8, &(dt_shape){ .rank = 0 }, &code);
    dt_onnx_node(m, "Op", (const char *[]){ "x", "c", NULL }, dt_onnx_text(m, "%s/%d", "y", 1),
                 (dt_onnx_attr[]){ { .name = "list", .count = 3, .ints = { 7, 8, 9 } },
                                   { .name = "one", .i = -4 },
                                   { .name = "real", .is_float = true, .f = 0.5f },
                                   { .name = NULL } });
    dt_onnx_meta(m, "key", "value");
    dt_onnx_describe(m, &report);
    ck_assert_int_eq(report.part_count, 1);
    ck_assert_int_eq(dt_onnx_pack(m, "g", "1.2", &bytes, &size, NULL), DT_OK);
    dt_onnx_free(m);
    Onnx__ModelProto *p = onnx__model_proto__unpack(NULL, size, bytes);
    dt_put(NULL, bytes);
    ck_assert_ptr_nonnull(p);
    ck_assert_str_eq(p->producer_version, "1.2");
    ck_assert_str_eq(p->opset_import[0]->domain, "");
    ck_assert_str_eq(onnx_meta(p, "key"), "value");
    ck_assert(onnx_float(p, "c", 5) == 6);
    ck_assert_int_eq(onnx_tensor(p, "c")->dims[1], 3);
    ck_assert_uint_eq(onnx_tensor(p, "z")->n_dims, 0);
    ck_assert_uint_eq(onnx_tensor(p, "z")->raw_data.len, 1);
    const Onnx__NodeProto *n = onnx_node(p, "y/1");
    ck_assert_uint_eq(n->n_input, 2);
    ck_assert_uint_eq(onnx_attr(n, "list")->n_ints, 3);
    ck_assert_int_eq(onnx_attr(n, "list")->ints[2], 9);
    ck_assert_int_eq(onnx_attr(n, "one")->i, -4);
    ck_assert_int_eq(onnx_attr(n, "one")->type, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    ck_assert(onnx_attr(n, "real")->f == 0.5f);
    onnx__model_proto__free_unpacked(p, NULL);
}
END_TEST

DT_TEST_MAIN("onnx_message", everything_said_is_packed)
