/* Elements of arrays in files. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/array.h"

#include <math.h>
#include <string.h>

#include "tests/data/npy_make.h"
#include "tests/support/run.h"
#include "tests/support/tempdir.h"

static void write_file(const char *path, const char *header, const void *elements, size_t size)
{
    unsigned char bytes[1024];
    size_t n = npy_make(bytes, 1, header, elements, size);
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

START_TEST(elements_are_those_of_the_sample)
{
    tempdir dir;
    dt_array f;
    float row[3];
    unsigned char raw[64];
    dt_error err = { .status = DT_OK };
    tempdir_init(&dir, "x.npy");
    const int16_t shorts[] = { 1, -2, 3, 30000, 0, -30000 };
    write_file(dir.file, "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3)}", shorts,
               sizeof shorts);
    ck_assert_int_eq(dt_array_open(dir.file, NULL, &f, NULL), DT_OK);
    ck_assert(f.each == 3 && dt_array_raw(&f) == 6);
    ck_assert_int_eq(dt_array_read(&f, 1, raw, row, NULL), DT_OK);
    ck_assert(row[0] == 30000 && row[1] == 0 && row[2] == -30000);
    dt_array_close(&f);
    const double doubles[] = { 0.5, 1e300, 2, 3, NAN, 4 };
    write_file(dir.file, "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3)}", doubles,
               sizeof doubles);
    ck_assert_int_eq(dt_array_open(dir.file, NULL, &f, NULL), DT_OK);
    ck_assert_int_eq(dt_array_read(&f, 0, raw, row, &err), DT_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "element 1 of sample 0 is infinite as float32"));
    ck_assert_int_eq(dt_array_read(&f, 1, raw, row, &err), DT_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "element 1 of sample 1 is nan"));
    dt_array_close(&f);
    tempdir_fini(&dir);
}
END_TEST

START_TEST(labels_are_whole_and_inside)
{
    tempdir dir;
    dt_array f;
    int32_t label[3];
    dt_error err = { .status = DT_OK };
    tempdir_init(&dir, "y.npy");
    const int64_t good[] = { 0, 9, 4 }, far[] = { 0, INT64_MAX, -1 };
    write_file(dir.file, "{'descr': '<i8', 'fortran_order': False, 'shape': (3,)}", good,
               sizeof good);
    ck_assert_int_eq(dt_array_open(dir.file, NULL, &f, NULL), DT_OK);
    ck_assert_int_eq(dt_array_integers(&f, 0, 9, label, NULL, NULL), DT_OK);
    ck_assert(label[0] == 0 && label[1] == 9 && label[2] == 4);
    ck_assert_int_eq(dt_array_integers(&f, 0, 8, label, NULL, &err), DT_ERR_RANGE);
    ck_assert_ptr_nonnull(strstr(err.text, "element 1 is 9; it must be inside 0..8"));
    dt_array_close(&f);
    write_file(dir.file, "{'descr': '<i8', 'fortran_order': False, 'shape': (3,)}", far,
               sizeof far);
    ck_assert_int_eq(dt_array_open(dir.file, NULL, &f, NULL), DT_OK);
    ck_assert_int_eq(dt_array_integers(&f, 0, 9, label, NULL, NULL), DT_ERR_RANGE);
    dt_array_close(&f);
    const float floats[] = { 0, 1, 2 };
    write_file(dir.file, "{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}", floats,
               sizeof floats);
    ck_assert_int_eq(dt_array_open(dir.file, NULL, &f, NULL), DT_OK);
    ck_assert_int_eq(dt_array_integers(&f, 0, 9, label, NULL, NULL), DT_ERR_UNSUPPORTED);
    dt_array_close(&f);
    write_file(dir.file, "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 3)}", "\1\2\3", 3);
    ck_assert_int_eq(dt_array_open(dir.file, NULL, &f, NULL), DT_OK);
    ck_assert_int_eq(dt_array_integers(&f, 0, 9, label, NULL, NULL), DT_ERR_SHAPE);
    dt_array_close(&f);
    tempdir_fini(&dir);
}
END_TEST

DT_TEST_MAIN("array", elements_are_those_of_the_sample, labels_are_whole_and_inside)
