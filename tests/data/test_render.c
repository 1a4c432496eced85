/* SPDX-License-Identifier: Apache-2.0 */
#include "data/render.h"

#include "core/file.h"
#include "data/dataset.h"
#include "tests/data/files.h"
#include "tests/support/run.h"

/* The bytes are part of every result that was measured on these pictures: a change of them is a
 * new dataset. */
START_TEST(first_hundred_pictures_are_pinned)
{
    dt_sha256 h;
    uint8_t picture[DT_RENDER_BYTES];
    char hex[DT_SHA256_HEX];
    dt_sha256_init(&h);
    for (uint64_t i = 0; i < 100; i++) {
        ck_assert_int_eq(dt_render(DT_SPLIT_TRAIN, i, picture), (int)(i % 10));
        dt_sha256_add(&h, picture, sizeof picture);
    }
    dt_sha256_end(&h, hex);
    ck_assert_str_eq(hex, "f7f00d4a5f2889f3467c83f8a7ebd138902806e4ce06aa73849ed2c70f6323b4");
}
END_TEST

START_TEST(splits_and_samples_differ)
{
    uint8_t a[DT_RENDER_BYTES], b[DT_RENDER_BYTES];
    dt_render(DT_SPLIT_TRAIN, 3, a);
    dt_render(DT_SPLIT_TEST, 3, b);
    ck_assert_mem_ne(a, b, sizeof a);
    dt_render(DT_SPLIT_TRAIN, 13, b);
    ck_assert_mem_ne(a, b, sizeof a);
}
END_TEST

START_TEST(builtin_serves_the_renders)
{
    const dt_dataset *row = (const dt_dataset *)dt_table_find(&dt_datasets, "builtin");
    const int conf[2] = { 150, 70 }; /* train, test */
    dt_data *data;
    ck_assert_int_eq(
        dt_data_open(row, &(dt_data_params){ .conf = conf, .threads = 2 }, &data, NULL), DT_OK);
    ck_assert_int_eq(dt_data_info_of(data)->classes, 10);
    ck_assert_str_eq(dt_data_info_of(data)->class_names[9], "bars");
    ck_assert_int_eq(dt_data_count(data, DT_SPLIT_TRAIN), 150);
    ck_assert_int_eq(dt_data_count(data, DT_SPLIT_TEST), 70);
    for (int split = 0; split < 2; split++)
        for (int i = 0; i < conf[split]; i++) {
            uint8_t a[DT_RENDER_BYTES], b[DT_RENDER_BYTES];
            int label;
            ck_assert_int_eq(test_read(data, (dt_split)split, i, a, sizeof a, &label, NULL), DT_OK);
            ck_assert_int_eq(dt_render((uint32_t)split, (uint64_t)i, b), label);
            ck_assert_mem_eq(a, b, sizeof a);
        }
    dt_data_close(data);
}
END_TEST

DT_TEST_MAIN("render", first_hundred_pictures_are_pinned, splits_and_samples_differ,
             builtin_serves_the_renders)
