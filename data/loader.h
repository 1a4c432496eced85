/* Loader: endless batches of one split, normalised, channels last. While the caller works on one
 * batch, a background thread prepares the next one.
 *
 * Training: the order of an epoch depends on (seed, epoch) only, the augmentation of a sample on
 * (seed, epoch, sample); the remainder of the epoch is dropped. So batch b of epoch e is the same
 * bits for any number of threads and wherever a run was resumed. Test and validation: in order,
 * unchanged, the last batch filled up with zeros. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_DATA_LOADER_H
#define DT_DATA_LOADER_H

#include "data/dataset.h"
#include "data/normalize.h"
#include "data/transform.h"

typedef struct dt_loader_params {
    const dt_data *data; /* must outlive the loader; loaders may share it */
    dt_split split;
    int64_t batch; /* samples; 1..8192 */
    int64_t val;   /* training samples kept back; 0: none. Same for TRAIN and VAL */
    uint64_t seed;
    const dt_normalize *normalize;  /* NULL: dt_normalizes[0] */
    const dt_transform_step *steps; /* for TRAIN only; their conf must outlive the loader */
    int step_count;
    int threads;           /* of the background work; 0: one */
    const dt_alloc *alloc; /* NULL: dt_alloc_std() */
} dt_loader_params;

/* Borrowed until the next call on the loader. */
typedef struct dt_batch {
    const float *x;        /* [N,H,W,3] */
    const int32_t *labels; /* [N] */
    int64_t valid;         /* samples of this batch, N except in the last one of TEST and VAL;
                              the others are zero, with label 0 */
    int64_t epoch, index;  /* which batch this is */
} dt_batch;

typedef struct dt_loader dt_loader; /* belongs to one thread at a time */

/* Allocates everything and starts on batch 0 of epoch 0. RANGE: `val` or `batch` does not leave a
 * whole training batch. */
dt_status dt_loader_open(const dt_loader_params *params, dt_loader **out_loader,
                         dt_error *err) DT_MUST_CHECK;
/* Batches of an epoch. */
int64_t dt_loader_batches(const dt_loader *loader);
/* Samples of the split that an epoch visits. */
int64_t dt_loader_samples(const dt_loader *loader);
/* The next batch; behind the last one of an epoch comes the first of the next. After an error the
 * same batch is tried again. */
dt_status dt_loader_next(dt_loader *loader, dt_batch *out_batch, dt_error *err) DT_MUST_CHECK;
/* The next batch will be `batch` of `epoch`. RANGE: no such batch. */
dt_status dt_loader_seek(dt_loader *loader, int64_t epoch, int64_t batch,
                         dt_error *err) DT_MUST_CHECK;
void dt_loader_close(dt_loader *loader); /* NULL is fine */

#endif
