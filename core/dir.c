/* A folder that a process holds: flock(2) on a descriptor, and calls relative to it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static dt_status lock_failed(const char *path, dt_error *err)
{
    const dt_where where = { .file = path };
    if (errno == EWOULDBLOCK)
        return dt_fail(err, DT_ERR_ARG, &where, "another process is at work in this folder");
    return dt_fail(err, DT_ERR_IO, &where, "cannot lock: %s; a file system with flock(2) is needed",
                   strerror(errno));
}

static bool leads_to(const char *path, int fd)
{
    struct stat there, here;
    return stat(path, &there) == 0 && fstat(fd, &here) == 0 && there.st_dev == here.st_dev &&
           there.st_ino == here.st_ino;
}

dt_status dt_dir_hold(dt_dir *f, const char *path, dt_error *err)
{
    *f = (dt_dir){ .fd = -1, .path = path };
    for (int tries = 0; tries < 10; tries++) {
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) return dt_file_failed(path, "open", err);
        int taken;
        do
            taken = flock(fd, LOCK_EX | LOCK_NB);
        while (taken != 0 && errno == EINTR);
        if (taken != 0) {
            dt_status st = lock_failed(path, err);
            close(fd);
            return st;
        }
        if (leads_to(path, fd)) { /* it may have been removed before it was locked */
            f->fd = fd;
            return DT_OK;
        }
        close(fd);
    }
    return dt_fail(err, DT_ERR_IO, &(dt_where){ .file = path }, "another process replaces it");
}

dt_status dt_dir_check(const dt_dir *f, dt_error *err)
{
    if (leads_to(f->path, f->fd)) return DT_OK;
    return dt_fail(err, DT_ERR_ARG, &(dt_where){ .file = f->path },
                   "was removed or replaced during the run; nothing more is written");
}

void dt_dir_release(dt_dir *f)
{
    if (f->fd >= 0) close(f->fd);
    *f = (dt_dir){ .fd = -1 };
}

/* --- files in it --- */

int dt_dir_fd(const dt_dir *in)
{
    return in ? in->fd : AT_FDCWD;
}

char *dt_dir_text(const dt_dir *in, const char *name)
{
    return in ? dt_format(NULL, "%s/%s", in->path, name) : dt_format(NULL, "%s", name);
}

dt_status dt_dir_failed(const dt_dir *in, const char *name, const char *doing, dt_error *err)
{
    int reason = errno;
    char *path = dt_dir_text(in, name);
    errno = reason;
    dt_status st = dt_file_failed(path ? path : name, doing, err);
    dt_put(NULL, path);
    return st;
}

bool dt_dir_has(const dt_dir *in, const char *name)
{
    struct stat st;
    return fstatat(dt_dir_fd(in), name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

dt_status dt_dir_append(const dt_dir *in, const char *name, FILE **out, dt_error *err)
{
    int fd = openat(dt_dir_fd(in), name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    *out = fd < 0 ? NULL : fdopen(fd, "ab");
    if (*out) return DT_OK;
    dt_status st = dt_dir_failed(in, name, "write", err);
    if (fd >= 0) close(fd);
    return st;
}

dt_status dt_dir_remove(const dt_dir *in, const char *name, dt_error *err)
{
    if (unlinkat(dt_dir_fd(in), name, 0) == 0 || errno == ENOENT) return DT_OK;
    return dt_dir_failed(in, name, "remove", err);
}
