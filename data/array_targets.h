/* Several answers of a sample, each an array by name, put together in records. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_DATA_ARRAY_TARGETS_H
#define DT_DATA_ARRAY_TARGETS_H

#include "data/dataset.h"

/* What a recipe says of a split: words NAME=FILE, and the keys that say it. */
typedef struct dt_target_files {
    const dt_opt_words *words;
    const char *only; /* the file of the only answer that is wanted, in place of words; "": none */
    const char *key;
    int64_t samples;    /* as many as inputs, */
    const char *inputs; /* whose file is named in messages */
} dt_target_files;

/* Reads the answers that are wanted, in the order of p->want, into info->target and into records
 * [samples, words] of 4 bytes an element, allocated; the caller puts them. The same of a second
 * split must have as many numbers. FORMAT, NOT_FOUND (the text has the nearest name), SHAPE,
 * RANGE. */
dt_status dt_array_targets(const dt_target_files *f, const dt_data_params *p, dt_data_info *info,
                           float **out_records, int64_t *out_words, dt_error *err) DT_MUST_CHECK;

/* "NAME=FILE" of word k: the name into `name`, empty before; where it is not, it must be that one.
 * `what` stands for it in messages: "input". */
dt_status dt_array_word(const dt_opt_words *words, int k, const char *key, const char *what,
                        char name[DT_DATA_PART_NAME], const char **out_file,
                        dt_error *err) DT_MUST_CHECK;
/* The path of a file that is relative to the root. */
dt_status dt_array_path(const dt_data_params *p, const char *file, char path[DT_DATA_PATH],
                        dt_error *err) DT_MUST_CHECK;

/* 0 or 1 each. */
dt_status dt_array_check_flags(const char *path, const float *row, int64_t count, int64_t sample,
                               dt_error *err) DT_MUST_CHECK;

#endif
