/* SPDX-License-Identifier: Apache-2.0 */
#include "data/pack.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/data/files.h"
#include "tests/data/png_write.h"
#include "tests/support/run.h"

enum { TRAIN = 5, TEST = 2 };

/* Adds a picture whose red value is `tag`. */
static void add(const test_dir *d, const char *name, int W, int H, uint8_t tag)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", d->path, name);
    test_file(d, name, "", 0);
    test_png_plain(path, W, H, tag, 0, 0);
}

static void make_set(const test_dir *d)
{
    add(d, "train/apple/a.png", 3, 4, 1);
    add(d, "train/apple/b.png", 5, 6, 2);
    add(d, "train/apple/c.png", 7, 2, 3);
    add(d, "train/zebra_with_a_long_name/a.png", 1, 1, 4);
    add(d, "train/zebra_with_a_long_name/b.png", 16, 16, 5);
    add(d, "val/apple/v.png", 2, 2, 6);
    add(d, "val/zebra_with_a_long_name/v.png", 9, 3, 7);
}

static dt_status open_as(const char *row, const char *root, dt_data **data, dt_error *err)
{
    return dt_data_open((const dt_dataset *)dt_table_find(&dt_datasets, row),
                        &(dt_data_params){ .root = root }, data, err);
}

static dt_status pack_as(const test_dir *d, const char *name, bool skip, dt_pack_report *report,
                         dt_error *err)
{
    dt_data *data;
    char path[128];
    snprintf(path, sizeof path, "%s/%s", d->path, name);
    ck_assert_int_eq(open_as("imagenet", d->path, &data, err), DT_OK);
    const dt_pack_params p = { .data = data, .path = path, .threads = 3, .skip_broken = skip };
    dt_status st = dt_pack_write(&p, report, err);
    dt_data_close(data);
    return st;
}

static const char *file_of(const test_dir *d, const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", d->path, name);
    return path;
}

START_TEST(a_packed_set_is_the_folder)
{
    test_dir d = test_dir_make();
    dt_pack_report report;
    dt_data *a, *b;
    dt_error err;
    make_set(&d);
    ck_assert_msg(pack_as(&d, "x.h5", false, &report, &err) == DT_OK, "%s", err.text);
    ck_assert(report.count[0] == TRAIN && report.count[1] == TEST && report.skipped == 0);
    ck_assert_int_eq(open_as("imagenet", d.path, &a, NULL), DT_OK);
    ck_assert_msg(open_as("packed", file_of(&d, "x.h5"), &b, &err) == DT_OK, "%s", err.text);
    const dt_data_info *info = dt_data_info_of(b);
    ck_assert(info->classes == 2 && info->H == 0 && info->coded);
    ck_assert(info->count[0] == TRAIN && info->count[1] == TEST);
    ck_assert_str_eq(info->class_names[1], "zebra_with_a_long_name");
    for (int split = 0; split < 2; split++)
        for (int i = 0; i < (split ? TEST : TRAIN); i++) {
            uint8_t x[768], y[768];
            int label_x, label_y;
            dt_sample_name name_x, name_y;
            ck_assert_int_eq(test_read(a, (dt_split)split, i, x, sizeof x, &label_x, NULL), DT_OK);
            ck_assert_int_eq(test_read(b, (dt_split)split, i, y, sizeof y, &label_y, NULL), DT_OK);
            ck_assert_int_eq(x[0], y[0]);
            ck_assert_int_eq(label_x, label_y);
            ck_assert_int_eq(dt_data_name(a, (dt_split)split, i, &name_x, NULL), DT_OK);
            ck_assert_int_eq(dt_data_name(b, (dt_split)split, i, &name_y, NULL), DT_OK);
            ck_assert_str_eq(name_x.name, name_y.name);
            ck_assert_str_eq(name_y.path, "");
        }
    dt_data_close(a);
    dt_data_close(b);
    test_dir_remove(&d);
}
END_TEST

START_TEST(any_changed_byte_is_noticed)
{
    test_dir d = test_dir_make();
    dt_pack_report report;
    dt_error err;
    unsigned char *data;
    size_t size;
    make_set(&d);
    ck_assert_int_eq(pack_as(&d, "x.h5", false, &report, NULL), DT_OK);
    ck_assert_int_eq(dt_file_read(NULL, file_of(&d, "x.h5"), 1 << 24, &data, &size, NULL), DT_OK);
    uint64_t pictures = dt_pack_number(data + 56, 8), bytes = dt_pack_number(data + 64, 8),
             index = dt_pack_number(data + 72, 8), names = dt_pack_number(data + 80, 8),
             classes = dt_pack_number(data + 88, 8);
    const size_t at[] = { 0,   8,     12,        16,         24,    32,         40,     48,
                          56,  64,    72,        80,         88,    96,         104,    112,
                          175, index, index + 8, index + 17, names, names + 40, classes };
    for (size_t k = 0; k < sizeof at / sizeof *at; k++) {
        dt_data *set;
        data[at[k]] ^= 1;
        test_file(&d, "y.h5", data, size);
        data[at[k]] ^= 1;
        dt_status st = open_as("packed", file_of(&d, "y.h5"), &set, &err);
        ck_assert_msg(st == DT_ERR_FORMAT || st == DT_ERR_UNSUPPORTED, "byte %zu: %d", at[k], st);
        ck_assert_ptr_nonnull(strstr(err.text, "y.h5: "));
    }
    data[pictures + bytes - 60] ^= 1; /* in the last picture: told when it is read */
    test_file(&d, "y.h5", data, size);
    dt_data *set;
    uint8_t x[768];
    int label;
    ck_assert_int_eq(open_as("packed", file_of(&d, "y.h5"), &set, NULL), DT_OK);
    ck_assert_int_eq(test_read(set, DT_SPLIT_TEST, 0, x, sizeof x, &label, NULL), DT_OK);
    ck_assert_int_eq(test_read(set, DT_SPLIT_TEST, 1, x, sizeof x, &label, &err), DT_ERR_FORMAT);
    ck_assert_ptr_nonnull(
        strstr(err.text, "y.h5/zebra_with_a_long_name/v.png: is changed: its CRC-32"));
    dt_data_close(set);
    for (size_t n = 0; n < size; n += 97) { /* cut off */
        test_file(&d, "y.h5", data, n);
        ck_assert_int_eq(open_as("packed", file_of(&d, "y.h5"), &set, NULL), DT_ERR_FORMAT);
    }
    ck_assert_int_eq(open_as("packed", d.path, &set, NULL), DT_ERR_FORMAT);
    ck_assert_int_eq(open_as("packed", "/nowhere.h5", &set, NULL), DT_ERR_NOT_FOUND);
    dt_put(NULL, data);
    test_dir_remove(&d);
}
END_TEST

START_TEST(broken_pictures_are_left_out_or_refused)
{
    test_dir d = test_dir_make();
    dt_pack_report report;
    dt_error err;
    dt_data *data;
    make_set(&d);
    test_file(&d, "train/apple/b.png", "no picture", 10);
    test_file(&d, "train/apple/empty.png", "", 0);
    ck_assert_int_eq(pack_as(&d, "x.h5", false, &report, &err), DT_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "train/apple/b.png: no readable picture"));
    ck_assert(!dt_file_exists(file_of(&d, "x.h5")));
    ck_assert_int_eq(pack_as(&d, "x.h5", true, &report, &err), DT_OK);
    ck_assert(report.skipped == 2 && report.count[0] == TRAIN - 1);
    ck_assert_ptr_nonnull(strstr(report.first.text, "train/apple/b.png"));
    ck_assert_int_eq(open_as("packed", file_of(&d, "x.h5"), &data, NULL), DT_OK);
    uint8_t x[768];
    int label;
    ck_assert_int_eq(test_read(data, DT_SPLIT_TRAIN, 1, x, sizeof x, &label, NULL), DT_OK);
    ck_assert(x[0] == 3 && label == 0);
    dt_data_close(data);
    test_file(&d, "val/apple/v.png", "x", 1);
    test_file(&d, "val/zebra_with_a_long_name/v.png", "x", 1);
    ck_assert_int_eq(pack_as(&d, "y.h5", true, &report, &err), DT_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "no picture of the test split can be read"));
    test_dir_remove(&d);
}
END_TEST

/* A file of version 1, as it was written before sizes were kept, made of one of today. */
static void make_version_1(const test_dir *d, const char *from, const char *to)
{
    unsigned char *data;
    size_t size;
    char hex[DT_SHA256_HEX];
    dt_sha256 hash;
    ck_assert_int_eq(dt_file_read(NULL, file_of(d, from), 1 << 24, &data, &size, NULL), DT_OK);
    uint64_t n = dt_pack_number(data + 24, 8) + dt_pack_number(data + 32, 8);
    memset(data + 96, 0, DT_PACK_BLOCK - 96);
    data[8] = 1;
    dt_sha256_init(&hash);
    dt_sha256_add(&hash, data, 96);
    dt_sha256_add(&hash, data + dt_pack_number(data + 72, 8), n * 32);
    dt_sha256_add(&hash, data + dt_pack_number(data + 80, 8), n * dt_pack_number(data + 48, 8));
    dt_sha256_add(&hash, data + dt_pack_number(data + 88, 8),
                  dt_pack_number(data + 12, 4) * dt_pack_number(data + 40, 8));
    dt_sha256_end(&hash, hex);
    memcpy(data + 96, hex, 64);
    test_file(d, to, data, size);
    dt_put(NULL, data);
}

START_TEST(the_size_of_all_pictures_is_kept)
{
    test_dir d = test_dir_make();
    dt_pack_report report;
    dt_error err;
    dt_data *data;
    add(&d, "train/a/a.png", 3, 4, 1);
    add(&d, "train/b/a.png", 3, 4, 2);
    add(&d, "val/a/a.png", 3, 4, 3);
    add(&d, "val/b/a.png", 3, 4, 4);
    ck_assert_int_eq(pack_as(&d, "x.h5", false, &report, NULL), DT_OK);
    ck_assert_int_eq(open_as("packed", file_of(&d, "x.h5"), &data, NULL), DT_OK);
    ck_assert(dt_data_info_of(data)->H == 4 && dt_data_info_of(data)->W == 3);
    dt_data_close(data);
    make_version_1(&d, "x.h5", "old.h5");
    ck_assert_msg(open_as("packed", file_of(&d, "old.h5"), &data, &err) == DT_OK, "%s", err.text);
    ck_assert(dt_data_info_of(data)->H == 0 && dt_data_info_of(data)->W == 0);
    uint8_t x[768];
    int label;
    ck_assert_int_eq(test_read(data, DT_SPLIT_TEST, 1, x, sizeof x, &label, NULL), DT_OK);
    ck_assert(x[0] == 4 && label == 1);
    dt_data_close(data);
    add(&d, "val/b/b.png", 4, 3, 5); /* as many pixels, another size */
    ck_assert_int_eq(pack_as(&d, "y.h5", false, &report, NULL), DT_OK);
    ck_assert_int_eq(open_as("packed", file_of(&d, "y.h5"), &data, NULL), DT_OK);
    ck_assert(dt_data_info_of(data)->H == 0 && dt_data_info_of(data)->W == 0);
    dt_data_close(data);
    test_dir_remove(&d);
}
END_TEST

START_TEST(a_set_of_one_split_can_be_packed)
{
    test_dir d = test_dir_make();
    dt_pack_report report;
    dt_error err;
    dt_data *data;
    const dt_dataset *imagenet = (const dt_dataset *)dt_table_find(&dt_datasets, "imagenet"),
                     *packed = (const dt_dataset *)dt_table_find(&dt_datasets, "packed");
    add(&d, "val/a/a.png", 3, 4, 3);
    add(&d, "val/b/a.png", 3, 4, 4);
    dt_data_params p = { .root = d.path, .need = DT_NEED_ANY };
    ck_assert_int_eq(dt_data_open(imagenet, &p, &data, NULL), DT_OK);
    char path[128];
    snprintf(path, sizeof path, "%s/x.h5", d.path);
    ck_assert_int_eq(dt_pack_write(&(dt_pack_params){ .data = data, .path = path }, &report, NULL),
                     DT_OK);
    dt_data_close(data);
    p = (dt_data_params){ .root = path, .need = DT_NEED_TEST };
    ck_assert_int_eq(dt_data_open(packed, &p, &data, NULL), DT_OK);
    ck_assert(dt_data_count(data, DT_SPLIT_TRAIN) == 0 && dt_data_count(data, DT_SPLIT_TEST) == 2);
    dt_data_close(data);
    p.need = DT_NEED_BOTH;
    ck_assert_int_eq(dt_data_open(packed, &p, &data, &err), DT_ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.text, "x.h5: holds no training pictures"));
    test_dir_remove(&d);
}
END_TEST

static bool no_more(void *arg, int64_t done, int64_t total, uint64_t bytes)
{
    (void)bytes;
    *(int64_t *)arg = total;
    return done < 1;
}

START_TEST(a_stopped_pack_leaves_nothing)
{
    test_dir d = test_dir_make(), out = test_dir_make();
    dt_pack_report report;
    dt_error err;
    dt_data *data;
    int64_t total = 0;
    make_set(&d);
    ck_assert_int_eq(open_as("imagenet", d.path, &data, NULL), DT_OK);
    const dt_pack_params p = {
        .data = data, .path = file_of(&out, "x.h5"), .progress = no_more, .arg = &total
    };
    ck_assert_int_eq(dt_pack_write(&p, &report, &err), DT_ERR_ARG);
    ck_assert_ptr_nonnull(strstr(err.text, "x.h5: stopped; nothing is written"));
    ck_assert_int_eq(total, TRAIN + TEST);
    ck_assert_int_eq(remove(out.path), 0); /* the folder is empty */
    const dt_pack_params nowhere = { .data = data, .path = "/nowhere/x.h5" };
    ck_assert_int_eq(dt_pack_write(&nowhere, &report, &err), DT_ERR_NOT_FOUND);
    dt_data_close(data);
    test_dir_remove(&d);
}
END_TEST

/* In a process that goes on to exit: 0, or 1 with the file left behind. */
static void pack_within(const test_dir *d, const char *path, size_t most)
{
    dt_pack_report report;
    dt_error err = { 0 };
    dt_data *data;
    signal(SIGXFSZ, SIG_IGN);
    if (open_as("imagenet", d->path, &data, NULL) != DT_OK) exit(2);
    const struct rlimit limit = { most, most };
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) exit(2);
    dt_status st = dt_pack_write(&(dt_pack_params){ .data = data, .path = path }, &report, &err);
    dt_data_close(data);
    exit(st == DT_ERR_IO && strstr(err.text, "x.h5: ") && !dt_file_exists(path) ? 0 : 1);
}

/* libhdf5 cannot close what it could not write; at exit that must not matter. */
START_TEST(a_full_disk_at_any_byte_is_an_error)
{
    test_dir d = test_dir_make(), out = test_dir_make();
    dt_pack_report report;
    make_set(&d);
    ck_assert_int_eq(pack_as(&d, "whole.h5", false, &report, NULL), DT_OK);
    char path[128];
    snprintf(path, sizeof path, "%s/x.h5", out.path);
    for (size_t most = 0; most < report.bytes; most += 200) {
        int status;
        pid_t child = fork();
        if (child == 0) pack_within(&d, path, most);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "at %zu: status %x", most,
                      (unsigned)status);
    }
    ck_assert_int_eq(remove(out.path), 0); /* the folder is empty */
    test_dir_remove(&d);
}
END_TEST

/* libhdf5 and the packer write through these two, the same call under both of its names; the
 * lie_at-th write says that it was done, and was not. */
static int lie_at, writes;
static ssize_t write_or_lie(int fd, const void *data, size_t size, off_t at)
{
    if (++writes == lie_at) return (ssize_t)size;
    return syscall(SYS_pwrite64, fd, data, size, at);
}
ssize_t narrow_pwrite(int fd, const void *data, size_t size, off_t at) __asm__("pwrite");
ssize_t narrow_pwrite(int fd, const void *data, size_t size, off_t at)
{
    return write_or_lie(fd, data, size, at);
}
ssize_t wide_pwrite(int fd, const void *data, size_t size, off_t at) __asm__("pwrite64");
ssize_t wide_pwrite(int fd, const void *data, size_t size, off_t at)
{
    return write_or_lie(fd, data, size, at);
}

START_TEST(a_write_that_was_lost_is_found)
{
    test_dir d = test_dir_make();
    dt_pack_report report;
    dt_error err;
    int lost = 0, n = 1;
    make_set(&d);
    for (bool more = true; more; n++) {
        lie_at = n;
        writes = 0;
        dt_status st = pack_as(&d, "x.h5", false, &report, &err);
        more = writes >= n;
        ck_assert(st == DT_OK || (st == DT_ERR_IO && !dt_file_exists(file_of(&d, "x.h5"))));
        lost += st != DT_OK;
        lie_at = 0;
        if (st != DT_OK) continue;
        dt_data *a, *b; /* then it was no write that matters */
        ck_assert_int_eq(open_as("imagenet", d.path, &a, NULL), DT_OK);
        ck_assert_msg(open_as("packed", file_of(&d, "x.h5"), &b, &err) == DT_OK, "%s", err.text);
        for (int i = 0; i < TRAIN; i++) {
            uint8_t x[768];
            int label, want;
            dt_sample_name name_a, name_b;
            ck_assert_int_eq(test_read(a, DT_SPLIT_TRAIN, i, x, sizeof x, &want, NULL), DT_OK);
            ck_assert_int_eq(test_read(b, DT_SPLIT_TRAIN, i, x, sizeof x, &label, NULL), DT_OK);
            ck_assert(x[0] == i + 1 && label == want);
            ck_assert_int_eq(dt_data_name(a, DT_SPLIT_TRAIN, i, &name_a, NULL), DT_OK);
            ck_assert_int_eq(dt_data_name(b, DT_SPLIT_TRAIN, i, &name_b, NULL), DT_OK);
            ck_assert_str_eq(name_a.name, name_b.name);
        }
        dt_data_close(a);
        dt_data_close(b);
        ck_assert_int_eq(remove(file_of(&d, "x.h5")), 0);
    }
    ck_assert(n > 5 && lost > 3);
    test_dir_remove(&d);
}
END_TEST

DT_TEST_MAIN("pack", a_packed_set_is_the_folder, any_changed_byte_is_noticed,
             broken_pictures_are_left_out_or_refused, a_stopped_pack_leaves_nothing,
             the_size_of_all_pictures_is_kept, a_set_of_one_split_can_be_packed,
             a_full_disk_at_any_byte_is_an_error, a_write_that_was_lost_is_found)
