/* Gradients of several batches as one step: the mean of theirs, as of one batch of all their
 * samples. Sums are taken in the order of the batches, so the bits do not depend on threads. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_ACCUMULATE_H
#define DT_TRAIN_ACCUMULATE_H

#include "autograd/exec.h"

typedef struct dt_accumulate {
    int batches; /* of a step */
    real **sum;  /* [values], NULL where a value is no parameter; NULL: one batch, nothing to add */
    size_t bytes;
    dt_arena *arena;
} dt_accumulate;

/* Buffers as large as the gradients; none for one batch. */
dt_status dt_accumulate_init(dt_accumulate *a, int batches, const dt_graph *g,
                             const dt_alloc *alloc, dt_error *err) DT_MUST_CHECK;
void dt_accumulate_fini(dt_accumulate *a);
/* After the backward pass of batch `index` (0..batches-1) of a step: its gradients in `s` go into
 * the sum; after the last one `s` holds the mean of all. */
void dt_accumulate_add(dt_accumulate *a, dt_state *s, int index);

#endif
