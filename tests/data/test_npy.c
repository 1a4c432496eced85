/* Files of numpy. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/npy.h"

#include <string.h>

#include "tests/data/npy_make.h"
#include "tests/support/run.h"

static dt_status parse(const char *header, size_t elements, dt_array_head *out, dt_error *err)
{
    unsigned char bytes[1024] = { 0 }, zeros[256] = { 0 };
    size_t size = npy_make(bytes, 1, header, zeros, elements);
    return dt_npy_parse(bytes, size, size, "a.npy", out, err);
}

START_TEST(headers_of_numpy_are_read)
{
    static const struct {
        const char *header;
        size_t elements;
        dt_array_type type;
        dt_shape shape;
    } cases[] = {
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }   \n",
          24,
          DT_ARRAY_F32,
          { 2, { 2, 3 } } },
        { "{'descr': '|u1', 'fortran_order': False, 'shape': (7,), }\n",
          7,
          DT_ARRAY_U8,
          { 1, { 7 } } },
        { "{'shape': (1, 2, 1, 2), 'fortran_order': False, 'descr': '<i8'}",
          32,
          DT_ARRAY_I64,
          { 4, { 1, 2, 1, 2 } } },
        { "{'descr': '|b1', 'fortran_order': False, 'shape': (3,)}",
          3,
          DT_ARRAY_BOOL,
          { 1, { 3 } } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dt_array_head h;
        dt_error err = { .status = DT_OK };
        ck_assert_msg(parse(cases[i].header, cases[i].elements, &h, &err) == DT_OK, "%s", err.text);
        ck_assert(h.type == cases[i].type && dt_shape_equal(&h.shape, &cases[i].shape));
        ck_assert_uint_eq(h.offset, 10 + strlen(cases[i].header));
    }
    unsigned char bytes[256];
    for (int version = 1; version <= 3; version++) {
        dt_array_head h;
        size_t size = npy_make(bytes, version, cases[1].header, "0123456", 7);
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
        dt_array_head h;
        dt_error err = { .status = DT_OK };
        ck_assert_msg(parse(cases[i].header, cases[i].elements, &h, &err) == cases[i].status, "%s",
                      cases[i].header);
        ck_assert_msg(strstr(err.text, cases[i].text) && strstr(err.text, "a.npy"), "%s", err.text);
    }
    dt_array_head h;
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

DT_TEST_MAIN("npy", headers_of_numpy_are_read, others_are_refused_with_the_reason)
