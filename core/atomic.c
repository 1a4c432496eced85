/* Files that are there completely or not at all. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/atomic.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WINDOW = 1 << 14, MOST_NAMES = 10000 };
static const char mark[] = ".tmp", ending[] = ".detent";

static dt_status no_memory(dt_error *err)
{
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a path");
}

/* --- names --- */

/* With `shortest` the file's own name is left out: a long one has no room for more. */
static char *name_for(const char *path, bool shortest, int number)
{
    const char *slash = strrchr(path, '/');
    int kept = shortest ? (int)(slash ? slash + 1 - path : 0) : (int)strlen(path);
    return dt_format(NULL, "%.*s%s%ld-%d%s", kept, path, mark, (long)getpid(), number, ending);
}

/* Beside the file `wanted` of the folder `at`; `path` is for messages. */
static dt_status make(int at, const char *wanted, const char *path, char **out_name, int *out_fd,
                      dt_error *err)
{
    bool shortest = false;
    for (int i = 0; i < MOST_NAMES; i++) {
        char *name = name_for(wanted, shortest, i);
        if (!name) return no_memory(err);
        int fd = openat(at, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
        int reason = errno;
        if (fd >= 0) {
            *out_name = name;
            *out_fd = fd;
            return DT_OK;
        }
        dt_put(NULL, name);
        errno = reason;
        if (reason == ENAMETOOLONG && !shortest)
            shortest = true;
        else if (reason != EEXIST)
            break;
    }
    return dt_file_failed(path, "write", err);
}

dt_status dt_temporary_make(const char *path, char **out_name, dt_error *err)
{
    int fd;
    DT_TRY(make(AT_FDCWD, path, path, out_name, &fd, err));
    close(fd);
    return DT_OK;
}

static const char *after_digits(const char *text)
{
    size_t n = strspn(text, "0123456789");
    return n ? text + n : NULL;
}

static bool is_temporary_of(const char *entry, const char *name)
{
    size_t n = strlen(name);
    if (strncmp(entry, name, n) != 0 || strncmp(entry + n, mark, sizeof mark - 1) != 0)
        return false;
    const char *at = after_digits(entry + n + sizeof mark - 1);
    if (!at || *at++ != '-') return false;
    at = after_digits(at);
    return at && strcmp(at, ending) == 0;
}

static void remove_if_temporary(int folder, const char *entry, const char *const *names,
                                size_t count)
{
    struct stat st;
    size_t i = 0;
    while (i < count && !is_temporary_of(entry, names[i]))
        i++;
    if (i == count) return;
    if (fstatat(folder, entry, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
        unlinkat(folder, entry, 0);
}

void dt_dir_remove_temporaries(const dt_dir *f, const char *const *names, size_t count)
{
    int fd = openat(f->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* closed with the list */
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir && fd >= 0) close(fd);
    if (!dir) return;
    for (struct dirent *entry; (entry = readdir(dir));)
        remove_if_temporary(f->fd, entry->d_name, names, count);
    closedir(dir);
}

/* --- one file --- */

static void forget(dt_atomic_file *f)
{
    if (f->fd >= 0) close(f->fd);
    if (f->parent >= 0) close(f->parent);
    dt_put(NULL, f->path);
    dt_put(NULL, f->temporary);
    *f = (dt_atomic_file){ .fd = -1, .parent = -1 };
}

static dt_status begin(dt_atomic_file *f, dt_error *err)
{
    struct stat st;
    if (fstatat(f->at, f->name, &st, 0) == 0 && !S_ISREG(st.st_mode)) /* devices become no files */
        return dt_fail(err, DT_ERR_ARG, &(dt_where){ .file = f->path },
                       "is %s; a file's name is wanted",
                       S_ISDIR(st.st_mode) ? "a folder" : "no regular file");
    dt_sha256_init(&f->hash);
    DT_TRY(make(f->at, f->name, f->path, &f->temporary, &f->fd, err));
    /* Now: once a file has its name nothing may fail but the folder's fsync. */
    return f->at == AT_FDCWD ? dt_dir_open_of(f->path, &f->parent, err) : DT_OK;
}

dt_status dt_atomic_begin(dt_atomic_file *f, const dt_dir *in, const char *name, dt_error *err)
{
    *f = (dt_atomic_file){ .at = dt_dir_fd(in), .fd = -1, .parent = -1 };
    f->path = dt_dir_text(in, name);
    if (!f->path) return no_memory(err);
    f->name = f->path + strlen(f->path) - strlen(name);
    dt_status st = begin(f, err);
    if (st != DT_OK) dt_atomic_cancel(f);
    return st;
}

void dt_atomic_cancel(dt_atomic_file *f)
{
    if (f->temporary) unlinkat(f->at, f->temporary, 0);
    forget(f);
}

dt_status dt_atomic_write(dt_atomic_file *f, const void *data, size_t size, dt_error *err)
{
    if (size == 0) return DT_OK;
    DT_TRY(dt_fd_write(f->fd, f->path, data, size, err));
    dt_sha256_add(&f->hash, data, size);
    f->size += size;
    return DT_OK;
}

static dt_status hash_file(const dt_atomic_file *f, size_t *out_size, char hex[DT_SHA256_HEX],
                           dt_error *err)
{
    unsigned char window[WINDOW];
    dt_sha256 h;
    *out_size = 0;
    dt_sha256_init(&h);
    for (;;) {
        ssize_t n = pread(f->fd, window, sizeof window, (off_t)*out_size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return dt_file_failed(f->path, "read back", err);
        if (n == 0) break;
        dt_sha256_add(&h, window, (size_t)n);
        *out_size += (size_t)n;
    }
    dt_sha256_end(&h, hex);
    return DT_OK;
}

static dt_status read_back(dt_atomic_file *f, dt_error *err)
{
    char want[DT_SHA256_HEX], got[DT_SHA256_HEX];
    size_t size;
    if (fsync(f->fd) != 0) return dt_file_failed(f->path, "sync", err);
    posix_fadvise(f->fd, 0, 0, POSIX_FADV_DONTNEED); /* from the disk, where that can be had */
    dt_sha256_end(&f->hash, want);
    DT_TRY(hash_file(f, &size, got, err));
    if (size == f->size && memcmp(want, got, sizeof want) == 0) return DT_OK;
    return dt_fail(err, DT_ERR_IO, &(dt_where){ .file = f->path },
                   "what was written does not come back: %zu of %zu bytes, or others", size,
                   f->size);
}

static dt_status check_format(const dt_atomic_file *f, dt_file_check *check, void *arg,
                              dt_error *err)
{
    void *map = f->size ? mmap(NULL, f->size, PROT_READ, MAP_PRIVATE, f->fd, 0) : NULL;
    if (map == MAP_FAILED) return dt_file_failed(f->path, "read back", err);
    dt_status st = check(arg, f->path, map ? map : (const void *)"", f->size, err);
    if (map) munmap(map, f->size);
    return st;
}

/* All but the rename. A failure cancels the file. */
static dt_status seal(dt_atomic_file *f, dt_file_check *check, void *arg, dt_error *err)
{
    dt_status st = read_back(f, err);
    if (st == DT_OK && check) st = check_format(f, check, arg, err);
    if (st == DT_OK) {
        int bad = close(f->fd);
        f->fd = -1;
        if (bad) st = dt_file_failed(f->path, "write", err);
    }
    if (st != DT_OK) dt_atomic_cancel(f);
    return st;
}

static dt_status name_it(const dt_atomic_file *f, dt_error *err)
{
    if (renameat(f->at, f->temporary, f->at, f->name) == 0) return DT_OK;
    return dt_file_failed(f->path, "write", err);
}

static dt_status sync_folder(const dt_atomic_file *f, dt_error *err)
{
    int folder = f->at == AT_FDCWD ? f->parent : f->at;
    return folder >= 0 ? dt_dir_sync(folder, f->path, err) : DT_OK;
}

dt_status dt_atomic_end(dt_atomic_file *f, dt_file_check *check, void *arg, dt_error *err)
{
    DT_TRY(seal(f, check, arg, err));
    dt_status named = name_it(f, err);
    if (named != DT_OK) {
        dt_atomic_cancel(f);
        return named;
    }
    dt_status st = sync_folder(f, err);
    forget(f);
    return st;
}

/* --- two files --- */

/* A second name for what has the file's: NULL where nothing has, or no second name can be had. */
static char *keep(const dt_atomic_file *f)
{
    for (int i = 0; i < MOST_NAMES; i++) {
        char *name = name_for(f->name, false, i);
        if (name && linkat(f->at, f->name, f->at, name, 0) == 0) return name;
        int reason = errno;
        dt_put(NULL, name);
        if (!name || reason != EEXIST) return NULL;
    }
    return NULL;
}

/* Both have passed their checks. */
static dt_status rename_both(const dt_atomic_file *a, const dt_atomic_file *b, dt_error *err)
{
    struct stat about;
    bool was_there = fstatat(a->at, a->name, &about, AT_SYMLINK_NOFOLLOW) == 0;
    char *kept = was_there ? keep(a) : NULL;
    dt_status st = name_it(a, err);
    if (st == DT_OK) {
        st = name_it(b, err);
        if (st != DT_OK && kept && renameat(a->at, kept, a->at, a->name) == 0) {
            dt_put(NULL, kept);
            kept = NULL;
        } else if (st != DT_OK && !was_there) {
            unlinkat(a->at, a->name, 0);
        }
    }
    if (kept) unlinkat(a->at, kept, 0);
    dt_put(NULL, kept);
    return st;
}

dt_status dt_atomic_end_pair(dt_atomic_file *a, dt_atomic_file *b, dt_error *err)
{
    dt_status st = seal(a, NULL, NULL, err);
    if (st == DT_OK) st = seal(b, NULL, NULL, err);
    if (st == DT_OK) st = rename_both(a, b, err);
    if (st != DT_OK) {
        dt_atomic_cancel(a);
        dt_atomic_cancel(b);
        return st;
    }
    st = sync_folder(a, err);
    if (st == DT_OK) st = sync_folder(b, err);
    forget(a);
    forget(b);
    return st;
}

/* --- whole files --- */

dt_status dt_file_write_checked(const dt_dir *in, const char *name, const void *data, size_t size,
                                dt_file_check *check, void *arg, dt_error *err)
{
    dt_atomic_file f;
    DT_TRY(dt_atomic_begin(&f, in, name, err));
    dt_status st = dt_atomic_write(&f, data, size, err);
    if (st == DT_OK) return dt_atomic_end(&f, check, arg, err);
    dt_atomic_cancel(&f);
    return st;
}

dt_status dt_file_write(const char *path, const void *data, size_t size, dt_error *err)
{
    return dt_file_write_checked(NULL, path, data, size, NULL, NULL, err);
}

dt_status dt_file_commit(const char *temporary, const char *path, dt_error *err)
{
    int fd = open(temporary, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return dt_file_failed(temporary, "open", err);
    dt_status st = fsync(fd) != 0 ? dt_file_failed(path, "sync", err) : DT_OK;
    if (close(fd) != 0 && st == DT_OK) st = dt_file_failed(path, "write", err);
    if (st == DT_OK && rename(temporary, path) != 0) st = dt_file_failed(path, "write", err);
    return st == DT_OK ? dt_dir_sync_of(path, err) : st;
}
