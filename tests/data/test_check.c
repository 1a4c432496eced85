/* SPDX-License-Identifier: Apache-2.0 */
#include "data/check.h"

#include "tests/data/files.h"
#include "tests/data/png_write.h"
#include "tests/support/run.h"

static void add(const test_dir *d, const char *name, int W, int H)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", d->path, name);
    test_file(d, name, "", 0);
    test_png_plain(path, W, H, 1, 2, 3);
}

typedef struct seen {
    int broken;
    int64_t done, total;
    char text[512];
} seen;

static void on_broken(void *arg, dt_split split, int64_t index, const char *text)
{
    seen *s = arg;
    ck_assert(split == DT_SPLIT_TRAIN && index == 1);
    s->broken++;
    snprintf(s->text, sizeof s->text, "%s", text);
}

static bool on_progress(void *arg, int64_t done, int64_t total)
{
    seen *s = arg;
    s->done = done;
    s->total = total;
    return s->broken < 100;
}

START_TEST(counts_classes_sizes_and_broken_files)
{
    test_dir d = test_dir_make();
    dt_data *data;
    dt_check_report r;
    add(&d, "train/a/1.png", 3, 9);
    test_file(&d, "train/a/2.png", "x", 1);
    add(&d, "train/b/1.png", 5, 2);
    add(&d, "train/b/2.png", 4, 4);
    add(&d, "val/a/1.png", 1, 1);
    add(&d, "val/b/1.png", 1, 1);
    test_file(&d, "val/b/note.txt", "x", 1);
    ck_assert_int_eq(dt_data_open((const dt_dataset *)dt_table_find(&dt_datasets, "imagenet"),
                                  &(dt_data_params){ .root = d.path }, &data, NULL),
                     DT_OK);
    for (int threads = 1; threads <= 3; threads += 2) {
        seen s = { 0 };
        const dt_check_params p = { .data = data,
                                    .threads = threads,
                                    .broken = on_broken,
                                    .progress = on_progress,
                                    .arg = &s };
        ck_assert_int_eq(dt_check_run(&p, &r, NULL), DT_OK);
        ck_assert(s.broken == 1 && s.done == 6 && s.total == 6);
        ck_assert_ptr_nonnull(strstr(s.text, "train/a/2.png: no readable picture"));
        const dt_check_split *t = &r.split[DT_SPLIT_TRAIN];
        ck_assert(t->count == 4 && t->broken == 1 && t->pixels == 27 + 10 + 16);
        ck_assert(t->by_class[0] == 2 && t->by_class[1] == 2);
        ck_assert(t->width.least == 3 && t->width.most == 5);
        ck_assert(t->height.least == 2 && t->height.most == 9);
        ck_assert(r.split[1].by_class[0] == 1 && r.split[1].by_class[1] == 1);
        dt_check_fini(&r);
        s.broken = 100;
        ck_assert_int_eq(dt_check_run(&p, &r, NULL), DT_ERR_ARG);
    }
    dt_data_close(data);
    test_dir_remove(&d);
}
END_TEST

DT_TEST_MAIN("check", counts_classes_sizes_and_broken_files)
