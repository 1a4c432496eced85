/* Files: POSIX calls; SHA-256 is nettle's. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static dt_status io_error(const char *path, const char *doing, dt_error *err)
{
    int e = errno;
    const dt_where where = { .file = path };
    return dt_fail(err, e == ENOENT ? DT_ERR_NOT_FOUND : DT_ERR_IO, &where, "cannot %s: %s", doing,
                   strerror(e));
}

dt_status dt_fd_open(const char *path, int *out_fd, dt_error *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return io_error(path, "open", err);
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        *out_fd = fd;
        return DT_OK;
    }
    close(fd);
    return dt_fail(err, DT_ERR_FORMAT, &(dt_where){ .file = path }, "is no regular file");
}

dt_status dt_file_open(const char *path, FILE **out, dt_error *err)
{
    int fd;
    DT_TRY(dt_fd_open(path, &fd, err));
    FILE *f = fdopen(fd, "rb");
    if (!f) {
        dt_status st = io_error(path, "open", err);
        close(fd);
        return st;
    }
    *out = f;
    return DT_OK;
}

static dt_status read_all(const dt_alloc *a, FILE *f, const char *path, size_t limit,
                          unsigned char **out_data, size_t *out_size, dt_error *err)
{
    const dt_where where = { .file = path };
    struct stat st;
    if (fstat(fileno(f), &st) != 0) return io_error(path, "read", err);
    if (st.st_size < 0 || (uintmax_t)st.st_size > limit)
        return dt_fail(err, DT_ERR_FORMAT, &where, "%lld bytes; at most %zu are read",
                       (long long)st.st_size, limit);
    size_t size = (size_t)st.st_size;
    unsigned char *data = dt_get(a, size + 1, "file"); /* one more: text ends with NUL */
    if (!data) return dt_fail(err, DT_ERR_NOMEM, &where, "no memory for %zu bytes", size);
    if (fread(data, 1, size, f) != size) {
        dt_put(a, data);
        return dt_fail(err, DT_ERR_IO, &where, "cannot read %zu bytes", size);
    }
    *out_data = data;
    *out_size = size;
    return DT_OK;
}

dt_status dt_file_read(const dt_alloc *a, const char *path, size_t limit, unsigned char **out_data,
                       size_t *out_size, dt_error *err)
{
    FILE *f;
    DT_TRY(dt_file_open(path, &f, err));
    dt_status st = read_all(a, f, path, limit, out_data, out_size, err);
    fclose(f);
    return st;
}

bool dt_file_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

dt_status dt_dir_make(const char *path, dt_error *err)
{
    char part[1024];
    const dt_where where = { .file = path };
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof part) return dt_fail(err, DT_ERR_ARG, &where, "bad folder name");
    for (size_t i = 1; i <= n; i++) {
        if (path[i] != '/' && path[i] != '\0') continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0777) == 0 || errno == EEXIST) continue;
        return io_error(part, "make the folder", err);
    }
    struct stat st;
    if (stat(path, &st) != 0) return io_error(path, "make the folder", err);
    if (!S_ISDIR(st.st_mode)) return dt_fail(err, DT_ERR_IO, &where, "is no folder");
    return DT_OK;
}

dt_status dt_dir_lock(const char *path, int *out_lock, dt_error *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return io_error(path, "open", err);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        *out_lock = fd;
        return DT_OK;
    }
    bool taken = errno == EWOULDBLOCK;
    dt_status st = taken ? dt_fail(err, DT_ERR_ARG, &(dt_where){ .file = path },
                                   "another process is at work in this folder")
                         : io_error(path, "lock", err);
    close(fd);
    return st;
}

void dt_dir_unlock(int lock)
{
    if (lock >= 0) close(lock);
}

static dt_status sync_path(const char *path, int flags, dt_error *err)
{
    int fd = open(path, flags);
    if (fd < 0) return io_error(path, "open", err);
    int bad = fsync(fd);
    if (close(fd) != 0) bad = -1;
    return bad ? io_error(path, "sync", err) : DT_OK;
}

static void sync_folder_of(const char *path)
{
    char folder[1024];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1,
             slash ? path : ".");
    /* Some file systems refuse to sync folders; the rename itself is still atomic. */
    dt_status ignored = sync_path(folder, O_RDONLY | O_DIRECTORY, NULL);
    (void)ignored;
}

dt_status dt_file_commit(const char *temporary, const char *path, dt_error *err)
{
    DT_TRY(sync_path(temporary, O_RDWR, err));
    if (rename(temporary, path) != 0) return io_error(path, "write", err);
    sync_folder_of(path);
    return DT_OK;
}

dt_status dt_atomic_begin(dt_atomic_file *f, const char *path, dt_error *err)
{
    const dt_where where = { .file = path };
    f->stream = NULL;
    if (strlen(path) >= sizeof f->path) return dt_fail(err, DT_ERR_ARG, &where, "name too long");
    snprintf(f->path, sizeof f->path, "%s", path);
    snprintf(f->temporary, sizeof f->temporary, "%s.tmp%ld", path, (long)getpid());
    f->stream = fopen(f->temporary, "wb");
    return f->stream ? DT_OK : io_error(path, "write", err);
}

void dt_atomic_cancel(dt_atomic_file *f)
{
    if (!f->stream) return;
    fclose(f->stream);
    f->stream = NULL;
    remove(f->temporary);
}

dt_status dt_atomic_end(dt_atomic_file *f, dt_error *err)
{
    errno = 0;
    bool bad = fflush(f->stream) != 0 || ferror(f->stream);
    int reason = errno;
    if (fclose(f->stream) != 0 && !bad) {
        bad = true;
        reason = errno;
    }
    f->stream = NULL;
    dt_status st;
    if (bad) {
        errno = reason ? reason : EIO;
        st = io_error(f->path, "write", err);
    } else {
        st = dt_file_commit(f->temporary, f->path, err);
    }
    if (st != DT_OK) remove(f->temporary);
    return st;
}

static bool is_temporary(const char *name)
{
    const char *end = strstr(name, ".tmp");
    if (!end || end == name) return false;
    end += strlen(".tmp");
    return *end && end[strspn(end, "0123456789")] == '\0';
}

void dt_dir_remove_temporaries(const char *folder)
{
    char path[2048];
    DIR *dir = opendir(folder);
    if (!dir) return;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (!is_temporary(entry->d_name)) continue;
        int n = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (n > 0 && (size_t)n < sizeof path) unlink(path);
    }
    closedir(dir);
}

dt_status dt_file_write(const char *path, const void *data, size_t size, dt_error *err)
{
    dt_atomic_file f;
    DT_TRY(dt_atomic_begin(&f, path, err));
    errno = 0;
    if (fwrite(data, 1, size, f.stream) == size) return dt_atomic_end(&f, err);
    int reason = errno ? errno : EIO; /* end would find the stream's flag, but not the reason */
    dt_atomic_cancel(&f);
    errno = reason;
    return io_error(path, "write", err);
}

_Static_assert(sizeof(struct sha256_ctx) <= sizeof((dt_sha256){ { 0 } }.state), "sha256 state");

void dt_sha256_init(dt_sha256 *h)
{
    sha256_init((struct sha256_ctx *)(void *)h->state);
}

void dt_sha256_add(dt_sha256 *h, const void *data, size_t size)
{
    sha256_update((struct sha256_ctx *)(void *)h->state, size, data);
}

void dt_sha256_end(dt_sha256 *h, char hex[DT_SHA256_HEX])
{
    unsigned char digest[SHA256_DIGEST_SIZE];
    sha256_digest((struct sha256_ctx *)(void *)h->state, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}
