/* What a set of files holds: classes, counts, sizes, and the pictures that cannot be read. Every
 * picture is decoded. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_DATA_CHECK_H
#define DT_DATA_CHECK_H

#include "data/dataset.h"

typedef struct dt_check_range {
    int64_t least, most;
} dt_check_range;

typedef struct dt_check_split {
    int64_t count, broken;
    int64_t turned;               /* stored with another side up, where orientations are told */
    uint64_t pixels;              /* of those that can be read */
    dt_check_range height, width; /* smallest and largest; 0 when none can be read */
    int64_t *by_class;            /* [classes]: samples, readable or not */
} dt_check_split;

typedef struct dt_check_report {
    int classes;
    dt_check_split split[DT_DATA_SPLITS];
    const dt_alloc *alloc;
} dt_check_report;

typedef struct dt_check_params {
    const dt_data *data;
    int threads; /* 0: one */
    /* Called for every broken picture, in the set's order; `text` names it. */
    void (*broken)(void *arg, dt_split split, int64_t index, const char *text);
    bool (*progress)(void *arg, int64_t done, int64_t total); /* false ends the work */
    void *arg;
    const dt_alloc *alloc;
} dt_check_params;

/* Fills `out`, which dt_check_fini ends. Memory: a picture for each thread. Errors: NOMEM; ARG when
 * `progress` stopped it. */
dt_status dt_check_run(const dt_check_params *p, dt_check_report *out, dt_error *err) DT_MUST_CHECK;
void dt_check_fini(dt_check_report *report);

#endif
