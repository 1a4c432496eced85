/* Folders that are held. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/atomic.h"
#include "tests/support/run.h"

START_TEST(a_folder_is_locked_once)
{
    char dir[] = "/tmp/detent-test-XXXXXX";
    dt_dir first, second;
    dt_error err;
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(dt_dir_hold(&first, dir, &err), DT_OK);
    ck_assert_int_eq(dt_dir_hold(&second, dir, &err), DT_ERR_ARG);
    ck_assert_ptr_nonnull(strstr(err.text, "another process"));
    ck_assert_int_eq(second.fd, -1);
    dt_dir_release(&first);
    ck_assert_int_eq(dt_dir_hold(&second, dir, &err), DT_OK);
    dt_dir_release(&second);
    dt_dir_release(&second);
    ck_assert_int_eq(dt_dir_hold(&first, "/nowhere/at/all", &err), DT_ERR_NOT_FOUND);
    ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

START_TEST(a_lock_is_of_the_folder_that_is_there)
{
    char dir[] = "/tmp/detent-test-XXXXXX", other[48], link[48];
    dt_dir first, second;
    dt_error err;
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(other, sizeof other, "%s.moved", dir);
    snprintf(link, sizeof link, "%s.link", dir);
    ck_assert_int_eq(symlink(dir, link), 0);
    ck_assert_int_eq(dt_dir_hold(&first, dir, &err), DT_OK);
    ck_assert_int_eq(dt_dir_hold(&second, link, &err), DT_ERR_ARG); /* another way there */
    ck_assert_int_eq(dt_dir_check(&first, &err), DT_OK);
    ck_assert_int_eq(rename(dir, other), 0);
    ck_assert_int_eq(dt_dir_check(&first, &err), DT_ERR_ARG);
    ck_assert_int_eq(mkdir(dir, 0777), 0);
    ck_assert_int_eq(dt_dir_check(&first, &err), DT_ERR_ARG);
    ck_assert_ptr_nonnull(strstr(err.text, "removed or replaced"));
    ck_assert_int_eq(dt_dir_hold(&second, dir, &err), DT_OK);
    dt_dir_release(&first);
    dt_dir_release(&second);
    ck_assert_int_eq(unlink(link), 0);
    ck_assert_int_eq(rmdir(dir), 0);
    ck_assert_int_eq(rmdir(other), 0);
}
END_TEST

static void expect_text(const dt_dir *in, const char *name, const char *want)
{
    unsigned char *data;
    size_t size;
    ck_assert_int_eq(dt_dir_read(in, name, NULL, 100, &data, &size, NULL), DT_OK);
    ck_assert_uint_eq(size, strlen(want));
    ck_assert_mem_eq(data, want, size);
    dt_put(NULL, data);
}

/* Between a check and what follows the folder can be moved away and another put at its path: files
 * go where the folder that is held is now, and what others have is not touched. */
START_TEST(files_stay_in_the_folder_that_is_held)
{
    char dir[] = "/tmp/detent-test-XXXXXX", other[48], theirs[64];
    static const char *const names[] = { "log", "whole" };
    dt_dir held;
    dt_atomic_file f;
    FILE *log;
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(other, sizeof other, "%s.moved", dir);
    snprintf(theirs, sizeof theirs, "%s/whole.tmp1-0.detent", dir);
    ck_assert_int_eq(dt_dir_hold(&held, dir, NULL), DT_OK);
    ck_assert_int_eq(dt_file_write_checked(&held, "log", "a", 1, NULL, NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_atomic_begin(&f, &held, "whole", NULL), DT_OK);
    ck_assert_int_eq(rename(dir, other), 0);
    ck_assert_int_eq(mkdir(dir, 0777), 0);
    ck_assert_int_eq(dt_file_write(theirs, "x", 1, NULL), DT_OK);
    ck_assert_int_eq(dt_dir_append(&held, "log", &log, NULL), DT_OK);
    ck_assert_int_eq(fputs("b", log), 1);
    ck_assert_int_eq(fclose(log), 0);
    ck_assert_int_eq(dt_atomic_write(&f, "c", 1, NULL), DT_OK);
    ck_assert_int_eq(dt_atomic_end(&f, NULL, NULL, NULL), DT_OK);
    dt_dir_remove_temporaries(&held, names, 2);
    expect_text(&held, "log", "ab");
    expect_text(&held, "whole", "c");
    ck_assert_int_eq(dt_dir_remove(&held, "log", NULL), DT_OK);
    ck_assert_int_eq(dt_dir_remove(&held, "log", NULL), DT_OK); /* gone: fine */
    ck_assert(!dt_dir_has(&held, "log"));
    ck_assert_int_eq(dt_dir_remove(&held, "whole", NULL), DT_OK);
    dt_dir_release(&held);
    ck_assert_int_eq(unlink(theirs), 0);
    ck_assert_int_eq(rmdir(dir), 0); /* it held nothing else */
    ck_assert_int_eq(rmdir(other), 0);
}
END_TEST

DT_TEST_MAIN("dir", a_folder_is_locked_once, a_lock_is_of_the_folder_that_is_there,
             files_stay_in_the_folder_that_is_held)
