/* Evaluation over a split: counts, loss. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_RUN_EVALUATE_H
#define DT_TRAIN_RUN_EVALUATE_H

#include "comm/comm.h"
#include "data/loader.h"
#include "train/net/net.h"

typedef struct dt_evaluator {
    dt_net *net;
    dt_plan plan;
    dt_exec exec;
    void *answers; /* [batch]: those of the batch under way, and of samples that do not count */
    real *outputs; /* [batch,K] of several outputs, dt_exec_outputs; NULL: there is one */
    dt_comm *comm; /* whose ranks share an evaluation, set after init; NULL: none */
    const dt_alloc *alloc;
} dt_evaluator;

/* Plans an evaluation at `batch` of dt_net_steps(net), or of net->graph where a hook wants every
 * node; `memory` as for dt_exec_init. */
dt_status dt_evaluator_init(dt_evaluator *e, dt_net *net, const dt_graph *graph,
                            const dt_kernels *k, int64_t batch, int threads, void *memory,
                            const dt_alloc *a, dt_error *err) DT_MUST_CHECK;
void dt_evaluator_fini(dt_evaluator *e);

/* Called after every batch with what has been seen; false stops (the score is then partial). */
typedef bool (*dt_evaluate_fn)(void *arg, const dt_score *so_far, int64_t total);
/* One pass over the loader's split from its start. `predictions` (NULL: not wanted) gets what the
 * output of each sample means, in order, see dt_score_add; ranks that share the batches give none.
 */
dt_status dt_evaluate(dt_evaluator *e, dt_loader *loader, dt_evaluate_fn progress, void *arg,
                      float *predictions, dt_score *out, dt_error *err) DT_MUST_CHECK;

/* One batch: its sums, with that of its losses, which the caller joins in the order of batches. */
dt_status dt_evaluate_batch(dt_evaluator *e, const dt_batch *batch, float *predictions,
                            dt_score *out, dt_error *err) DT_MUST_CHECK;
/* dt_evaluate among ranks: each has a block of the batches, and all get the score
 * (evaluate_ranks.c). */
dt_status dt_evaluate_ranks(dt_evaluator *e, dt_loader *loader, dt_evaluate_fn progress, void *arg,
                            dt_score *out, dt_error *err) DT_MUST_CHECK;
/* Gives the evaluator's network a batch, of which `valid` samples count. */
void dt_evaluator_feed(dt_evaluator *e, const dt_batch *batch, int64_t valid);
/* The outputs [n,K] of the first samples of the batch, after its forward pass. */
const real *dt_evaluator_outputs(const dt_evaluator *e, int64_t n);
/* For float predictions [n,predicted] beside each other: adds to same[p] how many of n samples have
 * the same of part p, in same[trained]. */
void dt_same_predictions(const dt_goal *g, const float *a, const float *b, int64_t n,
                         int64_t *same);

#endif
