/* Binary files of the CIFAR datasets (Krizhevsky 2009, "Learning multiple layers of features from
 * tiny images"): records of one or two label bytes and 3072 picture bytes, the planes R, G, B of
 * 32 x 32 pixels, rows from the top. No header; the size must be a multiple of the record. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_DATA_CIFAR_FILE_H
#define DT_DATA_CIFAR_FILE_H

#include "data/dataset.h"

enum {
    DT_CIFAR_SIDE = 32,
    DT_CIFAR_BYTES = 3 * DT_CIFAR_SIDE * DT_CIFAR_SIDE, /* of a picture */
    DT_CIFAR_MAX_LABELS = 2,
    DT_CIFAR_MAX_RECORDS = 1000000, /* of a file; the official ones have at most 50000 */
    DT_CIFAR_MAX_FILES = 5,         /* of the training split */
};

/* Label bytes in front of a picture, and how many classes each tells apart. */
typedef struct dt_cifar_layout {
    int labels;
    int classes[DT_CIFAR_MAX_LABELS];
} dt_cifar_layout;

/* Files of a dataset. */
typedef struct dt_cifar_spec {
    dt_cifar_layout layout;
    const char *folder;                        /* sub-folder of the official archive */
    const char *train[DT_CIFAR_MAX_FILES + 1]; /* ends with NULL */
    const char *test;
} dt_cifar_spec;

/* Checks the bytes of a file: whole records, at least one, every label inside its classes. `file`
 * is named in the errors. FORMAT tells what is wrong and where. */
dt_status dt_cifar_check(const dt_cifar_layout *layout, const uint8_t *data, size_t size,
                         const char *file, int64_t *out_records, dt_error *err) DT_MUST_CHECK;
/* Picture and labels of record `index` of checked bytes: planes -> [32,32,3]. */
void dt_cifar_record(const dt_cifar_layout *layout, const uint8_t *data, int64_t index,
                     uint8_t *picture, int labels[DT_CIFAR_MAX_LABELS]);

/* All files of a dataset in memory; `label` selects the label byte that is the class. */
typedef struct dt_cifar_set dt_cifar_set;
dt_status dt_cifar_open(const dt_cifar_spec *spec, int label, const dt_data_params *p,
                        dt_cifar_set **out_set, dt_data_info *out_info,
                        dt_error *err) DT_MUST_CHECK;
/* Has the folder, or the archive's in it, the test file? */
bool dt_cifar_holds(const dt_cifar_spec *spec, const char *root);
/* dt_dataset.read and dt_dataset.close of a dt_cifar_set. */
dt_status dt_cifar_read(const void *set, dt_split split, int64_t index, dt_sample *out,
                        dt_error *err) DT_MUST_CHECK;
void dt_cifar_close(void *set);

#endif
