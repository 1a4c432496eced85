/* Our TFLite exports, read back for inspection. */
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
    testnet_init(&t, RECIPE_SMALL RECIPE_W4A4);
    tempdir_init(&dir, "m.tflite");
    ck_assert_msg(e->write(&t.src, NULL, dir.file, NULL, &err) == DT_OK, "%s", err.text);
    ck_assert_int_eq(dt_file_read(NULL, dir.file, 1 << 24, &bytes, size, NULL), DT_OK);
    tempdir_fini(&dir);
    testnet_fini(&t);
    return bytes;
}

static void import(const char *row, dt_tensors *set)
{
    size_t size;
    dt_error err = { .text = "" };
    unsigned char *bytes = exported(row, &size);
    ck_assert_str_eq(dt_importer_of(bytes, size)->row.name, "tflite");
    ck_assert_msg(dt_import_bytes("m", bytes, size, NULL, set, &err) == DT_OK, "%s", err.text);
    dt_put(NULL, bytes);
}

/* The weights of a layer: [O,KH,KW,I]. */
static const dt_named_tensor *weights_of(const dt_tensors *set, const char *layer)
{
    for (size_t i = 0; i < set->count; i++) {
        const dt_named_tensor *t = &set->item[i];
        if (t->dtype == DT_S8 && t->shape.rank == 4 && strncmp(t->name, layer, strlen(layer)) == 0)
            return t;
    }
    return NULL;
}

START_TEST(constants_grids_and_operators_are_read)
{
    dt_tensors set;
    import("tflite", &set);
    const dt_named_tensor *w = weights_of(&set, "conv3");
    ck_assert(w && dt_shape_count(&w->shape) > 0);
    ck_assert_str_eq(dt_tensors_attr(&set, "tflite.version"), "3");
    const char *operators = dt_tensors_attr(&set, "tflite.operators");
    ck_assert_msg(strstr(operators, "6 CONV_2D") && strstr(operators, "1 MEAN"), "%s", operators);
    const char *grid = dt_tensors_attr(&set, "tflite.grid.logits");
    ck_assert_msg(grid && strstr(grid, "int8, scale ") && strstr(grid, "zero point 0"), "%s", grid);
    dt_tensors_fini(&set);
}
END_TEST

START_TEST(halves_of_bytes_become_bytes)
{
    dt_tensors whole, packed;
    import("tflite", &whole);
    import("tflite_int4", &packed);
    const dt_named_tensor *a = weights_of(&whole, "conv3"), *b = weights_of(&packed, "conv3");
    ck_assert(a && b && dt_shape_equal(&a->shape, &b->shape));
    const int8_t *x = a->data, *y = b->data;
    int gain = 0;
    for (int64_t i = 0; i < dt_shape_count(&a->shape); i++) {
        ck_assert(y[i] >= -8 && y[i] <= 7);
        if (y[i] && !gain) gain = x[i] / y[i];
        ck_assert_int_eq(x[i], gain * y[i]);
    }
    ck_assert_int_ge(gain, 1);
    dt_tensors_fini(&whole);
    dt_tensors_fini(&packed);
}
END_TEST

static dt_status read_copy(const unsigned char *bytes, size_t n)
{
    dt_error err = { .text = "" };
    dt_tensors set;
    unsigned char *copy = malloc(n); /* of exactly this size: sanitizers see what reaches behind */
    memcpy(copy, bytes, n);
    dt_status st = dt_import_bytes("m.tflite", copy, n, NULL, &set, &err);
    if (st == DT_OK)
        dt_tensors_fini(&set);
    else
        ck_assert_msg(strncmp(err.text, "m.tflite: ", 10) == 0, "%s", err.text);
    free(copy);
    return st;
}

START_TEST(what_is_cut_off_is_refused)
{
    size_t size;
    unsigned char *bytes = exported("tflite", &size);
    for (size_t n = 8; n < size - 8; n += 61)
        ck_assert_int_eq(read_copy(bytes, n), DT_ERR_FORMAT);
    dt_put(NULL, bytes);
}
END_TEST

START_TEST(changed_bytes_do_no_harm)
{
    size_t size;
    int refused = 0;
    unsigned char *bytes = exported("tflite_int4", &size);
    for (size_t i = 8; i < size; i += 13) {
        bytes[i] ^= 0xA5;
        refused += read_copy(bytes, size) != DT_OK;
        bytes[i] ^= 0xA5;
    }
    ck_assert_int_gt(refused, 20);
    ck_assert_int_eq(read_copy(bytes, size), DT_OK);
    dt_put(NULL, bytes);
}
END_TEST

DT_TEST_MAIN("import_tflite", constants_grids_and_operators_are_read, halves_of_bytes_become_bytes,
             what_is_cut_off_is_refused, changed_bytes_do_no_harm)
