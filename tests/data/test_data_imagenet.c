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

static void add_train(const test_dir *d)
{
    add(d, "train/n02/a.JPEG", 7, 5, 3);
    add(d, "train/n01/b.JPEG", 16, 15, 2);
    add(d, "train/n01/a.jpg", 8, 9, 1);
}

static dt_status open_for(const test_dir *d, dt_data_need need, dt_data **data, dt_error *err)
{
    return dt_data_open((const dt_dataset *)dt_table_find(&dt_datasets, "imagenet"),
                        &(dt_data_params){ .root = d->path, .need = need }, data, err);
}

static dt_status open_root(const test_dir *d, dt_data **data, dt_error *err)
{
    return open_for(d, DT_NEED_BOTH, data, err);
}

static void expect(const dt_data *data, dt_split split, int64_t index, int W, int H, int tag,
                   int label)
{
    dt_sample s;
    dt_sample_init(&s, NULL);
    ck_assert_int_eq(dt_data_read(data, split, index, &s, NULL), DT_OK);
    ck_assert(s.picture.W == W && s.picture.H == H);
    ck_assert_int_eq(s.picture.rgb.data[3 * (W * H - 1)], tag);
    ck_assert_int_eq(s.label, label);
    dt_sample_fini(&s);
}

START_TEST(pictures_have_any_size)
{
    test_dir d = test_dir_make();
    add_train(&d);
    add(&d, "val/n01/x.JPEG", 3, 4, 4);
    add(&d, "val/n02/x.PNG", 4, 3, 5);
    dt_data *data;
    ck_assert_int_eq(open_root(&d, &data, NULL), DT_OK);
    const dt_data_info *info = dt_data_info_of(data);
    ck_assert(info->classes == 2 && info->H == 0 && info->W == 0 && info->coded);
    ck_assert_int_eq(dt_data_count(data, DT_SPLIT_TRAIN), 3);
    expect(data, DT_SPLIT_TRAIN, 0, 8, 9, 1, 0);
    expect(data, DT_SPLIT_TRAIN, 1, 16, 15, 2, 0);
    expect(data, DT_SPLIT_TRAIN, 2, 7, 5, 3, 1);
    expect(data, DT_SPLIT_TEST, 1, 4, 3, 5, 1);
    dt_sample_name name;
    ck_assert_int_eq(dt_data_name(data, DT_SPLIT_TEST, 1, &name, NULL), DT_OK);
    ck_assert_str_eq(name.name, "n02/x.PNG");
    ck_assert_ptr_nonnull(strstr(name.path, "/val/n02/x.PNG"));
    ck_assert_int_eq(name.label, 1);
    dt_data_close(data);
    test_dir_remove(&d);
}
END_TEST

static void labels_fail(const test_dir *d, const char *labels, const char *text)
{
    dt_data *data;
    dt_error err;
    test_file(d, "val_labels.txt", labels, strlen(labels));
    ck_assert_int_eq(open_root(d, &data, &err), DT_ERR_FORMAT);
    ck_assert_msg(strstr(err.text, text), "%s", err.text);
}

START_TEST(a_file_tells_the_classes_of_a_flat_folder)
{
    test_dir d = test_dir_make();
    dt_data *data;
    dt_error err;
    add_train(&d);
    add(&d, "val/v_1.JPEG", 3, 4, 4);
    add(&d, "val/v_10.JPEG", 4, 3, 5);
    add(&d, "val/v_2.JPEG", 4, 3, 6);
    ck_assert_int_eq(open_root(&d, &data, &err), DT_ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.text, "val_labels.txt: cannot open"));
    labels_fail(&d, "v_1 n01\nv_2\n", "val_labels.txt:2: must be a file and its class");
    labels_fail(&d, "v_1 n01\nv_2 7\n", ":2: '7' is no class folder of the training split");
    labels_fail(&d, "v_1 n01\nv_2 n02\n", "val_labels.txt: has no line for v_10.JPEG");
    labels_fail(&d, "v_1 n01\nv_1 n02\n", ":2: 'v_1' has another class above");
    labels_fail(&d, "v_1 n01\nv n02\n", "has no line for v_10.JPEG");
    static const char *const good[] = {
        "ImageId,PredictionString\nv_10,n02 1 2 3 4\nv_1,n01 85 1\nv_2,n02 8 9\nother,n01 0\n",
        "v_1.JPEG n01\r\n\r\nv_10.JPEG\tn02\r\nv_2.JPEG n02",
        "\xef\xbb\xbfv_1 n01\r\nv_10 n02\r\nv_2 n02\r\n", /* a byte order mark */
        "\xef\xbb\xbfImageId,PredictionString\r\nv_10,n02\r\nv_1,n01\r\nv_2,n02",
    };
    for (size_t i = 0; i < DT_ARRAY_LEN(good); i++) {
        test_file(&d, "val_labels.txt", good[i], strlen(good[i]));
        ck_assert_msg(open_root(&d, &data, &err) == DT_OK, "%s", err.text);
        expect(data, DT_SPLIT_TEST, 0, 3, 4, 4, 0);
        expect(data, DT_SPLIT_TEST, 1, 4, 3, 5, 1);
        expect(data, DT_SPLIT_TEST, 2, 4, 3, 6, 1);
        dt_data_close(data);
    }
    test_file(&d, "val_labels.txt", "\xff\xfev\0_\0001\0 \0n\0001\0", 14);
    ck_assert_int_eq(open_root(&d, &data, &err), DT_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "val_labels.txt: is UTF-16; save it as UTF-8"));
    add(&d, "val/v_2.png", 4, 3, 6); /* two of one stem */
    labels_fail(&d, "v_1 n01\nv_10 n02\nv_2 n02\n", ":3: 'v_2' may be two pictures");
    labels_fail(&d, "v_1 n01\nv_10 n02\nv_2.png n02\n", "has no line for v_2.JPEG");
    test_file(&d, "val_labels.txt", "v_1\0 n01", 9); /* a NUL is a gap, and ends no name */
    ck_assert_int_eq(open_root(&d, &data, &err), DT_ERR_FORMAT);
    test_dir_remove(&d);
}
END_TEST

START_TEST(what_is_not_read_need_not_be_there)
{
    test_dir d = test_dir_make();
    dt_data *data;
    dt_error err;
    add(&d, "val/n01/a.JPEG", 7, 5, 1);
    add(&d, "val/n02/a.JPEG", 7, 5, 2);
    for (int k = 0; k < 2; k++) {
        ck_assert_int_eq(open_for(&d, k ? DT_NEED_ANY : DT_NEED_TEST, &data, NULL), DT_OK);
        ck_assert_int_eq(dt_data_count(data, DT_SPLIT_TRAIN), 0);
        ck_assert_int_eq(dt_data_count(data, DT_SPLIT_TEST), 2);
        ck_assert_str_eq(dt_data_info_of(data)->class_names[1], "n02");
        expect(data, DT_SPLIT_TEST, 1, 7, 5, 2, 1);
        dt_data_close(data);
    }
    ck_assert_int_eq(open_for(&d, DT_NEED_BOTH, &data, &err), DT_ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.text, ": has no folder train"));
    ck_assert_int_eq(open_for(&d, DT_NEED_TRAIN, &data, &err), DT_ERR_NOT_FOUND);
    test_dir_remove(&d);

    d = test_dir_make(); /* a flat one: the label file names the classes */
    add(&d, "val/a.JPEG", 7, 5, 1);
    add(&d, "val/b.JPEG", 7, 5, 2);
    test_file(&d, "val_labels.txt", "a n02\nb n07\nc n01\nd n02\n", 24);
    ck_assert_msg(open_for(&d, DT_NEED_TEST, &data, &err) == DT_OK, "%s", err.text);
    ck_assert_int_eq(dt_data_info_of(data)->classes, 3);
    expect(data, DT_SPLIT_TEST, 0, 7, 5, 1, 1);
    expect(data, DT_SPLIT_TEST, 1, 7, 5, 2, 2);
    dt_data_close(data);
    test_dir_remove(&d);

    d = test_dir_make();
    add_train(&d);
    ck_assert_int_eq(open_for(&d, DT_NEED_TRAIN, &data, NULL), DT_OK);
    ck_assert_int_eq(dt_data_count(data, DT_SPLIT_TRAIN), 3);
    ck_assert_int_eq(dt_data_count(data, DT_SPLIT_TEST), 0);
    dt_data_close(data);
    ck_assert_int_eq(open_for(&d, DT_NEED_TEST, &data, &err), DT_ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.text, ": has a folder train, but no folder val"));
    add(&d, "val/n01/a.JPEG", 7, 5, 1); /* classes are still those of the training split */
    ck_assert_int_eq(open_for(&d, DT_NEED_TEST, &data, &err), DT_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "class 'n02' is only in train"));
    test_dir_remove(&d);
}
END_TEST

START_TEST(wrong_folders_are_refused)
{
    test_dir d = test_dir_make();
    dt_data *data;
    dt_error err;
    add(&d, "n01/a.JPEG", 7, 5, 3);
    add(&d, "n02/a.JPEG", 7, 5, 3);
    ck_assert_int_eq(open_root(&d, &data, &err), DT_ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.text, ": has no folder train"));
    add_train(&d);
    ck_assert_int_eq(open_root(&d, &data, &err), DT_ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.text, ": has a folder train, but no folder val"));
    ck_assert_int_eq(dt_dir_make(strcat(strcpy((char[100]){ 0 }, d.path), "/val"), NULL), DT_OK);
    ck_assert_int_eq(open_root(&d, &data, &err), DT_ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.text, "/val: has neither class folders nor PNG or JPEG"));
    test_dir_remove(&d);
}
END_TEST

DT_TEST_MAIN("data_imagenet", pictures_have_any_size, a_file_tells_the_classes_of_a_flat_folder,
             what_is_not_read_need_not_be_there, wrong_folders_are_refused)
