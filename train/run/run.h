/* A training run: a folder with checkpoints and logs. The state after step n is a pure function of
 * recipe, seed, build and ISA tier, so a run that was killed and resumed ends in the same bits. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_RUN_RUN_H
#define DT_TRAIN_RUN_RUN_H

#include <stdatomic.h>

#include "train/net/session.h"
#include "train/run/evaluate.h"

/* Where a run is; all of it is in checkpoints. */
typedef struct dt_run_position {
    int64_t step, steps_per_epoch, total_steps, last_step; /* last_step: end by train.max_steps */
    dt_score seen;         /* of the epoch so far; the loss is a sum */
    double best;           /* first metric of the best epoch, at the bits of now; -1: none */
    const dt_graph *sites; /* with the quantizers that are in use; NULL: those of the net */
    int weight_bits, activation_bits; /* of a phase whose quantizers are not the recipe's own */
} dt_run_position;

typedef struct dt_run_progress {
    const dt_run_position *at;
    const dt_goal *goal;
    double lr, images_per_s, eta_s;
    bool evaluating;
    int64_t eval_seen, eval_total;
    char dynamics[64]; /* what the recipe's dynamics tell, "" or with blanks before it */
} dt_run_progress;

typedef struct dt_run_epoch {
    const dt_goal *goal;
    int64_t epoch, step; /* epochs done, steps done */
    double lr, seconds;
    dt_score train; /* of the epoch's steps, as they came */
    dt_score score; /* on the test split */
    bool has_val;
    dt_score val;
    bool is_best;
    bool has_before; /* also evaluated before dynamics changed anything (bn_estimate compare) */
    dt_score before;
} dt_run_epoch;

/* What a front end shows; any may be NULL. */
typedef struct dt_run_events {
    void (*message)(void *arg, const char *text);
    void (*site)(void *arg, const dt_site_report *site);
    void (*progress)(void *arg, const dt_run_progress *progress);
    void (*epoch)(void *arg, const dt_run_epoch *epoch);
    void *arg;
} dt_run_events;

typedef struct dt_run_params {
    dt_recipe *recipe;
    const char *folder; /* made when it is not there */
    int threads;        /* 0: all processors */
    const char *isa;
    bool plain;             /* run the graph without the fusing pass: other bits */
    bool resume;            /* go on from <folder>/last.h5 if there is one */
    const atomic_int *stop; /* nonzero: save and return; NULL: never */
    dt_run_events events;
    dt_memory_limit memory; /* checked before anything is taken; 0: not */
    dt_comm *comm;     /* the ranks that share the run, each with these parameters; NULL: none */
    const char *build; /* what tells this program from others, compared among ranks; may be NULL */
    const dt_alloc *alloc;
} dt_run_params;

/* Seconds of this process, by what they went into; steps are the rest of `all`. */
typedef struct dt_run_times {
    double start;  /* recipe to first step: net, data, checkpoint, plans; without `ranges` */
    double ranges; /* first scales of quantizers, from data */
    double waits;  /* for pictures of the loader, between steps */
    double scores; /* evaluations, with what dynamics do for them */
    double writes; /* checkpoints and logs, synced */
    double all;
} dt_run_times;

typedef struct dt_run_result {
    bool finished;  /* false: stopped by `stop`, resume to go on */
    dt_score score; /* test split after the last step */
    dt_goal goal;   /* without its options; names are the recipe's */
    int64_t step;
    dt_run_times times;
} dt_run_result;

/* Whether dt_run_train would begin a fresh run: opens all that it opens, and writes nothing.
 * `out_params`: numbers that it would train. */
dt_status dt_run_check(const dt_run_params *params, size_t *out_params,
                       dt_error *err) DT_MUST_CHECK;

/* Trains. Among ranks the batches of a step are shared out; rank 0 alone has events, reads
 * model.init and checkpoints, and writes. All ranks end alike, with the same error (comm/comm.h).
 * Errors of the user are one line; a loss that is not finite is NUMERIC and names step and
 * layer. Without `resume` a folder that holds a run already is refused. */
dt_status dt_run_train(const dt_run_params *params, dt_run_result *out_result,
                       dt_error *err) DT_MUST_CHECK;

#endif
