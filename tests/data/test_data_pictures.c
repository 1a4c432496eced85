/* Pictures without labels; which row a folder is for. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/dataset.h"

#include "tests/data/files.h"
#include "tests/data/png_write.h"
#include "tests/support/run.h"

static void add(const test_dir *d, const char *name, int W, int H, uint8_t tag)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", d->path, name);
    test_file(d, name, "", 0);
    test_png_plain(path, W, H, tag, 0, 0);
}

typedef struct conf {
    double test_share;
} conf;

static dt_status open_set(const test_dir *d, double share, dt_data_need need, dt_data **data,
                          dt_error *err)
{
    const conf c = { share };
    const dt_data_params p = { .root = d->path, .conf = &c, .need = need, .outputs = 10 };
    return dt_data_open((const dt_dataset *)dt_table_find(&dt_datasets, "pictures"), &p, data, err);
}

static void fails_with(const test_dir *d, double share, dt_data_need need, const char *text)
{
    dt_data *data = NULL;
    dt_error err;
    ck_assert_int_ne(open_set(d, share, need, &data, &err), DT_OK);
    ck_assert_msg(strstr(err.text, text), "%s", err.text);
    ck_assert_ptr_null(strchr(err.text, '\n'));
}

static const char *row_of(const test_dir *d)
{
    const dt_dataset *row = dt_data_for(d->path);
    return row ? row->row.name : "none";
}

START_TEST(a_flat_folder_is_parted)
{
    test_dir d = test_dir_make();
    int seen[20] = { 0 };
    for (int i = 0; i < 20; i++) {
        char name[32];
        snprintf(name, sizeof name, "p%02d.png", i);
        add(&d, name, 5, 4, (uint8_t)(i + 1));
    }
    test_file(&d, "notes.txt", "x", 1);
    ck_assert_str_eq(row_of(&d), "pictures");
    dt_data *data;
    ck_assert_int_eq(open_set(&d, 0.2, DT_NEED_BOTH, &data, NULL), DT_OK);
    const dt_data_info *info = dt_data_info_of(data);
    ck_assert(info->unlabelled && info->classes == 10 && info->H == 4 && info->W == 5);
    ck_assert(info->count[0] == 16 && info->count[1] == 4 && info->note_count == 0);
    for (int k = 0; k < 2; k++)
        for (int64_t i = 0; i < info->count[k]; i++) {
            uint8_t picture[4 * 5 * 3];
            int label = -1;
            ck_assert_int_eq(test_read(data, k, i, picture, sizeof picture, &label, NULL), DT_OK);
            ck_assert_int_eq(label, 0);
            seen[picture[0] - 1]++;
        }
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(seen[i], 1);
    dt_data_close(data);
    ck_assert_int_eq(open_set(&d, 0, DT_NEED_BOTH, &data, NULL), DT_OK);
    ck_assert(dt_data_count(data, 0) == 20 && dt_data_count(data, 1) == 20);
    ck_assert_int_eq(dt_data_info_of(data)->note_count, 1);
    dt_data_close(data);
    add(&d, "wide.png", 6, 4, 0);
    ck_assert_int_eq(open_set(&d, 0.2, DT_NEED_TEST, &data, NULL), DT_OK);
    ck_assert_int_eq(dt_data_count(data, 0), 0);
    dt_data_close(data);
    ck_assert_int_eq(open_set(&d, 0.2, DT_NEED_BOTH, &data, NULL), DT_OK);
    ck_assert_int_eq(dt_data_info_of(data)->H, 0);
    dt_data_close(data);
    test_dir_remove(&d);
}
END_TEST

START_TEST(folders_of_splits)
{
    test_dir d = test_dir_make();
    dt_data *data;
    add(&d, "train/a.png", 3, 3, 1);
    add(&d, "train/b.png", 3, 3, 2);
    fails_with(&d, 0, DT_NEED_BOTH, "has no folder test or val");
    add(&d, "val/c.png", 3, 3, 3);
    ck_assert_str_eq(row_of(&d), "pictures");
    ck_assert_int_eq(open_set(&d, 0, DT_NEED_BOTH, &data, NULL), DT_OK);
    ck_assert(dt_data_count(data, 0) == 2 && dt_data_count(data, 1) == 1);
    dt_data_close(data);
    fails_with(&d, 0.2, DT_NEED_BOTH, "has folders of its splits");
    test_dir_remove(&d);
}
END_TEST

START_TEST(rows_look_for_folders)
{
    test_dir d = test_dir_make();
    ck_assert_str_eq(row_of(&d), "none");
    fails_with(&d, 0, DT_NEED_BOTH, "has no PNG or JPEG files");
    add(&d, "cats/a.png", 3, 3, 1);
    ck_assert_str_eq(row_of(&d), "folder");
    fails_with(&d, 0, DT_NEED_BOTH, "sub-folders are not looked into");
    add(&d, "train/cats/a.png", 3, 3, 1);
    ck_assert_str_eq(row_of(&d), "folder");
    test_file(&d, "cifar-100-binary/test.bin", "x", 1);
    ck_assert_str_eq(row_of(&d), "cifar100");
    test_file(&d, "test_batch.bin", "x", 1);
    ck_assert_str_eq(row_of(&d), "cifar10");
    test_dir_remove(&d);
}
END_TEST

DT_TEST_MAIN("data_pictures", a_flat_folder_is_parted, folders_of_splits, rows_look_for_folders)
