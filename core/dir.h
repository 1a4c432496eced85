/* A folder that a process holds, and files by their names in it.
 *
 * The files are opened, renamed and removed through the descriptor that was locked: where the
 * folder is moved away and another one put at its path, they still go into the one that is held. A
 * NULL folder means that a name is a path by itself. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CORE_DIR_H
#define DT_CORE_DIR_H

#include "core/file.h"

typedef struct dt_dir {
    int fd;           /* locked; -1: not held */
    const char *path; /* for messages; of the caller, until dt_dir_release */
} dt_dir;

/* Takes the folder for this process: no other one gets it until dt_dir_release or the end of the
 * process, however it ends, and whatever path leads there. Errors: NOT_FOUND, IO (also a file
 * system without flock); ARG when it is taken. */
dt_status dt_dir_hold(dt_dir *f, const char *path, dt_error *err) DT_MUST_CHECK;
/* ARG when its path leads to another folder by now than the one that is held. */
dt_status dt_dir_check(const dt_dir *f, dt_error *err) DT_MUST_CHECK;
void dt_dir_release(dt_dir *f); /* fine where none is held */

/* What openat(2) and the like take: AT_FDCWD for NULL. */
int dt_dir_fd(const dt_dir *in);
/* "<path>/<name>" for messages, to be given back with dt_put(NULL, .). NULL: no memory */
char *dt_dir_text(const dt_dir *in, const char *name);
/* The error of errno, as dt_file_failed has it. */
dt_status dt_dir_failed(const dt_dir *in, const char *name, const char *doing, dt_error *err);

/* Something has that name, be it a link that leads nowhere. */
bool dt_dir_has(const dt_dir *in, const char *name);
/* As dt_file_read (core/file.h). */
dt_status dt_dir_read(const dt_dir *in, const char *name, const dt_alloc *a, size_t limit,
                      unsigned char **out_data, size_t *out_size, dt_error *err) DT_MUST_CHECK;
/* Opens a file for writing at its end, and makes it where it is not there. NOT_FOUND (no such
 * folder), IO */
dt_status dt_dir_append(const dt_dir *in, const char *name, FILE **out,
                        dt_error *err) DT_MUST_CHECK;
/* Fine if it is not there. IO */
dt_status dt_dir_remove(const dt_dir *in, const char *name, dt_error *err) DT_MUST_CHECK;

#endif
