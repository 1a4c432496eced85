/* Pages of a file without a name. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* In front of what is given out: how long it all is. Keeps the alignment of a page. */
enum { HEAD = 4096 };

/* Made under a name that no other process takes while this one holds the folder, and unlinked at
 * once; O_TMPFILE is not everywhere. */
static int make(const dt_dir *in)
{
    for (int i = 0; i < 100; i++) {
        char name[32];
        snprintf(name, sizeof name, ".spill-%d", i);
        int fd = openat(dt_dir_fd(in), name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                        S_IRUSR | S_IWUSR);
        if (fd < 0 && errno != EEXIST) return -1;
        if (fd < 0) continue;
        if (unlinkat(dt_dir_fd(in), name, 0) == 0) return fd;
        close(fd);
        return -1;
    }
    errno = EEXIST;
    return -1;
}

static dt_status map(int fd, size_t size, void **out)
{
    do
        errno = posix_fallocate(fd, 0, (off_t)size);
    while (errno == EINTR);
    if (errno) return DT_ERR_IO;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) return DT_ERR_NOMEM;
    *(size_t *)(void *)memory = size;
    *out = memory + HEAD;
    return DT_OK;
}

dt_status dt_spill_get(const dt_dir *in, size_t bytes, void **out, dt_error *err)
{
    *out = NULL;
    if (bytes > SIZE_MAX / 4)
        return dt_fail(err, DT_ERR_NOMEM, NULL, "no address space for %zu bytes", bytes);
    int fd = make(in);
    if (fd < 0) return dt_dir_failed(in, ".spill", "make", err);
    dt_status st = map(fd, bytes + HEAD, out);
    if (st == DT_ERR_IO) st = dt_dir_failed(in, ".spill", "give room to", err);
    if (st == DT_ERR_NOMEM) st = dt_fail(err, st, NULL, "no address space for %zu bytes", bytes);
    close(fd);
    return st;
}

void dt_spill_put(void *memory)
{
    if (!memory) return;
    char *start = (char *)memory - HEAD;
    munmap(start, *(size_t *)(void *)start);
}
