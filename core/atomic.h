/* Files that are there completely or not at all. A file is written beside its place under a name of
 * its own, synced, read back and compared with what was written, checked by whoever knows its
 * format, and only then renamed.
 *
 * The name is "<path>.tmp<process>-<number>.detent", and one that nothing has: neither a file nor a
 * link is ever opened. What a killed process leaves is told by the whole name, so that files of
 * people are never taken for it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CORE_ATOMIC_H
#define DT_CORE_ATOMIC_H

#include "core/dir.h"

typedef struct dt_atomic_file {
    int at;                 /* the folder's descriptor, or AT_FDCWD */
    int parent;             /* opened of a path's folder, to be synced; -1: not */
    char *path, *temporary; /* owned; `temporary` is a name there */
    const char *name;       /* there: the end of `path` */
    int fd;                 /* -1: not open */
    size_t size;            /* written so far */
    dt_sha256 hash;         /* of that */
} dt_atomic_file;

/* What a file must pass before it has its name: `bytes` are what was read back. */
typedef dt_status dt_file_check(void *arg, const char *path, const unsigned char *bytes,
                                size_t size, dt_error *err);

/* Begins the file `name` of a folder; NULL: `name` is a path. Errors: ARG where something other
 * than a file is there; NOT_FOUND, IO, NOMEM. After DT_OK it ends with dt_atomic_end,
 * dt_atomic_end_pair or dt_atomic_cancel. */
dt_status dt_atomic_begin(dt_atomic_file *f, const dt_dir *in, const char *name,
                          dt_error *err) DT_MUST_CHECK;
/* Appends. After a failure only dt_atomic_cancel may follow. */
dt_status dt_atomic_write(dt_atomic_file *f, const void *data, size_t size,
                          dt_error *err) DT_MUST_CHECK;
/* Syncs, reads back, checks (`check` may be NULL) and renames. On failure the temporary file is
 * gone and what was there is untouched, but where only syncing the folder failed: then the new
 * file has its name. */
dt_status dt_atomic_end(dt_atomic_file *f, dt_file_check *check, void *arg,
                        dt_error *err) DT_MUST_CHECK;
/* The same for two files that belong together: both are checked before one is renamed, and if the
 * second cannot be, the first is put back as it was. A process that is killed in between leaves the
 * new `a` with the old `b`. */
dt_status dt_atomic_end_pair(dt_atomic_file *a, dt_atomic_file *b, dt_error *err) DT_MUST_CHECK;
void dt_atomic_cancel(dt_atomic_file *f); /* removes the temporary file; fine after end */

/* All of `data` at once; `in` and `check` may be NULL. */
dt_status dt_file_write_checked(const dt_dir *in, const char *name, const void *data, size_t size,
                                dt_file_check *check, void *arg, dt_error *err) DT_MUST_CHECK;
dt_status dt_file_write(const char *path, const void *data, size_t size,
                        dt_error *err) DT_MUST_CHECK;

/* For writers that open files by name (HDF5): makes an empty temporary file for `path`, whose name
 * the caller gives back with dt_put(NULL, .); then syncs it and renames it to `path`. */
dt_status dt_temporary_make(const char *path, char **out_name, dt_error *err) DT_MUST_CHECK;
dt_status dt_file_commit(const char *temporary, const char *path, dt_error *err) DT_MUST_CHECK;
/* Removes what killed processes left of the files `names` (`count` of them) in a folder that is
 * held. What cannot be removed stays. */
void dt_dir_remove_temporaries(const dt_dir *f, const char *const *names, size_t count);

#endif
