/* SPDX-License-Identifier: Apache-2.0 */
#include "core/atomic.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/run.h"

typedef struct place {
    char dir[32], file[400], other[400];
} place;

static place new_place(const char *name, const char *other)
{
    place p = { "/tmp/detent-test-XXXXXX" };
    ck_assert_ptr_nonnull(mkdtemp(p.dir));
    snprintf(p.file, sizeof p.file, "%s/%s", p.dir, name);
    snprintf(p.other, sizeof p.other, "%s/%s", p.dir, other);
    return p;
}

/* Fails when anything but the two files is left. */
static void end_place(const place *p)
{
    unlink(p->file);
    unlink(p->other);
    ck_assert_int_eq(rmdir(p->dir), 0);
}

static void expect_text(const char *path, const char *want)
{
    unsigned char *data;
    size_t size;
    ck_assert_int_eq(dt_file_read(NULL, path, 100, &data, &size, NULL), DT_OK);
    ck_assert_uint_eq(size, strlen(want));
    ck_assert_mem_eq(data, want, size);
    dt_put(NULL, data);
}

static void write_text(const char *path, const char *text)
{
    ck_assert_int_eq(dt_file_write(path, text, strlen(text), NULL), DT_OK);
}

START_TEST(write_and_replace)
{
    const place p = new_place("file", "none");
    dt_error err;
    dt_atomic_file f;
    write_text(p.file, "first");
    write_text(p.file, "second");
    expect_text(p.file, "second");
    write_text(p.file, "");
    expect_text(p.file, "");
    ck_assert_int_eq(dt_atomic_begin(&f, NULL, p.file, &err), DT_OK);
    ck_assert_int_eq(dt_atomic_write(&f, "a", 1, &err), DT_OK);
    ck_assert_int_eq(dt_atomic_write(&f, "bc", 2, &err), DT_OK);
    expect_text(p.file, ""); /* not yet */
    ck_assert_int_eq(dt_atomic_end(&f, NULL, NULL, &err), DT_OK);
    dt_atomic_cancel(&f);
    expect_text(p.file, "abc");
    ck_assert_int_eq(dt_atomic_begin(&f, NULL, "/nowhere/at/all", &err), DT_ERR_NOT_FOUND);
    end_place(&p);
}
END_TEST

START_TEST(a_full_disk_is_an_error_and_keeps_nothing)
{
    const place p = new_place("file", "none");
    dt_error err;
    struct rlimit old, limit;
    static char much[20000];
    write_text(p.file, "old");
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    limit = old;
    limit.rlim_cur = 10000; /* the first write(2) is short, the second one fails */
    void (*was)(int) = signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    dt_status st = dt_file_write(p.file, much, sizeof much, &err);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, was);
    ck_assert_int_eq(st, DT_ERR_IO);
    ck_assert_ptr_nonnull(strstr(err.text, "File too large"));
    expect_text(p.file, "old");
    end_place(&p);
}
END_TEST

static dt_status want_new(void *arg, const char *path, const unsigned char *bytes, size_t size,
                          dt_error *err)
{
    (*(int *)arg)++;
    if (size == 3 && memcmp(bytes, "new", 3) == 0) return DT_OK;
    return dt_fail(err, DT_ERR_FORMAT, &(dt_where){ .file = path }, "is not new");
}

START_TEST(what_fails_its_check_has_no_name)
{
    const place p = new_place("file", "none");
    dt_error err;
    int calls = 0;
    write_text(p.file, "old");
    ck_assert_int_eq(dt_file_write_checked(NULL, p.file, "bad", 3, want_new, &calls, &err),
                     DT_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "is not new"));
    ck_assert_int_eq(dt_file_write_checked(NULL, p.file, "", 0, want_new, &calls, &err),
                     DT_ERR_FORMAT);
    expect_text(p.file, "old");
    ck_assert_int_eq(dt_file_write_checked(NULL, p.file, "new", 3, want_new, &calls, &err), DT_OK);
    expect_text(p.file, "new");
    ck_assert_int_eq(calls, 3);
    end_place(&p);
}
END_TEST

START_TEST(what_changes_behind_its_back_is_seen)
{
    const place p = new_place("file", "none");
    dt_error err;
    dt_atomic_file f;
    ck_assert_int_eq(dt_atomic_begin(&f, NULL, p.file, &err), DT_OK);
    ck_assert_int_eq(dt_atomic_write(&f, "text", 4, &err), DT_OK);
    ck_assert_int_eq(pwrite(f.fd, "T", 1, 0), 1);
    ck_assert_int_eq(dt_atomic_end(&f, NULL, NULL, &err), DT_ERR_IO);
    ck_assert_ptr_nonnull(strstr(err.text, "does not come back"));
    ck_assert(!dt_dir_has(NULL, p.file));
    ck_assert_int_eq(dt_atomic_begin(&f, NULL, p.file, &err), DT_OK);
    ck_assert_int_eq(dt_atomic_write(&f, "text", 4, &err), DT_OK);
    ck_assert_int_eq(ftruncate(f.fd, 3), 0);
    ck_assert_int_eq(dt_atomic_end(&f, NULL, NULL, &err), DT_ERR_IO);
    end_place(&p);
}
END_TEST

/* The name of the temporary file can be foreseen; what has it is neither followed nor changed. */
START_TEST(links_and_files_in_its_way_stay)
{
    char link[480], file[480];
    const place p = new_place("file", "victim");
    write_text(p.other, "precious");
    snprintf(link, sizeof link, "%s.tmp%ld-0.detent", p.file, (long)getpid());
    snprintf(file, sizeof file, "%s.tmp%ld-1.detent", p.file, (long)getpid());
    ck_assert_int_eq(symlink(p.other, link), 0);
    write_text(file, "mine");
    write_text(p.file, "text");
    expect_text(p.file, "text");
    expect_text(p.other, "precious");
    expect_text(file, "mine");
    ck_assert_int_eq(unlink(link), 0);
    ck_assert_int_eq(unlink(file), 0);
    end_place(&p);
}
END_TEST

START_TEST(only_files_are_replaced)
{
    const place p = new_place("folder", "none");
    dt_error err;
    ck_assert_int_eq(mkdir(p.file, 0777), 0);
    ck_assert_int_eq(dt_file_write(p.file, "x", 1, &err), DT_ERR_ARG);
    ck_assert_ptr_nonnull(strstr(err.text, "is a folder"));
    ck_assert_int_eq(rmdir(p.file), 0);
    ck_assert_int_eq(dt_file_write("/dev/null", "x", 1, &err), DT_ERR_ARG);
    ck_assert_ptr_nonnull(strstr(err.text, "is no regular file"));
    end_place(&p);
}
END_TEST

START_TEST(a_long_name_has_room)
{
    char name[256];
    memset(name, 'n', sizeof name - 1);
    name[255] = '\0';
    const place p = new_place(name, "none");
    write_text(p.file, "text");
    expect_text(p.file, "text");
    end_place(&p);
}
END_TEST

START_TEST(only_its_own_leftovers_are_removed)
{
    static const char *const names[] = {
        "last.h5.tmp4711-0.detent",
        "last.h5.tmp4711-12.detent",
        "last.h5",
        "last.h5.tmp4711",
        "thesis.tmp2024",
        "thesis.tmp2024-0.detent",
        "last.h5.tmp4711-0.detent.backup",
        "last.h5.tmp-0.detent",
        "last.h5.tmp4711-.detent",
        "my-last.h5.tmp4711-0.detent",
        "last.h5.old.tmp1-0.detent",
        ".tmp9-0.detent",
    };
    static const char *const own[] = { "best.h5", "last.h5" };
    char folder[] = "/tmp/detent-test-XXXXXX", path[128], link[96];
    dt_dir held;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    for (size_t i = 0; i < DT_ARRAY_LEN(names); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        write_text(path, "x");
    }
    snprintf(link, sizeof link, "%s/best.h5.tmp1-0.detent", folder);
    ck_assert_int_eq(symlink("/nowhere", link), 0);
    ck_assert_int_eq(dt_dir_hold(&held, folder, NULL), DT_OK);
    dt_dir_remove_temporaries(&held, own, DT_ARRAY_LEN(own));
    ck_assert(dt_dir_has(NULL, link));
    remove(link);
    for (size_t i = 0; i < DT_ARRAY_LEN(names); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        ck_assert_msg(dt_file_exists(path) == (i > 1), "%s", names[i]);
        remove(path);
    }
    ck_assert_int_eq(remove(folder), 0);
    dt_dir_remove_temporaries(&held, own, DT_ARRAY_LEN(own)); /* is not there: fine */
    dt_dir_release(&held);
}
END_TEST

static void begin_pair(const place *p, dt_atomic_file *a, dt_atomic_file *b)
{
    ck_assert_int_eq(dt_atomic_begin(a, NULL, p->file, NULL), DT_OK);
    ck_assert_int_eq(dt_atomic_begin(b, NULL, p->other, NULL), DT_OK);
    ck_assert_int_eq(dt_atomic_write(a, "A2", 2, NULL), DT_OK);
    ck_assert_int_eq(dt_atomic_write(b, "B2", 2, NULL), DT_OK);
}

START_TEST(a_pair_is_old_or_new)
{
    const place p = new_place("a", "b");
    dt_error err;
    dt_atomic_file a, b;
    begin_pair(&p, &a, &b);
    ck_assert_int_eq(mkdir(p.other, 0777), 0); /* the second rename fails */
    ck_assert_int_eq(dt_atomic_end_pair(&a, &b, &err), DT_ERR_IO);
    ck_assert_int_eq(rmdir(p.other), 0);
    ck_assert(!dt_dir_has(NULL, p.file));
    write_text(p.file, "A1");
    begin_pair(&p, &a, &b);
    ck_assert_int_eq(mkdir(p.other, 0777), 0);
    ck_assert_int_eq(dt_atomic_end_pair(&a, &b, &err), DT_ERR_IO);
    ck_assert_int_eq(rmdir(p.other), 0);
    expect_text(p.file, "A1");
    begin_pair(&p, &a, &b);
    ck_assert_int_eq(pwrite(b.fd, "x", 1, 0), 1); /* the second check fails */
    ck_assert_int_eq(dt_atomic_end_pair(&a, &b, &err), DT_ERR_IO);
    expect_text(p.file, "A1");
    begin_pair(&p, &a, &b);
    ck_assert_int_eq(dt_atomic_end_pair(&a, &b, &err), DT_OK);
    expect_text(p.file, "A2");
    expect_text(p.other, "B2");
    end_place(&p);
}
END_TEST

DT_TEST_MAIN("atomic", write_and_replace, a_full_disk_is_an_error_and_keeps_nothing,
             what_fails_its_check_has_no_name, what_changes_behind_its_back_is_seen,
             links_and_files_in_its_way_stay, only_files_are_replaced, a_long_name_has_room,
             only_its_own_leftovers_are_removed, a_pair_is_old_or_new)
