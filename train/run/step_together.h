/* Memory of a step whose batches normalise together (train.sync_norm): inputs and gradients of
 * every batch of this process's share, and the statistics that they join. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_RUN_STEP_TOGETHER_H
#define DT_TRAIN_RUN_STEP_TOGETHER_H

#include "autograd/together.h"
#include "comm/comm.h"
#include "data/loader.h"
#include "train/net/net.h"
#include "train/net/share.h"

typedef struct dt_step_together {
    bool on;
    dt_batch *batch;       /* [count], in memory of their own */
    real **teacher;        /* [count] what it said of them; NULL: none */
    dt_state *gradients;   /* [count - 1]: the last batch has the net's */
    dt_state **earlier;    /* [count - 1] */
    double *moves;         /* [moves of a plan], of the step */
    dt_together step;      /* executors: of the phase under way */
    dt_together_ranks all; /* of the processes, by a dt_comm */
    size_t bytes;
    dt_arena *arena;
} dt_step_together;

/* `p`: one of the plans, for the inputs' sizes; `most`, `moves`: the most of all plans. */
dt_status dt_step_together_init(dt_step_together *t, const dt_net *net, const dt_plan *p,
                                const dt_share *share, dt_comm *comm, int64_t most, int64_t moves,
                                const dt_alloc *a, dt_error *err) DT_MUST_CHECK;
void dt_step_together_fini(dt_step_together *t, const dt_share *share);

#endif
