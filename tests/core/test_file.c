/* SPDX-License-Identifier: Apache-2.0 */
#include "core/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/atomic.h"
#include "tests/support/run.h"

START_TEST(read_and_folders)
{
    char dir[] = "/tmp/detent-test-XXXXXX", path[64], sub[64];
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/file", dir);
    snprintf(sub, sizeof sub, "%s/a/b", dir);
    ck_assert_int_eq(dt_file_write(path, "second", 6, NULL), DT_OK);
    unsigned char *data;
    size_t size;
    ck_assert_int_eq(dt_file_read(NULL, path, 100, &data, &size, NULL), DT_OK);
    ck_assert_uint_eq(size, 6);
    ck_assert_str_eq((char *)data, "second");
    dt_put(NULL, data);
    ck_assert_int_eq(dt_file_read(NULL, path, 5, &data, &size, NULL), DT_ERR_FORMAT);
    ck_assert_int_eq(dt_file_read(NULL, dir, 100, &data, &size, NULL), DT_ERR_FORMAT);
    ck_assert_int_eq(dt_file_read(NULL, sub, 100, &data, &size, NULL), DT_ERR_NOT_FOUND);
    ck_assert_int_eq(dt_dir_make(sub, NULL), DT_OK);
    ck_assert_int_eq(dt_dir_make(sub, NULL), DT_OK);
    ck_assert_int_eq(dt_dir_make("", NULL), DT_ERR_ARG);
    ck_assert_int_ne(dt_dir_make(path, NULL), DT_OK);
    ck_assert(dt_file_exists(sub));
    ck_assert_int_eq(remove(path), 0);
    ck_assert_int_eq(rmdir(sub), 0);
    sub[strlen(sub) - 2] = '\0';
    ck_assert_int_eq(rmdir(sub), 0);
    ck_assert_int_eq(rmdir(dir), 0); /* empty: no temporary file was left */
}
END_TEST

/* A FIFO without a writer would hang whoever opens it plainly. */
START_TEST(what_is_no_file_is_refused_at_once)
{
    char folder[] = "/tmp/detent-test-XXXXXX", path[96], link[96];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/fifo", folder);
    snprintf(link, sizeof link, "%s/link", folder);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(symlink("fifo", link), 0);
    const char *const names[] = { path, link, folder, "/dev/null", "/dev/zero" };
    for (size_t i = 0; i < DT_ARRAY_LEN(names); i++) {
        dt_error err;
        unsigned char *data;
        size_t size;
        FILE *f;
        int fd;
        ck_assert_int_eq(dt_file_read(NULL, names[i], 100, &data, &size, &err), DT_ERR_FORMAT);
        ck_assert_ptr_nonnull(strstr(err.text, ": is no regular file"));
        ck_assert_int_eq(dt_file_open(names[i], &f, NULL), DT_ERR_FORMAT);
        ck_assert_int_eq(dt_fd_open(names[i], &fd, NULL), DT_ERR_FORMAT);
    }
    ck_assert_int_eq(remove(link), 0);
    ck_assert_int_eq(remove(path), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(sha256_of_abc)
{
    dt_sha256 h;
    char hex[DT_SHA256_HEX];
    dt_sha256_init(&h);
    dt_sha256_add(&h, "a", 1);
    dt_sha256_add(&h, "bc", 2);
    dt_sha256_end(&h, hex);
    ck_assert_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
END_TEST

DT_TEST_MAIN("file", read_and_folders, what_is_no_file_is_refused_at_once, sha256_of_abc)
