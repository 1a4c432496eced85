/* Several batches as one step: the mean of their gradients, as of one batch of all their samples,
 * and running statistics that move when all have run, in the order of the batches.
 *
 * Sums are taken in a balanced binary tree over the index of the batch: the sum of batches a..b-1
 * is that of the first p of them plus that of the rest, p being the largest power of two below b -
 * a. A block of 2^k batches that begins at a multiple of 2^k is a subtree, so whoever holds one can
 * add it up alone, and the bits depend neither on that nor on threads. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_RUN_ACCUMULATE_H
#define DT_TRAIN_RUN_ACCUMULATE_H

#include "autograd/exec.h"
#include "train/net/share.h"

enum { DT_ACCUMULATE_LEVELS = 31 };

typedef struct dt_accumulate {
    dt_share share;
    int levels; /* log2 of share.count, rounded up */
    /* [values], NULL where a value is no parameter: level k holds the sum of 2^k batches whose
     * other half of the tree is not there yet. */
    real **sum[DT_ACCUMULATE_LEVELS];
    double *moves; /* [ranks][block][moves_of_batch], dt_exec.moves; NULL: they move at once */
    size_t moves_of_batch; /* the most of all plans */
    size_t bytes;
    dt_arena *arena;
} dt_accumulate;

/* `levels` buffers as large as the gradients, and `moves` numbers a batch; nothing for steps of one
 * batch. */
dt_status dt_accumulate_init(dt_accumulate *a, const dt_share *share, const dt_graph *g,
                             int64_t moves, const dt_alloc *alloc, dt_error *err) DT_MUST_CHECK;
void dt_accumulate_fini(dt_accumulate *a);
/* Before the forward pass of batch `index` (0..batches-1) of a step: where the running statistics
 * of `e` go. */
void dt_accumulate_forward(const dt_accumulate *a, dt_exec *e, int index);
/* After the backward pass of that batch: its gradients in `s` go into the tree; after the last one
 * of the share `s` holds what the share adds to the mean. */
void dt_accumulate_add(dt_accumulate *a, dt_state *s, int index);
/* The same for one parameter, as soon as its gradient is there. */
void dt_accumulate_add_value(dt_accumulate *a, dt_state *s, int value, int index);
/* After the last batch, `moves` being there of all: moves the running statistics. */
void dt_accumulate_move(const dt_accumulate *a, dt_exec *e);
/* A number of batch `index` of all the step's in the same tree; `level` has DT_ACCUMULATE_LEVELS
 * elements. Returns the sum of all after the last one, 0 before. */
double dt_accumulate_number(const dt_accumulate *a, double *level, int index, double x);

#endif
