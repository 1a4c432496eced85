/* Folders of pictures, a sub-folder a class: the files of two splits, sorted by the bytes of their
 * names. Memory holds names only; pictures are decoded when they are read. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_DATA_FOLDER_FILES_H
#define DT_DATA_FOLDER_FILES_H

#include "data/dataset.h"

/* What a row wants of a root folder. */
typedef struct dt_folder_spec {
    const char *test[3]; /* names that the folder of the test split may have; ends with NULL */
    bool root_is_both;   /* without train/ the classes may lie in the root and serve both splits */
    double test_share;   /* then: of each class's pictures, chosen by their names, those that are
                            test ones; 0: all are in both splits */
    bool same_size;      /* the size of every picture is checked at open */
    const char *label_file; /* tells the classes of pictures that lie in the test folder itself,
                               relative to the root; NULL: none */
} dt_folder_spec;

typedef struct dt_folder_set dt_folder_set;
dt_status dt_folder_open(const dt_folder_spec *spec, const dt_data_params *p,
                         dt_folder_set **out_set, dt_data_info *out_info,
                         dt_error *err) DT_MUST_CHECK;
/* dt_dataset.read, .path and .close of a dt_folder_set. */
dt_status dt_folder_read(const void *set, dt_split split, int64_t index, dt_sample *out,
                         dt_error *err) DT_MUST_CHECK;
dt_status dt_folder_name(const void *set, dt_split split, int64_t index, dt_sample_name *out,
                         dt_error *err) DT_MUST_CHECK;
void dt_folder_close(void *set);

/* Sorted names, for the reader of label files. */
typedef struct dt_names {
    const char **at;
    size_t count, capacity;
} dt_names;

/* Lines "<file> <class>" (or with a comma; what stands behind is passed over; the file's ending may
 * be missing; a first line that starts with "ImageId" is a heading) -> the class of each of
 * `files`. Every file needs a line, every class must be in `classes`; both are sorted. FORMAT tells
 * the line.
 */
dt_status dt_folder_labels(const char *path, const dt_names *files, const dt_names *classes,
                           int *out_labels, const dt_alloc *alloc, dt_error *err) DT_MUST_CHECK;

/* Calls `add` with the class of every line. */
typedef dt_status dt_folder_add(void *arg, const char *name, dt_error *err);
dt_status dt_folder_label_names(const char *path, dt_folder_add *add, void *arg,
                                const dt_alloc *alloc, dt_error *err) DT_MUST_CHECK;

#endif
