/* What the ranks of a run do for each other in a step: gradients are added, and losses, counts and
 * the numbers that running statistics are moved by are told to all. In one process nothing of this
 * happens. A rank that fails goes through the motions, so that nobody waits for it, and all ranks
 * get its error when the step ends. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_RUN_STEP_RANKS_H
#define DT_TRAIN_RUN_STEP_RANKS_H

#include "comm/reduce.h"
#include "tasks/task.h"
#include "train/run/accumulate.h"

/* What a rank says at the end of a step; all get what any of them wants. */
typedef struct dt_wish {
    int32_t failed, stop, save;
} dt_wish;

/* Pictures that a loader left out, and why the first one was. */
typedef struct dt_skipped {
    int64_t count;
    char first[512];
} dt_skipped;

typedef struct dt_ranks {
    dt_comm *comm; /* borrowed; NULL: one process */
    dt_share share;
    dt_score *note;      /* [ranks][block] of the step's batches; the loss is the mean */
    dt_wish *wish;       /* [ranks] */
    dt_skipped *skipped; /* [ranks] */
    dt_reduce reduce;
    int *part;      /* by value: its part of `reduce`, -1: none */
    bool *is_ready; /* by part, in this step */
    dt_accumulate *sums;
    dt_exec *exec;            /* of the backward pass under way */
    int index;                /* its batch */
    dt_state *const *earlier; /* of dt_ranks_watch */
    const int *ends;          /* of its plan */
    dt_status st;
    dt_error err;
    int64_t bytes, steps; /* sent by this rank in so many steps */
    int64_t sent_before;  /* the step under way */
    dt_arena *arena;
} dt_ranks;

/* By value: the node after whose backward pass a parameter has its gradient, -1: it has none in
 * this plan. `out` has room for the graph's values. */
void dt_ranks_ends(const dt_plan *p, int *out);

/* Notes, and where there are ranks buffers for the sums. `ends` of the plan that most steps run:
 * the order of the parts. */
dt_status dt_ranks_init(dt_ranks *r, dt_comm *comm, const dt_share *share, const dt_graph *g,
                        const int *ends, const dt_alloc *a, dt_error *err) DT_MUST_CHECK;
void dt_ranks_fini(dt_ranks *r);

/* In a step: begin; a backward pass for each batch of the share; end, with how the step went on
 * this rank. */
void dt_ranks_begin(dt_ranks *r);
void dt_ranks_backward(dt_ranks *r, dt_exec *e, const int *ends, dt_accumulate *sums, int index);
/* The same for passes side by side: sets e->after_back, e being the executor of the share's last
 * batch, so that gradients travel as they get complete. `earlier` [share.count - 1]: states with
 * those of the other batches, which are as far by then. Nothing in one process. */
void dt_ranks_watch(dt_ranks *r, dt_exec *e, const int *ends, dt_accumulate *sums,
                    dt_state *const *earlier);
/* Whether it holds on any rank. Between begin and end. */
dt_status dt_ranks_any(dt_ranks *r, bool here, bool *out, dt_error *err) DT_MUST_CHECK;
/* Then `e`'s gradients are those of the step, and notes and moves are there of all its batches.
 * Ends what dt_ranks_watch has begun.
 * `wish` is this rank's, and gets what any wishes. */
dt_status dt_ranks_end(dt_ranks *r, dt_exec *e, dt_accumulate *sums, dt_wish *wish, dt_status st,
                       dt_error *err) DT_MUST_CHECK;

/* What the sums have cost so far, for people; "" in one process. */
void dt_ranks_print(const dt_ranks *r, char *text, size_t size);

/* Of this rank to that of all. */
dt_status dt_ranks_skipped(const dt_ranks *r, dt_skipped *s, dt_error *err) DT_MUST_CHECK;

#endif
