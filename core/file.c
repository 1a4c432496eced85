/* Files and folders: POSIX calls; SHA-256 is nettle's. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/dir.h"

dt_status dt_file_failed(const char *path, const char *doing, dt_error *err)
{
    int e = errno;
    const dt_where where = { .file = path };
    return dt_fail(err, e == ENOENT ? DT_ERR_NOT_FOUND : DT_ERR_IO, &where, "cannot %s: %s", doing,
                   strerror(e));
}

/* `path` is for messages. */
static dt_status open_regular(int at, const char *name, const char *path, int *out_fd,
                              dt_error *err)
{
    struct stat st;
    int fd = openat(at, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return dt_file_failed(path, "open", err);
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        *out_fd = fd;
        return DT_OK;
    }
    close(fd);
    return dt_fail(err, DT_ERR_FORMAT, &(dt_where){ .file = path }, "is no regular file");
}

dt_status dt_fd_open(const char *path, int *out_fd, dt_error *err)
{
    return open_regular(AT_FDCWD, path, path, out_fd, err);
}

static dt_status open_stream(int at, const char *name, const char *path, FILE **out, dt_error *err)
{
    int fd;
    DT_TRY(open_regular(at, name, path, &fd, err));
    *out = fdopen(fd, "rb");
    if (*out) return DT_OK;
    dt_status st = dt_file_failed(path, "open", err);
    close(fd);
    return st;
}

dt_status dt_file_open(const char *path, FILE **out, dt_error *err)
{
    return open_stream(AT_FDCWD, path, path, out, err);
}

static dt_status read_all(const dt_alloc *a, FILE *f, const char *path, size_t limit,
                          unsigned char **out_data, size_t *out_size, dt_error *err)
{
    const dt_where where = { .file = path };
    struct stat st;
    if (fstat(fileno(f), &st) != 0) return dt_file_failed(path, "read", err);
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

static dt_status read_at(int at, const char *name, const char *path, const dt_alloc *a,
                         size_t limit, unsigned char **out_data, size_t *out_size, dt_error *err)
{
    FILE *f = NULL;
    DT_TRY(open_stream(at, name, path, &f, err));
    dt_status st = read_all(a, f, path, limit, out_data, out_size, err);
    fclose(f);
    return st;
}

dt_status dt_file_read(const dt_alloc *a, const char *path, size_t limit, unsigned char **out_data,
                       size_t *out_size, dt_error *err)
{
    return read_at(AT_FDCWD, path, path, a, limit, out_data, out_size, err);
}

dt_status dt_dir_read(const dt_dir *in, const char *name, const dt_alloc *a, size_t limit,
                      unsigned char **out_data, size_t *out_size, dt_error *err)
{
    char *path = dt_dir_text(in, name);
    if (!path) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a path");
    dt_status st = read_at(dt_dir_fd(in), name, path, a, limit, out_data, out_size, err);
    dt_put(NULL, path);
    return st;
}

bool dt_file_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

dt_status dt_path_join(const char *folder, const char *name, char **out, dt_error *err)
{
    *out = dt_format(NULL, "%s/%s", folder, name);
    return *out ? DT_OK : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a path");
}

/* What a file system says that cannot sync folders; renames are atomic there all the same. */
static bool cannot_sync(int reason)
{
    return reason == EINVAL || reason == ENOTSUP || reason == ENOSYS || reason == EROFS;
}

dt_status dt_dir_sync(int folder, const char *path, dt_error *err)
{
    if (fsync(folder) == 0 || cannot_sync(errno)) return DT_OK;
    return dt_file_failed(path, "sync the folder", err);
}

dt_status dt_dir_open_of(const char *path, int *out_fd, dt_error *err)
{
    const char *slash = strrchr(path, '/');
    char *folder =
        slash ? dt_format(NULL, "%.*s", (int)(slash - path) + 1, path) : dt_format(NULL, ".");
    if (!folder) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a path");
    dt_status st = DT_OK;
    *out_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*out_fd < 0 && errno != EACCES) st = dt_file_failed(folder, "open", err);
    dt_put(NULL, folder);
    return st;
}

dt_status dt_dir_sync_of(const char *path, dt_error *err)
{
    int fd;
    DT_TRY(dt_dir_open_of(path, &fd, err));
    dt_status st = fd >= 0 ? dt_dir_sync(fd, path, err) : DT_OK;
    if (fd >= 0) close(fd);
    return st;
}

/* Makes the folder `part` if it is not there. */
static dt_status make_one(const char *part, dt_error *err)
{
    if (mkdir(part, 0777) == 0) return dt_dir_sync_of(part, err);
    return errno == EEXIST ? DT_OK : dt_file_failed(part, "make the folder", err);
}

dt_status dt_dir_make(const char *path, dt_error *err)
{
    const dt_where where = { .file = path };
    size_t n = strlen(path);
    char *part = dt_format(NULL, "%s", path);
    dt_status st = DT_OK;
    if (n == 0) st = dt_fail(err, DT_ERR_ARG, &where, "a folder without a name");
    if (!part) st = dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a path");
    for (size_t i = 1; st == DT_OK && i <= n; i++) {
        if ((path[i] != '/' && path[i] != '\0') || path[i - 1] == '/') continue;
        part[i] = '\0';
        st = make_one(part, err);
        part[i] = path[i];
    }
    dt_put(NULL, part);
    DT_TRY(st);
    struct stat about;
    if (stat(path, &about) != 0) return dt_file_failed(path, "make the folder", err);
    if (!S_ISDIR(about.st_mode)) return dt_fail(err, DT_ERR_IO, &where, "is no folder");
    return DT_OK;
}

dt_status dt_fd_write(int fd, const char *path, const void *data, size_t size, dt_error *err)
{
    const char *from = data;
    while (size > 0) {
        ssize_t n = write(fd, from, size);
        if (n < 0 && errno == EINTR) continue;
        if (n == 0) errno = EIO; /* a device that takes nothing */
        if (n <= 0) return dt_file_failed(path, "write", err);
        from += n;
        size -= (size_t)n;
    }
    return DT_OK;
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
