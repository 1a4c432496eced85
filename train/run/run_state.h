/* A run under way; shared by the files of the training loop. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_RUN_RUN_STATE_H
#define DT_TRAIN_RUN_RUN_STATE_H

#include "core/atomic.h"
#include "train/run/accumulate.h"
#include "train/run/checkpoint.h"
#include "train/run/hold.h"
#include "train/run/metrics.h"
#include "train/run/step_ranks.h"
#include "train/run/step_together.h"

enum { DT_RUN_PHASES = 16 };

/* Steps that run one graph; all graphs have the net's values, so nothing else changes. */
typedef struct dt_phase {
    int64_t first_step;
    const dt_recipe_phase *conf; /* NULL: as the recipe says without phases */
    dt_graph own, own_fused;     /* with conf */
    const dt_graph *plain, *steps;
    dt_plan plan, norm;      /* norm: for batch-norm statistics; only if dynamics want it */
    dt_exec exec, norm_exec; /* exec: with train.sync_norm, of the share's last batch */
    dt_exec *beside;         /* with train.sync_norm: [share.count - 1] of the batches before it */
    dt_exec **side;          /* [share.count] of all */
    dt_graph unquantized,
        unquantized_fused; /* weights without quantizers; only if dynamics want it */
    const dt_graph *unquantized_steps;
    dt_plan unquantized_plan;
    dt_exec unquantized_exec;
    dt_evaluator evaluator;
    int *ends; /* by value, dt_ranks_ends of `plan` */
} dt_phase;

typedef struct dt_run {
    const dt_run_params *p;
    dt_session s;
    dt_dir folder;                 /* of the run; held by rank 0 */
    dt_share share;                /* of a step's batches, this process's */
    dt_loader *train, *test, *val; /* val: NULL without data.val */
    int64_t skipped[3];            /* pictures left out that were told of, by split */
    dt_optim_state optim;
    dt_hold hold;
    void *step_memory; /* the largest of all plans, shared by their executors */
    size_t step_bytes;
    const char *step_key; /* of the batch of the largest */
    dt_phase phases[DT_RUN_PHASES];
    int phase_count;
    dt_phase *phase;    /* the one under way */
    dt_accumulate sums; /* of gradients, train.accumulate */
    dt_step_together together;
    dt_ranks ranks;          /* the processes that share the steps */
    dt_wish wish;            /* what any of them wished at the end of the last step */
    dt_loader *extra_loader; /* training pictures for what dynamics want; NULL: nothing */
    dt_metrics metrics;
    dt_run_position at;
    int64_t first_step; /* where this process began */
    double train_started, epoch_started, saved_at, last_eval_seconds;
    dt_run_times times;
    dt_score score;
    real *outputs;       /* [data.batch,K] of several outputs of a step; NULL: there is one */
    int64_t scored_step; /* step that `score` and last.h5 belong to; -1: none */
} dt_run;

double dt_run_now(void); /* seconds */
/* The next batch of training pictures. */
dt_status dt_run_next(dt_run *r, dt_batch *out, dt_error *err) DT_MUST_CHECK;

/* Opens everything up to the first step: session, state (fresh or resumed), quantizers, plans. */
dt_status dt_run_prepare(dt_run *r, dt_error *err) DT_MUST_CHECK;
void dt_run_end(dt_run *r);

/* Writes a text to a file of the folder, as a whole (run.c); `check` with its `arg` may be NULL.
 * ARG when the folder at the run's path is no longer the one that was locked. */
dt_status dt_run_write(const dt_run *r, const char *name, const char *text, dt_file_check *check,
                       void *arg, dt_error *err) DT_MUST_CHECK;

/* The plans of all phases, made and printed, and their memory (run_phase.c). */
dt_status dt_run_make_plans(dt_run *r, dt_error *err) DT_MUST_CHECK;
/* Then, in a run that goes on: what dynamics read between steps. */
dt_status dt_run_open_passes(dt_run *r, dt_error *err) DT_MUST_CHECK;
void dt_run_end_plans(dt_run *r);
/* The graphs of all phases; before anything is written, for they may be refused. */
dt_status dt_run_make_phases(dt_run *r, dt_error *err) DT_MUST_CHECK;
/* Tells what the ranks of a run must have in common, and fails on all of them where one differs
 * (run_ranks.c). */
dt_status dt_run_meet(dt_run *r, dt_error *err) DT_MUST_CHECK;
/* From rank 0 to all: where the run is, and all numbers of its state. */
dt_status dt_run_spread(dt_run *r, dt_error *err) DT_MUST_CHECK;

/* Gives an executor of a step's graph the inputs of batch `index` of the step under way, and runs
 * the teacher. */
dt_status dt_run_feed(dt_run *r, dt_exec *e, const dt_batch *batch, int index,
                      dt_error *err) DT_MUST_CHECK;
/* What a batch of the step came to. */
void dt_run_note(dt_run *r, const dt_exec *e, const dt_batch *batch, int index, double loss);
/* Forward and backward passes of this process's batches side by side (step_together.c). What fails
 * on one rank fails on all. */
dt_status dt_run_batches_together(dt_run *r, dt_error *err) DT_MUST_CHECK;
/* A hook of executors: names the first node whose output is not finite. `arg`: the run. */
dt_status dt_run_find_nan(void *arg, const dt_node *node, const dt_op_run *run, bool after,
                          dt_error *err);
/* The loss of a step, which is not finite. */
dt_status dt_run_bad_loss(const dt_run *r, double loss, dt_error *err);
/* Back to the phase of the last step that was done. */
void dt_run_resume_phase(dt_run *r);
/* Enters the phase that begins with this step, if one does: quantizers that are new or have other
 * bits start from data. `fresh`: the run's first step, whatever phase it is in. */
dt_status dt_run_enter_phase(dt_run *r, bool fresh, dt_error *err) DT_MUST_CHECK;

#endif
