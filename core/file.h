/* Files and folders: whole reads with a limit, SHA-256. Writing is core/atomic.h's, folders that
 * are held core/dir.h's. */
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
/* "<folder>/<name>", to be given back with dt_put(NULL, .). NOMEM */
dt_status dt_path_join(const char *folder, const char *name, char **out,
                       dt_error *err) DT_MUST_CHECK;

/* Makes a folder and its parents, synced; it is fine if it is there. */
dt_status dt_dir_make(const char *path, dt_error *err) DT_MUST_CHECK;
/* Opens the folder that holds `path`; -1 where it may not be read. NOT_FOUND, IO, NOMEM */
dt_status dt_dir_open_of(const char *path, int *out_fd, dt_error *err) DT_MUST_CHECK;
/* Syncs the folder that holds `path`, so that its names outlive a loss of power. File systems that
 * cannot, and folders that may not be read, are passed over. IO, NOMEM */
dt_status dt_dir_sync_of(const char *path, dt_error *err) DT_MUST_CHECK;
/* The same of an open folder; `path` is for messages. */
dt_status dt_dir_sync(int folder, const char *path, dt_error *err) DT_MUST_CHECK;

/* All of `data`, whatever a single write(2) takes; `path` is for messages. IO */
dt_status dt_fd_write(int fd, const char *path, const void *data, size_t size,
                      dt_error *err) DT_MUST_CHECK;
/* The error of errno: NOT_FOUND or IO, "<path>: cannot <doing>: <reason>". */
dt_status dt_file_failed(const char *path, const char *doing, dt_error *err);

enum { DT_SHA256_HEX = 65 };
/* SHA-256 of several pieces, in hexadecimal. */
typedef struct dt_sha256 {
    _Alignas(8) unsigned char state[256];
} dt_sha256;
void dt_sha256_init(dt_sha256 *h);
void dt_sha256_add(dt_sha256 *h, const void *data, size_t size);
void dt_sha256_end(dt_sha256 *h, char hex[DT_SHA256_HEX]);

#endif
