/* SPDX-License-Identifier: Apache-2.0 */
#include "data/cifar_file.h"

#include <string.h>

#include "tests/support/run.h"

static const dt_cifar_layout one = { 1, { 10 } }, two = { 2, { 20, 100 } };
static uint8_t bytes[3 * 3074];

START_TEST(whole_records_with_good_labels_pass)
{
    int64_t n = -1;
    ck_assert_int_eq(dt_cifar_check(&one, bytes, 3 * 3073, "f", &n, NULL), DT_OK);
    ck_assert_int_eq(n, 3);
    bytes[3074] = 19, bytes[3075] = 99;
    ck_assert_int_eq(dt_cifar_check(&two, bytes, 2 * 3074, "f", &n, NULL), DT_OK);
    ck_assert_int_eq(n, 2);
}
END_TEST

START_TEST(errors_name_file_value_and_rule)
{
    dt_error err;
    int64_t n = -1;
    ck_assert_int_eq(dt_cifar_check(&one, bytes, 1000, "test_batch.bin", &n, &err), DT_ERR_FORMAT);
    ck_assert_str_eq(err.text, "test_batch.bin: 1000 bytes is no multiple of 3073");
    ck_assert_int_eq(dt_cifar_check(&one, bytes, 0, "x", &n, &err), DT_ERR_FORMAT);
    ck_assert_str_eq(err.text, "x: is empty");
    bytes[3073] = 10;
    ck_assert_int_eq(dt_cifar_check(&one, bytes, 2 * 3073, "x", &n, &err), DT_ERR_FORMAT);
    ck_assert_str_eq(err.text, "x: label 10 of record 1 is outside 0..9");
    bytes[3073] = 0, bytes[3075] = 100;
    ck_assert_int_eq(dt_cifar_check(&two, bytes, 2 * 3074, "x", &n, &err), DT_ERR_FORMAT);
    ck_assert_str_eq(err.text, "x: label 100 of record 1 is outside 0..99");
    ck_assert_int_eq(n, -1);
}
END_TEST

START_TEST(planes_become_pixels)
{
    for (int i = 0; i < 3072; i++)
        bytes[3074 + 2 + i] = (uint8_t)(i / 1024 * 70 + i % 97);
    bytes[3074] = 7, bytes[3075] = 42;
    uint8_t picture[DT_CIFAR_BYTES];
    int labels[DT_CIFAR_MAX_LABELS];
    dt_cifar_record(&two, bytes, 1, picture, labels);
    ck_assert_int_eq(labels[0], 7);
    ck_assert_int_eq(labels[1], 42);
    for (int p = 0; p < 1024; p++)
        for (int c = 0; c < 3; c++)
            ck_assert_int_eq(picture[3 * p + c], c * 70 + (c * 1024 + p) % 97);
}
END_TEST

DT_TEST_MAIN("cifar_file", whole_records_with_good_labels_pass, errors_name_file_value_and_rule,
             planes_become_pixels)
