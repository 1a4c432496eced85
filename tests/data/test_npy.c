/* Files of numpy. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/npy.h"

#include <math.h>
#include <string.h>

#include "tests/support/run.h"
#include "tests/support/tempdir.h"

/* A file of version `version` with that header, and elements behind it. */
static size_t make(unsigned char *to, int version, const char *header, const void *elements,
                   size_t size)
{
    size_t n = strlen(header), start = version == 1 ? 10 : 12;
    memcpy(to, "\x93NUMPY", 6);
    to[6] = (unsigned char)version;
    to[7] = 0;
    for (size_t i = 8; i < start; i++)
        to[i] = (unsigned char)(n >> 8 * (i - 8));
    memcpy(to + start, header, n);
    if (size) memcpy(to + start + n, elements, size);
    return start + n + size;
}

static dt_status parse(const char *header, size_t elements, dt_npy_head *out, dt_error *err)
{
    unsigned char bytes[1024] = { 0 }, zeros[256] = { 0 };
    size_t size = make(bytes, 1, header, zeros, elements);
    return dt_npy_parse(bytes, size, size, "a.npy", out, err);
}

START_TEST(headers_of_numpy_are_read)
{
    static const struct {
        const char *header;
        size_t elements;
        dt_npy_type type;
        dt_shape shape;
    } cases[] = {
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }   \n",
          24,
          DT_NPY_F32,
          { 2, { 2, 3 } } },
        { "{'descr': '|u1', 'fortran_order': False, 'shape': (7,), }\n",
          7,
          DT_NPY_U8,
          { 1, { 7 } } },
        { "{'shape': (1, 2, 1, 2), 'fortran_order': False, 'descr': '<i8'}",
          32,
          DT_NPY_I64,
          { 4, { 1, 2, 1, 2 } } },
        { "{'descr': '|b1', 'fortran_order': False, 'shape': (3,)}", 3, DT_NPY_BOOL, { 1, { 3 } } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dt_npy_head h;
        dt_error err = { .status = DT_OK };
        ck_assert_msg(parse(cases[i].header, cases[i].elements, &h, &err) == DT_OK, "%s", err.text);
        ck_assert(h.type == cases[i].type && dt_shape_equal(&h.shape, &cases[i].shape));
        ck_assert_uint_eq(h.offset, 10 + strlen(cases[i].header));
    }
    unsigned char bytes[256];
    for (int version = 1; version <= 3; version++) {
        dt_npy_head h;
        size_t size = make(bytes, version, cases[1].header, "0123456", 7);
        ck_assert_int_eq(dt_npy_parse(bytes, size, size, "a.npy", &h, NULL), DT_OK);
    }
}
END_TEST

START_TEST(others_are_refused_with_the_reason)
{
#define HEAD(descr, order, shape)                                                                  \
    "{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape ", }"
    static const struct {
        const char *header;
        size_t elements;
        dt_status status;
        const char *text;
    } cases[] = {
        { HEAD("'>f4'", "False", "(2,)"), 8, DT_ERR_UNSUPPORTED, "type '>f4'" },
        { HEAD("'|O'", "False", "(2,)"), 8, DT_ERR_UNSUPPORTED, "type '|O'" },
        { HEAD("[('a', '<f4')]", "False", "(2,)"), 8, DT_ERR_UNSUPPORTED, "records" },
        { HEAD("'<f4'", "True", "(2,)"), 8, DT_ERR_UNSUPPORTED, "Fortran" },
        { HEAD("'<f4'", "Maybe", "(2,)"), 8, DT_ERR_FORMAT, "order" },
        { HEAD("'<f4'", "False", "()"), 4, DT_ERR_FORMAT, "single number" },
        { HEAD("'<f4'", "False", "(0, 3)"), 0, DT_ERR_SHAPE, "empty" },
        { HEAD("'<f4'", "False", "(2, 3"), 24, DT_ERR_FORMAT, "shape" },
        { HEAD("'<f4'", "False", "(2 3)"), 24, DT_ERR_FORMAT, "shape" },
        { HEAD("'<f4'", "False", "(-2,)"), 8, DT_ERR_FORMAT, "shape" },
        { HEAD("'<f4'", "False", "(1, 1, 1, 1, 1, 1, 1)"), 4, DT_ERR_SHAPE, "axes" },
        { HEAD("'<f4'", "False", "(99999999999999999999,)"), 4, DT_ERR_FORMAT, "shape" },
        { HEAD("'<f8'", "False", "(4611686018427387904, 4)"), 8, DT_ERR_SHAPE, "too large" },
        { HEAD("'<f4'", "False", "(2,)"), 7, DT_ERR_FORMAT, "7 bytes of elements" },
        { HEAD("'<f4'", "False", "(2,)"), 12, DT_ERR_FORMAT, "12 bytes of elements" },
        { "{'descr': '<f4', 'shape': (2,)}", 8, DT_ERR_FORMAT, "lacks" },
        { "{'descr': '<f4', 'descr': '<f4', 'shape': (2,)}", 8, DT_ERR_FORMAT, "other keys" },
        { "{'descr': '<f4', 'more': 1}", 8, DT_ERR_FORMAT, "other keys" },
        { "'descr'", 8, DT_ERR_FORMAT, "no dictionary" },
        { "", 8, DT_ERR_FORMAT, "no dictionary" },
    };
#undef HEAD
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dt_npy_head h;
        dt_error err = { .status = DT_OK };
        ck_assert_msg(parse(cases[i].header, cases[i].elements, &h, &err) == cases[i].status, "%s",
                      cases[i].header);
        ck_assert_msg(strstr(err.text, cases[i].text) && strstr(err.text, "a.npy"), "%s", err.text);
    }
    dt_npy_head h;
    ck_assert_int_eq(
        dt_npy_parse((const unsigned char *)"PK\3\4..........", 14, 14, "a.npz", &h, NULL),
        DT_ERR_FORMAT);
    ck_assert_int_eq(
        dt_npy_parse((const unsigned char *)"\x93NUMPY\4\0\1\0{}", 12, 12, "", &h, NULL),
        DT_ERR_FORMAT);
    ck_assert_int_eq(
        dt_npy_parse((const unsigned char *)"\x93NUMPY\1\0\xff\xff{}", 12, 12, "", &h, NULL),
        DT_ERR_FORMAT);
}
END_TEST

static void write_file(const char *path, const char *header, const void *elements, size_t size)
{
    unsigned char bytes[1024];
    size_t n = make(bytes, 1, header, elements, size);
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

START_TEST(elements_are_those_of_the_sample)
{
    tempdir dir;
    dt_npy f;
    float row[3];
    unsigned char raw[64];
    dt_error err = { .status = DT_OK };
    tempdir_init(&dir, "x.npy");
    const int16_t shorts[] = { 1, -2, 3, 30000, 0, -30000 };
    write_file(dir.file, "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3)}", shorts,
               sizeof shorts);
    ck_assert_int_eq(dt_npy_open(dir.file, NULL, &f, NULL), DT_OK);
    ck_assert(f.each == 3 && dt_npy_raw(&f) == 6);
    ck_assert_int_eq(dt_npy_read(&f, 1, raw, row, NULL), DT_OK);
    ck_assert(row[0] == 30000 && row[1] == 0 && row[2] == -30000);
    dt_npy_close(&f);
    const double doubles[] = { 0.5, 1e300, 2, 3, NAN, 4 };
    write_file(dir.file, "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3)}", doubles,
               sizeof doubles);
    ck_assert_int_eq(dt_npy_open(dir.file, NULL, &f, NULL), DT_OK);
    ck_assert_int_eq(dt_npy_read(&f, 0, raw, row, &err), DT_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "element 1 of sample 0 is infinite as float32"));
    ck_assert_int_eq(dt_npy_read(&f, 1, raw, row, &err), DT_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "element 1 of sample 1 is nan"));
    dt_npy_close(&f);
    tempdir_fini(&dir);
}
END_TEST

START_TEST(labels_are_whole_and_inside)
{
    tempdir dir;
    dt_npy f;
    int32_t label[3];
    dt_error err = { .status = DT_OK };
    tempdir_init(&dir, "y.npy");
    const int64_t good[] = { 0, 9, 4 }, far[] = { 0, INT64_MAX, -1 };
    write_file(dir.file, "{'descr': '<i8', 'fortran_order': False, 'shape': (3,)}", good,
               sizeof good);
    ck_assert_int_eq(dt_npy_open(dir.file, NULL, &f, NULL), DT_OK);
    ck_assert_int_eq(dt_npy_integers(&f, 0, 9, label, NULL, NULL), DT_OK);
    ck_assert(label[0] == 0 && label[1] == 9 && label[2] == 4);
    ck_assert_int_eq(dt_npy_integers(&f, 0, 8, label, NULL, &err), DT_ERR_RANGE);
    ck_assert_ptr_nonnull(strstr(err.text, "element 1 is 9; it must be inside 0..8"));
    dt_npy_close(&f);
    write_file(dir.file, "{'descr': '<i8', 'fortran_order': False, 'shape': (3,)}", far,
               sizeof far);
    ck_assert_int_eq(dt_npy_open(dir.file, NULL, &f, NULL), DT_OK);
    ck_assert_int_eq(dt_npy_integers(&f, 0, 9, label, NULL, NULL), DT_ERR_RANGE);
    dt_npy_close(&f);
    const float floats[] = { 0, 1, 2 };
    write_file(dir.file, "{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}", floats,
               sizeof floats);
    ck_assert_int_eq(dt_npy_open(dir.file, NULL, &f, NULL), DT_OK);
    ck_assert_int_eq(dt_npy_integers(&f, 0, 9, label, NULL, NULL), DT_ERR_UNSUPPORTED);
    dt_npy_close(&f);
    write_file(dir.file, "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 3)}", "\1\2\3", 3);
    ck_assert_int_eq(dt_npy_open(dir.file, NULL, &f, NULL), DT_OK);
    ck_assert_int_eq(dt_npy_integers(&f, 0, 9, label, NULL, NULL), DT_ERR_SHAPE);
    dt_npy_close(&f);
    tempdir_fini(&dir);
}
END_TEST

DT_TEST_MAIN("npy", headers_of_numpy_are_read, others_are_refused_with_the_reason,
             elements_are_those_of_the_sample, labels_are_whole_and_inside)
