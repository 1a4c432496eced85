/* Batches of one step that normalise by the statistics of all of them: as one batch of all their
 * samples would, whoever runs them. Every executor has memory of its own, for all batches stand at
 * the same norm at the same time: they run from one norm to the next, measure, and go on with what
 * is joined. Norms of plans that ask for running statistics share nothing.
 *
 * Statistics are joined in a balanced binary tree over the index of the batch, the first p of n and
 * the rest, p being the largest power of two below n. A block of 2^k batches that begins at a
 * multiple of 2^k is a subtree: whoever has one joins it alone, and the bits do not depend on that.
 * Mean and variance: Chan, Golub and LeVeque 1979. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_TOGETHER_H
#define DT_AUTOGRAD_TOGETHER_H

#include "autograd/exec.h"

/* What the processes that share a step do for each other; all of them call in the same order. */
typedef struct dt_together_ranks {
    void *arg;
    /* records [ranks][count], of which each has filled its own: then all have all. */
    dt_status (*gather)(void *arg, double *records, int64_t count, dt_error *err);
    /* If one has failed all get its error. */
    dt_status (*settle)(void *arg, dt_status st, dt_error *err);
} dt_together_ranks;

typedef struct dt_together {
    /* [count]: this process's batches of the step in order, with one plan or copies of it, and
     * gradients of their own. Borrowed. Each has `moves`, or all have the same. */
    dt_exec *const *exec;
    int count;
    int rank, ranks;                /* 0, 1: alone */
    int batches;                    /* of the step */
    int block;                      /* of every rank but the last */
    const dt_together_ranks *calls; /* borrowed; unused where there is one rank */
    double *record;                 /* [count][most], lent: as dt_together_bytes says */
    double *gathered;               /* [ranks][most] */
    double *joined;                 /* [most] */
} dt_together;

/* Bytes of the three buffers together, for plans whose statistics are `most` numbers at most. */
size_t dt_together_bytes(const dt_together *t, int64_t most);
void dt_together_lend(dt_together *t, int64_t most, double *memory);
/* The most numbers that one node's statistics are, 0: no node has any. */
int64_t dt_together_most(const dt_plan *p);

/* As dt_exec_forward and dt_exec_backward of all, which then have dt_exec.batches set. Errors are
 * those of hooks, which all ranks get where all have set one, and of the ranks' calls. */
dt_status dt_together_forward(dt_together *t, dt_error *err) DT_MUST_CHECK;
dt_status dt_together_backward(dt_together *t, dt_error *err) DT_MUST_CHECK;

#endif
