/* The rows cifar10 and cifar100, on small files. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/dataset.h"

#include <sys/stat.h>
#include <unistd.h>

#include "tests/data/files.h"
#include "tests/support/run.h"

static dt_status open_set(const char *name, const test_dir *d, const char *labels, dt_data **data,
                          dt_error *err)
{
    const dt_dataset *row = (const dt_dataset *)dt_table_find(&dt_datasets, name);
    int conf[16];
    dt_opt_defaults(row->row.opts, conf);
    if (labels)
        ck_assert_int_eq(dt_opt_set(dt_opt_find(row->row.opts, "labels"), conf, labels, NULL, NULL),
                         DT_OK);
    return dt_data_open(row, &(dt_data_params){ .root = d->path, .conf = labels ? conf : NULL },
                        data, err);
}

static void reads_cifar10(const char *folder)
{
    test_dir d = test_dir_make();
    test_cifar10_files(&d, folder, 3);
    dt_data *data;
    ck_assert_int_eq(open_set("cifar10", &d, NULL, &data, NULL), DT_OK);
    const dt_data_info *info = dt_data_info_of(data);
    ck_assert(info->classes == 10 && info->H == 32 && info->W == 32);
    ck_assert_str_eq(info->class_names[9], "truck");
    ck_assert_int_eq(dt_data_count(data, DT_SPLIT_TRAIN), 15);
    ck_assert_int_eq(dt_data_count(data, DT_SPLIT_TEST), 3);
    ck_assert_int_eq(dt_data_count(data, DT_SPLIT_VAL), 0);
    uint8_t picture[3072];
    int label;
    for (int i = 0; i < 15; i++) {
        ck_assert_int_eq(test_read(data, DT_SPLIT_TRAIN, i, picture, sizeof picture, &label, NULL),
                         DT_OK);
        int first = 10 * (1 + i / 3) + i % 3;
        ck_assert_int_eq(label, first % 10);
        ck_assert_int_eq(picture[3 * 700 + 2], (first + 2 + 700) % 256);
    }
    ck_assert_int_eq(test_read(data, DT_SPLIT_TEST, 2, picture, sizeof picture, &label, NULL),
                     DT_OK);
    ck_assert_int_eq(label, 7);
    ck_assert_int_eq(test_read(data, DT_SPLIT_TEST, 3, picture, sizeof picture, &label, NULL),
                     DT_ERR_RANGE);
    ck_assert_int_eq(test_read(data, DT_SPLIT_TRAIN, -1, picture, sizeof picture, &label, NULL),
                     DT_ERR_RANGE);
    dt_data_close(data);
    test_dir_remove(&d);
}

START_TEST(cifar10_in_the_folder_or_below_it)
{
    reads_cifar10("");
    reads_cifar10("cifar-10-batches-bin/");
}
END_TEST

static void fails_with(const char *name, const test_dir *d, dt_status status, const char *text)
{
    dt_data *data = NULL;
    dt_error err;
    ck_assert_int_eq(open_set(name, d, NULL, &data, &err), status);
    ck_assert_ptr_null(data);
    ck_assert_msg(strstr(err.text, text), "%s", err.text);
    ck_assert_ptr_null(strchr(err.text, '\n'));
}

START_TEST(damaged_sets_are_refused)
{
    test_dir d = test_dir_make();
    fails_with("cifar10", &d, DT_ERR_NOT_FOUND,
               "has neither data_batch_1.bin nor a sub-folder cifar-10-batches-bin");
    fails_with("cifar10", &(test_dir){ "" }, DT_ERR_ARG, "data.root: cifar10 needs the folder");
    test_cifar10_files(&d, "", 3);
    test_cifar_file(&d, "data_batch_4.bin", 1, 2, 0);
    fails_with("cifar10", &d, DT_ERR_FORMAT,
               "data_batch_4.bin has 2 records, data_batch_1.bin has 3; they must be equal");
    test_cifar10_files(&d, "", 3);
    test_file(&d, "test_batch.bin", d.path, 20);
    fails_with("cifar10", &d, DT_ERR_FORMAT, "test_batch.bin: 20 bytes is no multiple of 3073");
    char path[128];
    snprintf(path, sizeof path, "%s/data_batch_2.bin", d.path);
    ck_assert_int_eq(remove(path), 0);
    fails_with("cifar10", &d, DT_ERR_NOT_FOUND, "");
    test_cifar10_files(&d, "", 3);
    ck_assert_int_eq(chmod(path, 0), 0);
    if (geteuid() != 0) fails_with("cifar10", &d, DT_ERR_IO, "data_batch_2.bin: cannot open");
    test_dir_remove(&d);
}
END_TEST

START_TEST(cifar100_has_fine_and_coarse_labels)
{
    test_dir d = test_dir_make();
    test_cifar_file(&d, "cifar-100-binary/train.bin", 2, 4, 0);
    test_cifar_file(&d, "cifar-100-binary/test.bin", 2, 2, 3);
    uint8_t picture[3072];
    for (int coarse = 0; coarse < 2; coarse++) {
        dt_data *data;
        int label;
        ck_assert_int_eq(open_set("cifar100", &d, coarse ? "coarse" : "fine", &data, NULL), DT_OK);
        ck_assert_int_eq(dt_data_info_of(data)->classes, coarse ? 20 : 100);
        ck_assert_str_eq(dt_data_info_of(data)->class_names[3],
                         coarse ? "food_containers" : "bear");
        ck_assert_int_eq(dt_data_count(data, DT_SPLIT_TRAIN), 4);
        ck_assert_int_eq(test_read(data, DT_SPLIT_TEST, 1, picture, sizeof picture, &label, NULL),
                         DT_OK);
        ck_assert_int_eq(label, coarse ? 4 : 5);
        ck_assert_int_eq(picture[3 * 5 + 1], 3 + 1 + 1 + 5);
        dt_data_close(data);
    }
    test_dir_remove(&d);
}
END_TEST

START_TEST(what_is_not_read_need_not_be_there)
{
    test_dir d = test_dir_make();
    const dt_dataset *row = (const dt_dataset *)dt_table_find(&dt_datasets, "cifar10");
    dt_data_params p = { .root = d.path, .need = DT_NEED_TEST };
    dt_data *data;
    dt_error err;
    ck_assert_int_eq(dt_data_open(row, &p, &data, &err), DT_ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.text, "has neither test_batch.bin nor a sub-folder"));
    test_cifar_file(&d, "test_batch.bin", 1, 3, 5);
    ck_assert_int_eq(dt_data_open(row, &p, &data, NULL), DT_OK);
    ck_assert_int_eq(dt_data_count(data, DT_SPLIT_TRAIN), 0);
    ck_assert_int_eq(dt_data_count(data, DT_SPLIT_TEST), 3);
    dt_data_close(data);
    p.need = DT_NEED_TRAIN;
    ck_assert_int_eq(dt_data_open(row, &p, &data, NULL), DT_ERR_NOT_FOUND);
    test_cifar10_files(&d, "", 3);
    test_file(&d, "test_batch.bin", d.path, 20); /* damaged, but not looked at */
    ck_assert_int_eq(dt_data_open(row, &p, &data, NULL), DT_OK);
    ck_assert_int_eq(dt_data_count(data, DT_SPLIT_TRAIN), 15);
    dt_data_close(data);
    test_dir_remove(&d);
}
END_TEST

DT_TEST_MAIN("data_cifar", cifar10_in_the_folder_or_below_it, damaged_sets_are_refused,
             cifar100_has_fine_and_coarse_labels, what_is_not_read_need_not_be_there)
