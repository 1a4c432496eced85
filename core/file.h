/* Files: whole reads with a limit, and writes that are there completely or not at all. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CORE_FILE_H
#define DT_CORE_FILE_H

#include <stdio.h>

#include "core/alloc.h"

/* Opens a regular file for reading, with links followed. What is none is refused and never waited
 * for: a FIFO nobody writes to would hang, a device may do anything. Errors: NOT_FOUND, IO, FORMAT
 * (no regular file). */
dt_status dt_file_open(const char *path, FILE **out, dt_error *err) DT_MUST_CHECK;
dt_status dt_fd_open(const char *path, int *out_fd, dt_error *err) DT_MUST_CHECK; /* the same */

/* Reads a whole regular file of at most `limit` bytes into memory that the caller gives back with
 * dt_put(a, .). Errors: NOT_FOUND, IO, FORMAT (larger than the limit, or no regular file), NOMEM.
 */
dt_status dt_file_read(const dt_alloc *a, const char *path, size_t limit, unsigned char **out_data,
                       size_t *out_size, dt_error *err) DT_MUST_CHECK;

bool dt_file_exists(const char *path);
/* Makes a folder and its parents; it is fine if it is there. */
dt_status dt_dir_make(const char *path, dt_error *err) DT_MUST_CHECK;

/* Takes the folder for this process: no other one gets it until dt_dir_unlock or the end of the
 * process, however it ends. `out_lock` is for dt_dir_unlock. Errors: IO; ARG when it is taken. */
dt_status dt_dir_lock(const char *path, int *out_lock, dt_error *err) DT_MUST_CHECK;
void dt_dir_unlock(int lock); /* -1 is fine */

/* A file that appears under its name only when it is complete: written to "<path>.tmp<pid>" beside
 * it, synced, renamed, folder synced. */
typedef struct dt_atomic_file {
    FILE *stream; /* write here; NULL after dt_atomic_end */
    char path[1024], temporary[1056];
} dt_atomic_file;
dt_status dt_atomic_begin(dt_atomic_file *f, const char *path, dt_error *err) DT_MUST_CHECK;
/* Checks the stream for errors, syncs and renames. On failure the temporary file is removed and
 * what was at `path` before is untouched. */
dt_status dt_atomic_end(dt_atomic_file *f, dt_error *err) DT_MUST_CHECK;
void dt_atomic_cancel(dt_atomic_file *f); /* removes the temporary file; fine after end */
/* All of `data` at once. */
dt_status dt_file_write(const char *path, const void *data, size_t size,
                        dt_error *err) DT_MUST_CHECK;
/* Removes the temporary files "<name>.tmp<number>" that killed processes left in a folder. Only for
 * a folder that no other process writes to. What cannot be removed stays. */
void dt_dir_remove_temporaries(const char *folder);
/* For writers that open files by name (HDF5): sync `temporary` and rename it to `path`. */
dt_status dt_file_commit(const char *temporary, const char *path, dt_error *err) DT_MUST_CHECK;

enum { DT_SHA256_HEX = 65 };
/* SHA-256 of several pieces, in hexadecimal. */
typedef struct dt_sha256 {
    _Alignas(8) unsigned char state[256];
} dt_sha256;
void dt_sha256_init(dt_sha256 *h);
void dt_sha256_add(dt_sha256 *h, const void *data, size_t size);
void dt_sha256_end(dt_sha256 *h, char hex[DT_SHA256_HEX]);

#endif
