/* Loader: endless batches of one split, normalised, channels last. While the caller works on one
 * batch, a background thread prepares the next one.
 *
 * Training: the order of an epoch depends on (seed, epoch) only, the augmentation of a sample on
 * (seed, epoch, sample); the remainder of the epoch is dropped. So batch b of epoch e is the same
 * bits for any number of threads and wherever a run was resumed. Test and validation: in order,
 * by the steps of the test pictures, the last batch filled up with zeros.
 *
 * Memory: two batches, and for each thread the file under way, its picture and a transform's
 * result. It is allocated at open, except that buffers of a thread grow to the pictures that it
 * meets (at most DT_PICTURE_MAX_FILE + 2 * 3 * DT_PICTURE_MAX_PIXELS, and what the decoder takes
 * while it runs); those above DT_LOADER_KEEP bytes are given back after the picture.
 *
 * A picture that cannot be read ends the run, or with `skip_broken` is left out and counted: in
 * training the next one of the epoch's order stands in for it, elsewhere the batch has fewer
 * samples. Which pictures those are does not depend on threads. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_DATA_LOADER_H
#define DT_DATA_LOADER_H

#include "core/answer.h"
#include "data/dataset.h"
#include "data/normalize.h"
#include "data/transform.h"

typedef struct dt_loader_params {
    const dt_data *data; /* must outlive the loader; loaders may share it */
    dt_split split;
    int64_t batch; /* samples; 1..8192 */
    int64_t val;   /* training samples kept back; 0: none. Same for TRAIN and VAL */
    uint64_t seed;
    const dt_normalize *normalize;   /* of pictures; NULL: dt_normalizes[0] */
    const dt_opt_floats *mean, *std; /* of arrays: of all values, or one for each channel; NULL or
                                        none: 0 and 1 */
    const dt_transform_step *steps;  /* those of TEST and VAL draw no numbers; conf must outlive */
    int step_count;
    /* Only some of the batches: of every `of` those from `first` on, `count` of them; what is left
     * at the end of an epoch and fills no such group is passed over. of = 0: all. */
    int64_t first, count, of;
    int64_t most;     /* of TEST: so many samples at most, evenly spread over the split; 0: all */
    int classes;      /* of soft targets; 0: the dataset's */
    bool skip_broken; /* leave pictures out that cannot be read */
    int threads;      /* of the background work; 0: one */
    const dt_alloc *alloc; /* NULL: dt_alloc_std() */
} dt_loader_params;

/* Borrowed until the next call on the loader. */
typedef struct dt_batch {
    const float *x;        /* [N,H,W,3], or of arrays [N,...] */
    const int32_t *labels; /* [N]; of mixed pictures the one that is changed */
    const float *targets;  /* [N,classes] when a step mixes pictures: each row adds up to 1; or
                              [N,K] flags or numbers; else NULL */
    dt_answer answer;      /* which of them are the answers */
    int64_t valid;         /* samples of this batch, N except in the last one of TEST and VAL and
                              where broken ones were left out; the others are zero, with label 0 */
    int64_t skipped;       /* samples that could not be read */
    int64_t epoch, index;  /* which batch this is */
} dt_batch;

/* The samples' own answers, of mixed pictures those that are changed. */
static inline const void *dt_batch_answers(const dt_batch *b)
{
    return b->answer == DT_ANSWER_LABEL ? (const void *)b->labels : b->targets;
}

enum { DT_LOADER_KEEP = 32 << 20 /* bytes */ };

typedef struct dt_loader dt_loader; /* belongs to one thread at a time */

/* Allocates everything and starts on batch 0 of epoch 0. RANGE: `val` or `batch` does not leave a
 * whole training batch. */
dt_status dt_loader_open(const dt_loader_params *params, dt_loader **out_loader,
                         dt_error *err) DT_MUST_CHECK;
/* Batches of an epoch. */
int64_t dt_loader_batches(const dt_loader *loader);
/* Height and width of the pictures in its batches; of arrays 0. */
dt_extent dt_loader_extent(const dt_loader *loader);
/* Pictures left out of the batches given so far, counted at each visit; `out_first` (may be NULL)
 * is why the first one was, "" when there was none. */
int64_t dt_loader_skipped(const dt_loader *loader, const char **out_first);
/* Where sample `i` of TEST or VAL lies in the dataset's own split. */
int64_t dt_loader_index(const dt_loader *loader, int64_t i);
/* Samples of the split that an epoch visits. */
int64_t dt_loader_samples(const dt_loader *loader);
/* The next batch of ours; behind the last one of an epoch comes the first of the next. After an
 * error the same batch is tried again. */
dt_status dt_loader_next(dt_loader *loader, dt_batch *out_batch, dt_error *err) DT_MUST_CHECK;
/* The next batch will be `batch` of `epoch`. RANGE: no such batch. */
dt_status dt_loader_seek(dt_loader *loader, int64_t epoch, int64_t batch,
                         dt_error *err) DT_MUST_CHECK;
void dt_loader_close(dt_loader *loader); /* NULL is fine */

#endif
