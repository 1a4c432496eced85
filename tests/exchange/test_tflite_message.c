/* A TFLite model of one operator, read back by the schema's field numbers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/tflite/tflite_message.h"

#include "tests/exchange/fb_read.h"
#include "tests/support/run.h"

static fb_file make(dt_export_report *report)
{
    fb_file f;
    unsigned char *bytes;
    const float scale[2] = { .5f, .25f }, one = 2;
    const signed char codes[3 * 2] = { -8, 7, 1, -1, 0, 3 };
    const int32_t bias[2] = { 5, -6 };
    dt_tflite *m = dt_tflite_new(NULL);
    dt_tfl_tensor t = { .name = "x", .type = DT_TFL_S8, .shape = DT_SHAPE(1, 2, 2, 3) };
    t.scale = &one, t.scales = 1, t.zero_point = -128;
    int in[3] = { dt_tflite_tensor(m, &t) };
    t.name = "y", t.shape = DT_SHAPE(1, 2, 2, 2);
    int out = dt_tflite_tensor(m, &t);
    in[1] = dt_tflite_tensor(m, &(dt_tfl_tensor){ .name = "w",
                                                  .type = DT_TFL_S4,
                                                  .shape = DT_SHAPE(2, 1, 1, 3),
                                                  .data = codes,
                                                  .scale = scale,
                                                  .scales = 2,
                                                  .bits = 3 });
    in[2] = dt_tflite_tensor(
        m, &(dt_tfl_tensor){ .name = "b", .type = DT_TFL_S32, .shape = DT_SHAPE(2), .data = bias });
    dt_tflite_node(m, DT_TFL_CONV_2D, in, 3, out, (int[]){ 1, 2, 3, 0, 1, 1 });
    dt_tflite_describe(m, report);
    const dt_tflite_ends ends = {
        .input = { in[0] }, .inputs = 1, .in_name = { "input" },
        .output = { out }, .outputs = 1, .name = { "logits" }
    };
    ck_assert_int_eq(dt_tflite_pack(m, "text", &ends, &bytes, &f.size, NULL), DT_OK);
    dt_tflite_free(m);
    f.bytes = bytes;
    return f;
}

START_TEST(fields_are_those_of_the_schema)
{
    dt_export_report report = { 0 };
    fb_file f = make(&report);
    size_t model = fb_root(f), code = fb_item(f, fb_object(f, model, 1), 0);
    ck_assert_mem_eq(f.bytes + 4, "TFL3", 4);
    ck_assert_int_eq(fb_get(f, model, 0, 4), 3);
    ck_assert_str_eq(fb_text(f, fb_object(f, model, 3)), "text");
    ck_assert_int_eq(fb_get(f, code, 0, 1), 3); /* CONV_2D */
    ck_assert_int_eq(fb_get(f, code, 2, 4), 7); /* the version with 4 bits */
    ck_assert_int_eq(fb_get(f, code, 3, 4), 3);
    size_t graph = fb_item(f, fb_object(f, model, 2), 0), tensors = fb_object(f, graph, 0);
    size_t buffers = fb_object(f, model, 4), w = fb_item(f, tensors, 2);
    ck_assert_uint_eq(fb_count(f, tensors), 4);
    ck_assert_uint_eq(fb_count(f, buffers), 3);
    ck_assert_uint_eq(fb_field(f, fb_item(f, buffers, 0), 0), 0); /* the empty one */
    ck_assert_int_eq(fb_number(f, fb_object(f, graph, 1) + 4, 4), 0);
    ck_assert_int_eq(fb_number(f, fb_object(f, graph, 2) + 4, 4), 1);
    ck_assert_int_eq(fb_get(f, w, 1, 1), DT_TFL_S4);
    size_t data = fb_object(f, fb_item(f, buffers, (size_t)fb_get(f, w, 2, 4)), 0);
    ck_assert_uint_eq(fb_count(f, data), 3);
    ck_assert_mem_eq(f.bytes + data + 4, "\x78\xf1\x30", 3);
    size_t q = fb_object(f, w, 4), zero = fb_object(f, q, 3);
    ck_assert_uint_eq(fb_count(f, fb_object(f, q, 2)), 2);
    ck_assert_int_eq(fb_number(f, zero + 4 + 8, 8), 0);
    ck_assert_int_eq(fb_number(f, fb_object(f, fb_item(f, tensors, 0), 7) + 4, 4), -1);
    size_t node = fb_item(f, fb_object(f, graph, 3), 0), options = fb_object(f, node, 4);
    ck_assert_int_eq(fb_get(f, node, 3, 1), 1);
    ck_assert_int_eq(fb_get(f, options, 0, 1), 1);
    ck_assert_int_eq(fb_get(f, options, 1, 4), 2);
    ck_assert_int_eq(fb_get(f, options, 2, 4), 3);
    ck_assert_uint_eq(report.weight_bytes, 3);
    ck_assert_uint_eq(report.trained_bytes, 3);
    ck_assert_str_eq(report.part[0].name, "CONV_2D");
    dt_put(NULL, (void *)(uintptr_t)f.bytes);
}
END_TEST

DT_TEST_MAIN("tflite_message", fields_are_those_of_the_schema)
