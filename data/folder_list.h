/* Listing one folder: what is wanted of it, sorted by the bytes of the names, and what is passed
 * over. Inside data/ only. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_DATA_FOLDER_LIST_H
#define DT_DATA_FOLDER_LIST_H

#include "data/folder_files.h"

/* What a listing left out. Hidden folders start with a dot, system folders are those that
 * archivers, file managers and Python leave (__MACOSX, @eaDir, __pycache__, ...); neither is a
 * class. */
typedef struct dt_passed {
    int64_t files, folders;
    char file[256], folder[256]; /* the first by name of each */
} dt_passed;

/* Appends the sub-folders of `folder`, or its pictures (by their endings). A link that leads
 * nowhere is an error among folders, where it may be a class, and a picture that cannot be read
 * among files. `passed` is added to. Names are the arena's, the array `alloc`'s. NOT_FOUND, IO,
 * NOMEM. */
dt_status dt_folder_list(const char *folder, bool folders, const dt_alloc *alloc, dt_arena *arena,
                         dt_names *out_list, dt_passed *passed, dt_error *err) DT_MUST_CHECK;
/* Has it sub-folders, or pictures? false: neither, or it cannot be read. */
bool dt_folder_has(const char *folder, bool folders);
/* How many of them; -1: it cannot be read. */
int64_t dt_folder_count(const char *folder, bool folders);
/* The same of a folder in another one; `name` NULL: of that itself. */
int64_t dt_folder_count_in(const char *root, const char *name, bool folders);
bool dt_folder_has_in(const char *root, const char *name, bool folders);
/* Appends one name, copied. */
dt_status dt_names_add(const dt_alloc *alloc, dt_arena *arena, dt_names *list, const char *name,
                       dt_error *err) DT_MUST_CHECK;
void dt_names_sort(dt_names *list);

typedef struct dt_folder_sample {
    const char *path; /* relative to the split's folder */
    int label;
} dt_folder_sample;

/* Keeps of each class, whose samples are neighbours, those that are test ones or those that are
 * not. FORMAT: a class of one picture. */
dt_status dt_folder_share(dt_folder_sample *at, size_t *count, double share, bool is_test,
                          dt_error *err) DT_MUST_CHECK;

#endif
