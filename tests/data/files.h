/* Small files for the tests of datasets, in a temporary folder that is removed afterwards. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TESTS_DATA_FILES_H
#define DT_TESTS_DATA_FILES_H

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/atomic.h"
#include "data/dataset.h"

typedef struct test_dir {
    char path[64];
} test_dir;

static inline test_dir test_dir_make(void)
{
    test_dir d = { "/tmp/detent-data-XXXXXX" };
    ck_assert_ptr_nonnull(mkdtemp(d.path));
    return d;
}

/* Removes a folder and what is in it. */
static inline void test_remove(const char *folder)
{
    DIR *dir = opendir(folder);
    ck_assert_ptr_nonnull(dir);
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        char path[600];
        int n = snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        ck_assert_int_lt(n, (int)sizeof path);
        if (remove(path) != 0) test_remove(path); /* a folder that is not empty */
    }
    closedir(dir);
    ck_assert_int_eq(remove(folder), 0);
}

static inline void test_dir_remove(const test_dir *d)
{
    test_remove(d->path);
}

/* Writes `<dir>/<name>`, making sub-folders. */
static inline void test_file(const test_dir *d, const char *name, const void *data, size_t size)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", d->path, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    ck_assert_int_eq(dt_dir_make(path, NULL), DT_OK);
    *slash = '/';
    ck_assert_int_eq(dt_file_write(path, data, size, NULL), DT_OK);
}

/* Reads a sample of at most `size` bytes into `picture`. */
static inline dt_status test_read(const dt_data *data, dt_split split, int64_t index,
                                  uint8_t *picture, size_t size, int *label, dt_error *err)
{
    dt_sample s;
    dt_sample_init(&s, NULL);
    dt_status st = dt_data_read(data, split, index, &s, err);
    if (st == DT_OK) {
        size_t n = (size_t)(3 * s.picture.H * s.picture.W);
        ck_assert_uint_le(n, size);
        memcpy(picture, s.picture.rgb.data, n);
        *label = s.label;
    }
    dt_sample_fini(&s);
    return st;
}

/* A CIFAR file of `count` records with `labels` label bytes each: label k of record i is
 * (first + i + k) % 10; plane c of its picture counts (i + c + pixel) % 256. */
static inline void test_cifar_file(const test_dir *d, const char *name, int labels, int count,
                                   int first)
{
    size_t step = (size_t)labels + 3072;
    unsigned char *data = malloc((size_t)count * step);
    ck_assert_ptr_nonnull(data);
    for (int i = 0; i < count; i++) {
        unsigned char *r = data + (size_t)i * step;
        for (int k = 0; k < labels; k++)
            r[k] = (unsigned char)((first + i + k) % 10);
        for (int c = 0; c < 3; c++)
            for (int p = 0; p < 1024; p++)
                r[labels + c * 1024 + p] = (unsigned char)(first + i + c + p);
    }
    test_file(d, name, data, (size_t)count * step);
    free(data);
}

/* The six files of a small CIFAR-10: `count` records each, test labels starting at 5. */
static inline void test_cifar10_files(const test_dir *d, const char *folder, int count)
{
    char name[64];
    for (int i = 1; i <= 5; i++) {
        snprintf(name, sizeof name, "%sdata_batch_%d.bin", folder, i);
        test_cifar_file(d, name, 1, count, 10 * i);
    }
    snprintf(name, sizeof name, "%stest_batch.bin", folder);
    test_cifar_file(d, name, 1, count, 5);
}

#endif
