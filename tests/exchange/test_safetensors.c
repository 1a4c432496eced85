/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/safetensors/safetensors.h"

#include <string.h>

#include "core/file.h"
#include "exchange/import.h"
#include "tests/support/failalloc.h"
#include "tests/support/run.h"
#include "tests/support/sets.h"
#include "tests/support/tempdir.h"

static unsigned char *written(const dt_tensors *set, size_t *size)
{
    tempdir t;
    unsigned char *bytes;
    dt_error err = { 0 };
    tempdir_init(&t, "x.safetensors");
    dt_status st = dt_safetensors_write(t.file, set, NULL, &err);
    ck_assert_msg(st == DT_OK, "%s", err.text);
    ck_assert_int_eq(dt_file_read(NULL, t.file, 1 << 20, &bytes, size, NULL), DT_OK);
    tempdir_fini(&t);
    return bytes;
}

/* Reads a header and `data_size` bytes of data that count up from 0. */
static dt_status read_text(const char *json, size_t data_size, dt_tensors *set, dt_error *err)
{
    unsigned char file[1024];
    size_t n = strlen(json);
    ck_assert_uint_le(8 + n + data_size, sizeof file);
    for (size_t i = 0; i < 8; i++)
        file[i] = (unsigned char)((uint64_t)n >> 8 * i);
    memcpy(file + 8, json, n);
    for (size_t i = 0; i < data_size; i++)
        file[8 + n + i] = (unsigned char)i;
    return dt_import_bytes("f", file, 8 + n + data_size, NULL, set, err);
}

START_TEST(round_trip)
{
    dt_tensors set, back;
    set_make(&set);
    size_t size, again;
    unsigned char *bytes = written(&set, &size), *second = written(&set, &again);
    ck_assert_uint_eq(size, again);
    ck_assert_mem_eq(bytes, second, size); /* the same set gives the same bytes */
    ck_assert_int_eq(dt_import_bytes("f", bytes, size, NULL, &back, NULL), DT_OK);
    dt_put(NULL, bytes);
    dt_put(NULL, second);
    set_expect_equal(&set, &back, false);
    dt_tensors_fini(&back);
    dt_tensors_fini(&set);
}
END_TEST

START_TEST(layout_is_the_format_s)
{
    dt_tensors set;
    ck_assert_int_eq(dt_tensors_init(&set, NULL, NULL), DT_OK);
    const unsigned char u8[] = { 9 };
    const float b[] = { 2 }, a[] = { 1 };
    ck_assert_int_eq(dt_tensors_add(&set, "u", DT_U8, &DT_SHAPE(1), u8, NULL), DT_OK);
    ck_assert_int_eq(dt_tensors_add(&set, "b", DT_F32, &DT_SHAPE(1), b, NULL), DT_OK);
    ck_assert_int_eq(dt_tensors_add(&set, "a", DT_F32, &DT_SHAPE(1, 1), a, NULL), DT_OK);
    ck_assert_int_eq(dt_tensors_set_attr(&set, "k", "v", NULL), DT_OK);
    static const char json[] = "{\"__metadata__\":{\"k\":\"v\"},"
                               "\"a\":{\"dtype\":\"F32\",\"shape\":[1,1],\"data_offsets\":[0,4]},"
                               "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]},"
                               "\"u\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[8,9]}}";
    size_t size;
    unsigned char *bytes = written(&set, &size);
    const size_t n = sizeof json - 1, padded = (n + 7) / 8 * 8;
    ck_assert_uint_eq(size, 8 + padded + 9);
    ck_assert_uint_eq(bytes[0] + 256u * bytes[1], padded);
    ck_assert_mem_eq(bytes + 8, json, n);
    for (size_t i = n; i < padded; i++)
        ck_assert_uint_eq(bytes[8 + i], ' ');
    ck_assert_mem_eq(bytes + 8 + padded, "\0\0\x80\x3f\0\0\0\x40\x09", 9);
    dt_put(NULL, bytes);
    dt_tensors_fini(&set);
}
END_TEST

#define T(name, dtype, shape, offsets)                                                             \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":[" shape "],\"data_offsets\":[" offsets "]}"

START_TEST(good_headers)
{
    dt_tensors set;
    ck_assert_int_eq(read_text("{}", 0, &set, NULL), DT_OK);
    ck_assert_uint_eq(set.count, 0);
    dt_tensors_fini(&set);
    /* by offset, not by order in the header; blanks; no elements */
    ck_assert_int_eq(read_text("{" T("b", "U8", "2", "4,6") ", " T("e", "F32", "0,3", "4,4") "," T(
                                   "a", "U8", "2,2", "0,4") "}   ",
                               6, &set, NULL),
                     DT_OK);
    ck_assert_uint_eq(set.count, 2);
    ck_assert_str_eq(set.item[0].name, "a");
    ck_assert_str_eq(set.item[1].name, "b");
    ck_assert_uint_eq(((const unsigned char *)set.item[1].data)[1], 5);
    dt_tensors_fini(&set);
}
END_TEST

START_TEST(bad_headers)
{
    static const struct {
        const char *json;
        size_t data;
        dt_status status;
        const char *text;
    } cases[] = {
        { "{", 0, DT_ERR_FORMAT, "f: header byte" },
        { "{} x", 0, DT_ERR_FORMAT, "f: header byte" },
        { "{\"a\":{\"dtype\":\"U8\"}}", 0, DT_ERR_FORMAT, "a: is no object of dtype" },
        { "{\"a\":[1,2,3]}", 0, DT_ERR_FORMAT, "a: is no object" },
        { "{" T("a", "U8", "1", "0,1") "," T("a", "U8", "1", "1,2") "}", 2, DT_ERR_FORMAT,
          "duplicate" },
        { "{" T("a", "U8", "1", "0,1") "," T("b", "U8", "1", "2,3") "}", 3, DT_ERR_FORMAT,
          "b: does not start where" }, /* gap */
        { "{" T("a", "U8", "2", "0,2") "," T("b", "U8", "1", "1,2") "}", 2, DT_ERR_FORMAT,
          "b: does not start where" }, /* overlap */
        { "{" T("a", "U8", "1", "1,2") "}", 2, DT_ERR_FORMAT, "a: does not start" },
        { "{" T("a", "U8", "1", "0,1") "}", 2, DT_ERR_FORMAT, "behind its last tensor" },
        { "{" T("a", "U8", "2", "0,2") "}", 1, DT_ERR_FORMAT, "a: reaches behind the end" },
        { "{" T("a", "F32", "1", "0,3") "}", 3, DT_ERR_FORMAT, "a: its data_offsets do not fit" },
        { "{" T("a", "U8", "-1", "0,1") "}", 1, DT_ERR_FORMAT, "a: a dimension" },
        { "{" T("a", "U8", "1.0", "0,1") "}", 1, DT_ERR_FORMAT, "a: a dimension" },
        { "{" T("a", "U8", "1", "1,0") "}", 1, DT_ERR_FORMAT, "a: its data_offsets are no" },
        { "{" T("a", "U8", "1", "0") "}", 1, DT_ERR_FORMAT, "a: its data_offsets are no" },
        { "{" T("a", "F64", "4294967296,4294967296", "0,0") "}", 0, DT_ERR_FORMAT,
          "a: its shape is too large" },
        { "{" T("a", "U8", "9223372036854775807", "0,9223372036854775807") "}", 1, DT_ERR_FORMAT,
          "a: reaches behind the end" },
        { "{" T("a", "U8", "99999999999999999999", "0,1") "}", 1, DT_ERR_FORMAT, "header byte" },
        { "{" T("", "U8", "1", "0,1") "}", 1, DT_ERR_FORMAT, "a name is empty" },
        { "{" T("a\\u0000b", "U8", "1", "0,1") "}", 1, DT_ERR_FORMAT, "header byte" },
        { "{\"__metadata__\":{\"k\":1}}", 0, DT_ERR_FORMAT, "__metadata__: has a value" },
        { "{\"__metadata__\":7}", 0, DT_ERR_FORMAT, "__metadata__: is no object" },
        { "{" T("a", "F8_E4M3", "1", "0,1") "}", 1, DT_ERR_UNSUPPORTED, "'F8_E4M3' are not read" },
        { "{" T("a", "U8", "1,1,1,1,1,1,1", "0,1") "}", 1, DT_ERR_UNSUPPORTED, "a: rank 7" },
    };
    for (size_t i = 0; i < DT_ARRAY_LEN(cases); i++) {
        dt_tensors set;
        dt_error err = { 0 };
        dt_status st = read_text(cases[i].json, cases[i].data, &set, &err);
        ck_assert_msg(st == cases[i].status, "%s: %s", cases[i].json, err.text);
        ck_assert_msg(strstr(err.text, cases[i].text) != NULL, "%s: %s", cases[i].json, err.text);
        ck_assert(strncmp(err.text, "f: ", 3) == 0);
    }
    dt_tensors set;
    const unsigned char huge[] = { 255, 255, 255, 255, 255, 255, 255, 127, '{', '}' };
    ck_assert_int_eq(dt_import_bytes("f", huge, sizeof huge, NULL, &set, NULL), DT_ERR_FORMAT);
}
END_TEST

START_TEST(truncated_at_every_byte)
{
    dt_tensors set, back;
    set_make(&set);
    size_t size;
    unsigned char *bytes = written(&set, &size);
    for (size_t n = 0; n < size; n++) {
        unsigned char *part = dt_get(NULL, n, "test");
        memcpy(part, bytes, n);
        ck_assert_int_eq(dt_import_bytes("f", part, n, NULL, &back, NULL), DT_ERR_FORMAT);
        dt_put(NULL, part);
    }
    dt_put(NULL, bytes);
    dt_tensors_fini(&set);
}
END_TEST

START_TEST(every_failed_allocation_is_reported)
{
    tempdir t;
    tempdir_init(&t, "x");
    dt_tensors set;
    set_make(&set);
    size_t size;
    unsigned char *bytes = written(&set, &size);
    for (size_t at = 1;; at++) {
        failalloc f;
        failalloc_init(&f, at);
        dt_tensors back = { 0 };
        dt_status st = dt_import_bytes("f", bytes, size, &f.alloc, &back, NULL);
        if (st == DT_OK) dt_tensors_fini(&back);
        ck_assert_uint_eq(f.live, 0);
        ck_assert_int_eq(st, f.calls < at ? DT_OK : DT_ERR_NOMEM);
        if (st == DT_OK) break;
    }
    for (size_t at = 1;; at++) {
        failalloc f;
        failalloc_init(&f, at);
        dt_status st = dt_safetensors_write(t.file, &set, &f.alloc, NULL);
        ck_assert_uint_eq(f.live, 0);
        ck_assert_int_eq(st, f.calls < at ? DT_OK : DT_ERR_NOMEM);
        ck_assert(dt_file_exists(t.file) == (st == DT_OK));
        if (st == DT_OK) break;
    }
    dt_put(NULL, bytes);
    dt_tensors_fini(&set);
    tempdir_fini(&t);
}
END_TEST

START_TEST(writer_refuses_what_it_cannot_write)
{
    tempdir t;
    dt_tensors set;
    dt_error err;
    tempdir_init(&t, "x");
    ck_assert_int_eq(dt_tensors_init(&set, NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_tensors_add(&set, "\xff", DT_U8, &DT_SHAPE(1), NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_safetensors_write(t.file, &set, NULL, &err), DT_ERR_ARG);
    dt_tensors_fini(&set);
    ck_assert_int_eq(dt_tensors_init(&set, NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_tensors_add(&set, "__metadata__", DT_U8, &DT_SHAPE(1), NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_safetensors_write(t.file, &set, NULL, &err), DT_ERR_ARG);
    ck_assert_int_ne(dt_safetensors_write("/nowhere/x", &set, NULL, &err), DT_OK);
    dt_tensors_fini(&set);
    tempdir_fini(&t); /* nothing was left */
}
END_TEST

DT_TEST_MAIN("safetensors", round_trip, layout_is_the_format_s, good_headers, bad_headers,
             truncated_at_every_byte, every_failed_allocation_is_reported,
             writer_refuses_what_it_cannot_write)
