/* Our ONNX exports, read back for inspection. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "core/file.h"
#include "exchange/import.h"
#include "tests/exchange/net.h"
#include "tests/support/run.h"
#include "tests/support/tempdir.h"

/* The file in memory. */
static unsigned char *exported(const char *row, size_t *size)
{
    testnet t;
    tempdir dir;
    unsigned char *bytes;
    dt_error err = { .text = "" };
    const dt_exporter *e = dt_exporter_of(dt_table_find(&dt_exporters, row));
    void *conf = dt_get(NULL, e->row.conf_size + 1, "test");
    if (e->row.opts) dt_opt_defaults(e->row.opts, conf);
    testnet_init(&t, RECIPE_SMALL RECIPE_W4A4);
    tempdir_init(&dir, "m.onnx");
    ck_assert_msg(e->write(&t.src, conf, dir.file, NULL, &err) == DT_OK, "%s", err.text);
    ck_assert_int_eq(dt_file_read(NULL, dir.file, 1 << 24, &bytes, size, NULL), DT_OK);
    tempdir_fini(&dir);
    testnet_fini(&t);
    dt_put(NULL, conf);
    return bytes;
}

static void import(const char *row, dt_tensors *set)
{
    size_t size;
    dt_error err = { .text = "" };
    unsigned char *bytes = exported(row, &size);
    ck_assert_msg(dt_import_bytes("m.onnx", bytes, size, NULL, set, &err) == DT_OK, "%s", err.text);
    ck_assert_str_eq(dt_importer_of(bytes, size)->row.name, "onnx");
    dt_put(NULL, bytes);
}

START_TEST(constants_and_texts_are_read)
{
    dt_tensors set;
    import("onnx", &set);
    const dt_named_tensor *w = dt_tensors_find(&set, "conv3.weight");
    ck_assert_ptr_nonnull(w);
    ck_assert_int_eq(w->dtype, DT_S8);
    ck_assert_int_eq(w->shape.rank, 4);
    ck_assert_str_eq(dt_tensors_attr(&set, "onnx.opset"), "13");
    ck_assert_str_eq(dt_tensors_attr(&set, "detent.bits.conv3"), "w4 a4");
    ck_assert_ptr_nonnull(strstr(dt_tensors_attr(&set, "onnx.operators"), "5 Conv"));
    dt_tensors_fini(&set);
}
END_TEST

/* The same net with weights of half a byte: the same codes, up to the gain of a byte's. */
START_TEST(halves_of_bytes_become_bytes)
{
    dt_tensors whole, packed;
    import("onnx", &whole);
    import("onnx_int4", &packed);
    const dt_named_tensor *a = dt_tensors_find(&whole, "conv3.weight");
    const dt_named_tensor *b = dt_tensors_find(&packed, "conv3.weight");
    ck_assert(a && b && dt_shape_equal(&a->shape, &b->shape) && b->dtype == DT_S8);
    const int8_t *x = a->data, *y = b->data;
    int gain = 0;
    for (int64_t i = 0; i < dt_shape_count(&a->shape); i++) {
        ck_assert(y[i] >= -8 && y[i] <= 7);
        if (y[i] == 0) ck_assert_int_eq(x[i], 0);
        if (y[i] && !gain) gain = x[i] / y[i];
        ck_assert_int_eq(x[i], gain * y[i]);
    }
    ck_assert_int_ge(gain, 1);
    dt_tensors_fini(&whole);
    dt_tensors_fini(&packed);
}
END_TEST

START_TEST(what_is_cut_off_is_refused)
{
    size_t size;
    unsigned char *bytes = exported("onnx", &size);
    int refused = 0;
    for (size_t n = 5; n < size / 2; n += 97) { /* the graph comes before the middle of the file */
        dt_error err = { .text = "" };
        dt_tensors set;
        unsigned char *copy = malloc(n);
        memcpy(copy, bytes, n);
        ck_assert_int_eq(dt_import_bytes("m.onnx", copy, n, NULL, &set, &err), DT_ERR_FORMAT);
        ck_assert_msg(strstr(err.text, "m.onnx: is damaged"), "%s", err.text);
        free(copy);
        refused++;
    }
    ck_assert_int_gt(refused, 50);
    dt_put(NULL, bytes);
}
END_TEST

DT_TEST_MAIN("import_onnx", constants_and_texts_are_read, halves_of_bytes_become_bytes,
             what_is_cut_off_is_refused)
