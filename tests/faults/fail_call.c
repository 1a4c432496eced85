/* Preloaded: a system call of the process fails, is cut short, waits, or kills it.
 *
 *   FAULT_CALL=name    open, close, write, pwrite, fsync, rename, link, flock, ftruncate, mkdir
 *   FAULT_AT=n         the n-th such call, from 1; 0: none, calls are only counted
 *   FAULT_FOREVER=1    and all after it
 *   FAULT_PATH=text    only calls on files with this in their path
 *   FAULT_DO=what      an error number; "short" (a write takes one byte); "flip" (a write
 *                      puts down another first byte, and says nothing); "kill"; "stop"
 *                      (until SIGCONT); "wait:MS"
 *   FAULT_LOG=file     at the end: the number of calls
 *
 * Calls that the C library makes for itself (those of FILE) are not seen. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

typedef enum action { PASS, FAIL, SHORT, FLIP } action;

static struct {
    const char *call, *path, *act, *log;
    long at;
    int forever;
} fault;
static atomic_long calls;

__attribute__((constructor)) static void start(void)
{
    const char *at = getenv("FAULT_AT");
    fault.call = getenv("FAULT_CALL");
    fault.path = getenv("FAULT_PATH");
    fault.act = getenv("FAULT_DO");
    fault.log = getenv("FAULT_LOG");
    fault.at = at ? atol(at) : 0;
    fault.forever = getenv("FAULT_FOREVER") != NULL;
}

__attribute__((destructor)) static void end(void)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%ld\n", atomic_load(&calls));
    long fd = fault.log
                  ? syscall(SYS_openat, AT_FDCWD, fault.log, O_WRONLY | O_CREAT | O_TRUNC, 0666)
                  : -1;
    if (fd >= 0 && syscall(SYS_write, fd, text, (size_t)n) == n) syscall(SYS_close, fd);
}

static int concerns(int fd, const char *path)
{
    char link[64], target[4096] = "";
    if (!fault.path) return 1;
    if (path) return strstr(path, fault.path) != NULL;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return readlink(link, target, sizeof target - 1) > 0 && strstr(target, fault.path);
}

static action act(void)
{
    if (!fault.act || strcmp(fault.act, "kill") == 0) kill(getpid(), SIGKILL);
    if (strcmp(fault.act, "stop") == 0) {
        raise(SIGSTOP);
        return PASS;
    }
    if (strcmp(fault.act, "short") == 0) return SHORT;
    if (strcmp(fault.act, "flip") == 0) return FLIP;
    if (strncmp(fault.act, "wait:", 5) == 0) {
        long ms = atol(fault.act + 5);
        const struct timespec t = { ms / 1000, ms % 1000 * 1000000 };
        nanosleep(&t, NULL);
        return PASS;
    }
    errno = atoi(fault.act);
    return FAIL;
}

/* Of a call on `path`, or on the open file `fd`. */
static action meet(const char *call, int fd, const char *path)
{
    if (!fault.call || strcmp(fault.call, call) != 0 || !concerns(fd, path)) return PASS;
    long n = atomic_fetch_add(&calls, 1) + 1;
    if (fault.at == 0 || n < fault.at || (n > fault.at && !fault.forever)) return PASS;
    return act();
}

#define SEEN __attribute__((visibility("default")))

int open64(const char *path, int flags, ...);
SEEN int open64(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    int mode = flags & (O_CREAT | O_DIRECTORY) ? va_arg(args, int) : 0;
    va_end(args);
    if (meet("open", -1, path) == FAIL) return -1;
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, flags & O_CREAT ? mode : 0);
}

/* The path of a name in an open folder. */
static const char *path_at(int at, const char *name, char path[8192])
{
    char link[64], folder[4096];
    if (at == AT_FDCWD || *name == '/') return name;
    snprintf(link, sizeof link, "/proc/self/fd/%d", at);
    ssize_t n = readlink(link, folder, sizeof folder);
    if (n < 0 || strlen(name) > 4000) return name;
    snprintf(path, 8192, "%.*s/%s", (int)n, folder, name);
    return path;
}

int openat64(int at, const char *name, int flags, ...);
SEEN int openat64(int at, const char *name, int flags, ...)
{
    char path[8192];
    va_list args;
    va_start(args, flags);
    int mode = flags & O_CREAT ? va_arg(args, int) : 0;
    va_end(args);
    if (meet("open", -1, path_at(at, name, path)) == FAIL) return -1;
    return (int)syscall(SYS_openat, at, name, flags, mode);
}

SEEN int close(int fd)
{
    if (meet("close", fd, NULL) != FAIL) return (int)syscall(SYS_close, fd);
    int reason = errno;
    syscall(SYS_close, fd); /* Linux closes it in any case */
    errno = reason;
    return -1;
}

/* The first byte, changed. */
static unsigned char flipped(const void *data)
{
    return *(const unsigned char *)data ^ 0x55;
}

SEEN ssize_t write(int fd, const void *data, size_t size)
{
    action a = meet("write", fd, NULL);
    if (a == FAIL) return -1;
    if (a == FLIP && size) {
        const unsigned char byte = flipped(data);
        return syscall(SYS_write, fd, &byte, 1); /* the caller goes on with the rest */
    }
    return syscall(SYS_write, fd, data, a == SHORT && size ? 1 : size);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off_t at);
SEEN ssize_t pwrite64(int fd, const void *data, size_t size, off_t at)
{
    action a = meet("pwrite", fd, NULL);
    if (a == FAIL) return -1;
    if (a == FLIP && size) {
        const unsigned char byte = flipped(data);
        long done = syscall(SYS_pwrite64, fd, data, size, at);
        return syscall(SYS_pwrite64, fd, &byte, 1, at) == 1 ? done : -1;
    }
    return syscall(SYS_pwrite64, fd, data, a == SHORT && size ? 1 : size, at);
}

SEEN int fsync(int fd)
{
    return meet("fsync", fd, NULL) == FAIL ? -1 : (int)syscall(SYS_fsync, fd);
}

SEEN int rename(const char *from, const char *to)
{
    if (meet("rename", -1, to) == FAIL) return -1;
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

SEEN int renameat(int at, const char *from, int to_at, const char *to)
{
    char path[8192];
    if (meet("rename", -1, path_at(to_at, to, path)) == FAIL) return -1;
    return (int)syscall(SYS_renameat2, at, from, to_at, to, 0);
}

SEEN int linkat(int at, const char *from, int to_at, const char *to, int flags)
{
    return meet("link", -1, from) == FAIL ? -1
                                          : (int)syscall(SYS_linkat, at, from, to_at, to, flags);
}

int flock(int fd, int how);
SEEN int flock(int fd, int how)
{
    return meet("flock", fd, NULL) == FAIL ? -1 : (int)syscall(SYS_flock, fd, how);
}

int ftruncate64(int fd, off_t size);
SEEN int ftruncate64(int fd, off_t size)
{
    return meet("ftruncate", fd, NULL) == FAIL ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}

SEEN int mkdir(const char *path, mode_t mode)
{
    return meet("mkdir", -1, path) == FAIL ? -1 : (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}
