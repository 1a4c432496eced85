/* Preloaded: an allocation of the process fails.
 *
 *   FAULT_AT=n         the n-th one, from 1; 0: none, they are only counted
 *   FAULT_FOREVER=1    and all after it
 *   FAULT_FROM=name    count only calls that come straight from a file of this name: detent,
 *                      libjansson, libhdf5_serial, ...
 *   FAULT_LOG=file     at the end: the number of calls; when one failed: who asked for it */
/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What glibc's own functions are made of. */
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t),
    *__libc_memalign(size_t, size_t);
void *memalign(size_t align, size_t size);

static atomic_long calls;
static long at;
static int forever, ready, log_fd = -1;
static const char *from;

static const char *file_of(const void *who)
{
    Dl_info info = { 0 };
    const char *name = dladdr(who, &info) && info.dli_fname ? info.dli_fname : "?";
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

static void say(const char *what, long n, const void *who)
{
    char text[300];
    int size = snprintf(text, sizeof text, "%s %ld%s%s\n", what, n, who ? " from " : "",
                        who ? file_of(who) : "");
    if (log_fd >= 0 && write(log_fd, text, (size_t)size) != size) log_fd = -1;
}

/* The call of `who` is to fail. */
static int fails(const void *who)
{
    if (!ready || (from && strncmp(file_of(who), from, strlen(from)) != 0)) return 0;
    long n = atomic_fetch_add(&calls, 1) + 1;
    if (at == 0 || n < at || (n > at && !forever)) return 0;
    if (n == at) say("failed", n, who);
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(old, size);
}

void *aligned_alloc(size_t align, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_memalign(align, size);
}

void *memalign(size_t align, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_memalign(align, size);
}

int posix_memalign(void **out, size_t align, size_t size)
{
    if (fails(__builtin_return_address(0))) return ENOMEM;
    *out = __libc_memalign(align, size);
    return *out ? 0 : ENOMEM;
}

__attribute__((constructor)) static void start(void)
{
    const char *n = getenv("FAULT_AT"), *log = getenv("FAULT_LOG");
    if (log) log_fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
    at = n ? atol(n) : 0;
    forever = getenv("FAULT_FOREVER") != NULL;
    from = getenv("FAULT_FROM");
    ready = 1;
}

__attribute__((destructor)) static void end(void)
{
    ready = 0;
    say("calls", atomic_load(&calls), NULL);
}
