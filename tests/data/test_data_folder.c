/* SPDX-License-Identifier: Apache-2.0 */
#include "data/dataset.h"

#include "tests/data/files.h"
#include "tests/data/png_write.h"
#include "tests/support/run.h"

/* Adds a picture whose red value is `tag`. */
static void add(const test_dir *d, const char *name, int W, int H, uint8_t tag)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", d->path, name);
    test_file(d, name, "", 0);
    test_png_plain(path, W, H, tag, 0, 0);
}

static dt_status open_folder(const test_dir *d, dt_data **data, dt_error *err)
{
    return dt_data_open((const dt_dataset *)dt_table_find(&dt_datasets, "folder"),
                        &(dt_data_params){ .root = d->path }, data, err);
}

static void expect(const dt_data *data, dt_split split, int64_t index, int tag, int label)
{
    uint8_t picture[5 * 7 * 3];
    int got;
    ck_assert_int_eq(test_read(data, split, index, picture, sizeof picture, &got, NULL), DT_OK);
    ck_assert_int_eq(picture[3 * 34], tag);
    ck_assert_int_eq(got, label);
}

static void fails_with(const test_dir *d, dt_status status, const char *text)
{
    dt_data *data = NULL;
    dt_error err;
    ck_assert_int_eq(open_folder(d, &data, &err), status);
    ck_assert_msg(strstr(err.text, text), "%s", err.text);
    ck_assert_ptr_null(strchr(err.text, '\n'));
}

START_TEST(classes_and_files_are_sorted_by_name)
{
    test_dir d = test_dir_make();
    add(&d, "train/zebra/b.png", 7, 5, 4);
    add(&d, "train/zebra/a.png", 7, 5, 3);
    add(&d, "train/apple/10.png", 7, 5, 1);
    add(&d, "train/apple/9.PNG", 7, 5, 2);
    test_file(&d, "train/apple/notes.txt", "x", 1);
    test_file(&d, "train/.hidden/a.png", "x", 1);
    add(&d, "test/apple/t.png", 7, 5, 5);
    add(&d, "test/zebra/t.png", 7, 5, 6);
    dt_data *data;
    ck_assert_int_eq(open_folder(&d, &data, NULL), DT_OK);
    const dt_data_info *info = dt_data_info_of(data);
    ck_assert(info->classes == 2 && info->H == 5 && info->W == 7);
    ck_assert_str_eq(info->class_names[0], "apple");
    ck_assert_str_eq(info->class_names[1], "zebra");
    ck_assert_int_eq(dt_data_count(data, DT_SPLIT_TRAIN), 4);
    ck_assert_int_eq(dt_data_count(data, DT_SPLIT_TEST), 2);
    for (int i = 0; i < 4; i++)
        expect(data, DT_SPLIT_TRAIN, i, i + 1, i / 2);
    for (int i = 0; i < 2; i++)
        expect(data, DT_SPLIT_TEST, i, i + 5, i);
    test_file(&d, "train/apple/10.png", "x", 1); /* damaged after open */
    uint8_t picture[5 * 7 * 3];
    int label;
    dt_error err;
    ck_assert_int_eq(test_read(data, DT_SPLIT_TRAIN, 0, picture, sizeof picture, &label, &err),
                     DT_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "train/apple/10.png: no readable picture"));
    dt_data_close(data);
    test_dir_remove(&d);
}
END_TEST

START_TEST(one_folder_serves_both_splits)
{
    test_dir d = test_dir_make();
    add(&d, "a/x.png", 7, 5, 1);
    add(&d, "b/x.png", 7, 5, 2);
    dt_data *data;
    ck_assert_int_eq(open_folder(&d, &data, NULL), DT_OK);
    for (int split = 0; split < DT_DATA_SPLITS; split++)
        for (int i = 0; i < 2; i++)
            expect(data, (dt_split)split, i, i + 1, i);
    dt_data_close(data);
    test_dir_remove(&d);
}
END_TEST

START_TEST(wrong_folders_are_refused)
{
    test_dir d = test_dir_make();
    fails_with(&d, DT_ERR_FORMAT, "0 class folders; 2..100000 are needed");
    add(&d, "train/a/x.png", 7, 5, 1);
    fails_with(&d, DT_ERR_NOT_FOUND, "has a folder train, but no folder test or val");
    add(&d, "test/a/x.png", 7, 5, 1);
    fails_with(&d, DT_ERR_FORMAT, "/train: 1 class folders; 2..100000 are needed");
    add(&d, "train/b/x.png", 7, 5, 1);
    fails_with(&d, DT_ERR_FORMAT, "class 'b' is only in train");
    add(&d, "test/b/x.png", 7, 5, 1);
    add(&d, "test/aa/x.png", 7, 5, 1);
    fails_with(&d, DT_ERR_FORMAT, "class 'aa' is only in test");
    add(&d, "train/aa/odd.png", 5, 7, 1);
    fails_with(&d, DT_ERR_FORMAT,
               "train/aa/odd.png: 5x7 pixels; a/x.png has 7x5, all must be equal");
    add(&d, "train/aa/odd.png", 7, 5, 1);
    test_file(&d, "test/aa/x.png", "no picture", 10);
    fails_with(&d, DT_ERR_FORMAT, "test/aa/x.png: no readable picture");
    test_dir_remove(&d);
    fails_with(&d, DT_ERR_NOT_FOUND, "cannot open: No such file or directory");
    d = test_dir_make();
    test_file(&d, "a/x.txt", "", 0);
    test_file(&d, "b/x.txt", "", 0);
    fails_with(&d, DT_ERR_NOT_FOUND, "no PNG or JPEG file in any of its 2 class folders");
    test_dir_remove(&d);
}
END_TEST

DT_TEST_MAIN("data_folder", classes_and_files_are_sorted_by_name, one_folder_serves_both_splits,
             wrong_folders_are_refused)
