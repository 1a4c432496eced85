/* Evaluation over a split: counts, loss. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_RUN_EVALUATE_H
#define DT_TRAIN_RUN_EVALUATE_H

#include "data/loader.h"
#include "train/net/net.h"

typedef struct dt_score {
    int64_t correct, correct5, count; /* top-1, top-5, samples */
    double loss;                      /* mean */
} dt_score;

typedef struct dt_evaluator {
    dt_net *net;
    dt_plan plan;
    dt_exec exec;
    int32_t *labels; /* [batch] */
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
/* One pass over the loader's split from its start. `predictions` (NULL: not wanted) gets the class
 * of each sample, in order. */
dt_status dt_evaluate(dt_evaluator *e, dt_loader *loader, dt_evaluate_fn progress, void *arg,
                      int32_t *predictions, dt_score *out, dt_error *err) DT_MUST_CHECK;

/* Adds a batch of logits [valid,K] to counts: the first largest logit is the prediction. */
void dt_score_count(dt_score *s, const real *logits, const int32_t *labels, int64_t valid,
                    int64_t K, int32_t *predictions);

#endif
