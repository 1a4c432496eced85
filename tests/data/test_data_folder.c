/* SPDX-License-Identifier: Apache-2.0 */
#include "data/dataset.h"

#include <sys/stat.h>
#include <unistd.h>

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

static bool has_note(const dt_data *data, bool fault, const char *text)
{
    const dt_data_info *info = dt_data_info_of(data);
    for (size_t i = 0; i < info->note_count; i++)
        if (info->notes[i].fault == fault && strstr(info->notes[i].text, text)) return true;
    return false;
}

/* Whatever else lies about, labels mean the same. */
START_TEST(other_folders_and_files_are_told)
{
    test_dir d = test_dir_make();
    dt_data *data;
    dt_error err;
    add(&d, "train/apple/a.png", 7, 5, 1);
    add(&d, "train/zebra/a.png", 7, 5, 2);
    add(&d, "test/apple/a.png", 7, 5, 3);
    add(&d, "test/zebra/a.png", 7, 5, 4);
    ck_assert_int_eq(open_folder(&d, &data, NULL), DT_OK);
    ck_assert(dt_data_info_of(data)->note_count == 0 && dt_data_info_of(data)->passed[0] == 0);
    dt_data_close(data);
    add(&d, "train/__MACOSX/apple/a.png", 7, 5, 9);
    add(&d, "train/.git/a.png", 7, 5, 9);
    add(&d, "train/apple/deeper/b.png", 7, 5, 9);
    add(&d, "train/loose.png", 7, 5, 9);
    add(&d, "train/apple/._a.png", 7, 5, 9);
    test_file(&d, "train/apple/b.bmp", "x", 1);
    test_file(&d, "train/zebra/Thumbs.db", "x", 1);
    test_file(&d, "test/zebra/.DS_Store", "x", 1);
    ck_assert_msg(open_folder(&d, &data, &err) == DT_OK, "%s", err.text);
    const dt_data_info *info = dt_data_info_of(data);
    ck_assert(info->classes == 2 && info->count[0] == 2 && info->count[1] == 2);
    expect(data, DT_SPLIT_TRAIN, 1, 2, 1);
    ck_assert(info->passed[0] == 7 && info->passed[1] == 1);
    ck_assert(
        has_note(data, false, "/train: passed over 2 hidden or system folders, such as .git"));
    ck_assert(has_note(data, false,
                       "/train: passed over 1 files beside the class folders, such "
                       "as loose.png"));
    ck_assert(has_note(data, false,
                       "/train: passed over 3 files that are no PNG or JPEG by their "
                       "names, such as apple/._a.png"));
    ck_assert(has_note(data, false,
                       "/train: passed over 1 folders inside of classes, such as "
                       "apple/deeper"));
    ck_assert(has_note(data, false, "/test: passed over 1 files that are no PNG"));
    dt_data_close(data);
    test_dir_remove(&d);
}
END_TEST

START_TEST(classes_without_pictures_are_refused)
{
    test_dir d = test_dir_make();
    char path[128];
    add(&d, "train/a/a.png", 7, 5, 1);
    add(&d, "train/b/a.png", 7, 5, 2);
    add(&d, "test/a/a.png", 7, 5, 3);
    add(&d, "test/b/a.png", 7, 5, 4);
    test_file(&d, "train/aa/1.bmp", "x", 1); /* would shift the label of b */
    test_file(&d, "train/aa/2.webp", "x", 1);
    test_file(&d, "test/aa/1.bmp", "x", 1);
    fails_with(&d, DT_ERR_FORMAT,
               "train/aa: a class without a PNG or JPEG file: it holds 2 files of other kinds, "
               "such as 1.bmp");
    add(&d, "train/ab/deeper/a.png", 7, 5, 2);
    add(&d, "test/ab/a.png", 7, 5, 2);
    fails_with(&d, DT_ERR_FORMAT, "such as 1.bmp; 1 more classes have none");
    add(&d, "train/aa/a.png", 7, 5, 2);
    fails_with(&d, DT_ERR_FORMAT,
               "train/ab: a class without a PNG or JPEG file: it holds 1 folders, which are not "
               "looked into, such as deeper");
    dt_data *data;
    const dt_data_params lenient = { .root = d.path, .lenient = true };
    ck_assert_int_eq(dt_data_open((const dt_dataset *)dt_table_find(&dt_datasets, "folder"),
                                  &lenient, &data, NULL),
                     DT_OK);
    ck_assert_int_eq(dt_data_info_of(data)->classes, 4);
    ck_assert(has_note(data, true, "train/ab: a class without a PNG or JPEG file"));
    ck_assert(has_note(data, true, "test/aa: a class without a PNG or JPEG file"));
    dt_data_close(data);
    add(&d, "train/ab/a.png", 7, 5, 2);
    add(&d, "test/aa/a.png", 7, 5, 2);
    snprintf(path, sizeof path, "%s/train/c", d.path);
    ck_assert_int_eq(symlink("/nowhere", path), 0);
    fails_with(&d, DT_ERR_IO, "train/c: is a link that leads nowhere");
    ck_assert_int_eq(remove(path), 0);
    ck_assert_int_eq(mkdir(path, 0777), 0);
    snprintf(path, sizeof path, "%s/test/c", d.path);
    ck_assert_int_eq(mkdir(path, 0777), 0);
    fails_with(&d, DT_ERR_FORMAT, "train/c: a class without a PNG or JPEG file: it is empty");
    test_dir_remove(&d);
}
END_TEST

START_TEST(odd_names_are_read_by_content)
{
    test_dir d = test_dir_make();
    char path[128];
    dt_data *data;
    add(&d, "a/x.JPG", 7, 5, 1); /* a PNG by its bytes */
    add(&d, "a/x.png", 7, 5, 2);
    add(&d, "a/y.\xff\xfe.Jpeg", 7, 5, 3);
    add(&d, "b/z.PnG", 7, 5, 4);
    ck_assert_int_eq(open_folder(&d, &data, NULL), DT_OK);
    for (int i = 0; i < 4; i++)
        expect(data, DT_SPLIT_TRAIN, i, i + 1, i / 3);
    dt_data_close(data);
    snprintf(path, sizeof path, "%s/b/loop.png", d.path);
    ck_assert_int_eq(symlink("loop.png", path), 0);
    fails_with(&d, DT_ERR_IO, "b/loop.png: cannot open: "); /* a picture that cannot be read */
    test_dir_remove(&d);
}
END_TEST

START_TEST(a_share_is_for_the_test)
{
    test_dir d = test_dir_make();
    const dt_dataset *row = (const dt_dataset *)dt_table_find(&dt_datasets, "folder");
    _Alignas(16) unsigned char conf[256] = { 0 };
    char name[32];
    dt_data *data;
    dt_error err;
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "%c/%02d.png", 'a' + i / 10, i);
        add(&d, name, 7, 5, (uint8_t)i);
    }
    ck_assert_int_eq(open_folder(&d, &data, NULL), DT_OK);
    ck_assert(has_note(data, false, "the same pictures are trained on and tested on"));
    ck_assert_int_eq(dt_data_count(data, DT_SPLIT_TRAIN), 20);
    dt_data_close(data);
    dt_opt_defaults(row->row.opts, conf);
    ck_assert_int_eq(dt_opt_set(dt_opt_find(row->row.opts, "test_share"), conf, "0.2", NULL, NULL),
                     DT_OK);
    dt_data_params p = { .root = d.path, .conf = conf };
    ck_assert_int_eq(dt_data_open(row, &p, &data, NULL), DT_OK);
    ck_assert_int_eq(dt_data_count(data, DT_SPLIT_TRAIN), 16);
    ck_assert_int_eq(dt_data_count(data, DT_SPLIT_TEST), 4);
    ck_assert(!has_note(data, false, "the same pictures"));
    int seen[20] = { 0 }, label;
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < (k ? 4 : 16); i++) {
            uint8_t picture[5 * 7 * 3];
            ck_assert_int_eq(test_read(data, (dt_split)k, i, picture, sizeof picture, &label, NULL),
                             DT_OK);
            ck_assert_int_eq(label, picture[3 * 34] / 10);
            seen[picture[3 * 34]]++;
        }
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(seen[i], 1);
    dt_data_close(data);
    add(&d, "train/a/x.png", 7, 5, 1);
    add(&d, "train/b/x.png", 7, 5, 1);
    add(&d, "test/a/x.png", 7, 5, 1);
    add(&d, "test/b/x.png", 7, 5, 1);
    ck_assert_int_eq(dt_data_open(row, &p, &data, &err), DT_ERR_ARG);
    ck_assert_ptr_nonnull(strstr(err.text, "data.test_share: "));
    test_dir_remove(&d);
}
END_TEST

DT_TEST_MAIN("data_folder", classes_and_files_are_sorted_by_name, one_folder_serves_both_splits,
             wrong_folders_are_refused, other_folders_and_files_are_told,
             classes_without_pictures_are_refused, odd_names_are_read_by_content,
             a_share_is_for_the_test)
