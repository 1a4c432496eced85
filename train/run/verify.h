/* Is the integer model what was trained? Three forwards over a split, compared at every node:
 *
 *   I  the reference executor of the integer model
 *   E  the engine: the same model on the fast kernels. E = I is demanded in every sum and code.
 *   F  the float network. Its codes differ where the rounding of a bias, or of float sums, moves a
 *      value over the middle between two codes; such differences are counted.
 *
 * Chained: each forward feeds itself. Isolated: every node, and every part of F between two
 * quantizers, gets the codes of the forward that it is compared with. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_RUN_VERIFY_H
#define DT_TRAIN_RUN_VERIFY_H

#include "integer/compare.h"
#include "train/net/session.h"
#include "train/run/evaluate.h"

/* F against E at a node that ends on codes; checked is 0 elsewhere. */
typedef struct dt_verify_site {
    dt_int_diff chained, isolated; /* got: F, want: E */
    int64_t limit;                 /* the most that rounding can move an isolated code */
} dt_verify_site;

typedef struct dt_verify_params {
    dt_net *net;
    const dt_int_model *model;       /* of the net */
    const dt_int_model *tested;      /* E runs this one; NULL: the same */
    const dt_int_executor *executor; /* of E; NULL: the engine */
    const dt_kernels *kernels;
    int threads;
    const dt_alloc *alloc;
} dt_verify_params;

/* Of 1,000 pictures a few dozen change their class at random, which alone moves top-1 by a point.
 */
enum { DT_VERIFY_BATCH = 32, DT_VERIFY_MANY = 10000 };

typedef struct dt_verify {
    dt_verify_params params;
    dt_int_compare compare; /* E (tested) against I */
    dt_verify_site *site;   /* by node of the model */
    int64_t pictures;
    dt_score score_float, score_integer; /* without losses */
    int64_t same[DT_GOAL_PARTS]; /* pictures for which both mean the same, by part of the goal */
    dt_evaluator f;
    int *node_of;          /* by node of the graph: the model's, -1: none */
    bool isolated;         /* the pass under way */
    float *logits;         /* [DT_VERIFY_BATCH][K], of E: all outputs */
    float *predictions[2]; /* [DT_VERIFY_BATCH][predicted] of F and E */
} dt_verify;

/* Counts what a comparison of a session's net will take, before it is taken. Nothing is done without
 * a limit (s->memory). NOMEM. */
dt_status dt_verify_check_memory(const dt_session *s, const dt_verify_params *p,
                                 dt_error *err) DT_MUST_CHECK;
dt_status dt_verify_init(dt_verify *v, const dt_verify_params *p, dt_error *err) DT_MUST_CHECK;
void dt_verify_fini(dt_verify *v);

/* The first `pictures` of the loader's split (0: all); its batch is DT_VERIFY_BATCH. */
dt_status dt_verify_run(dt_verify *v, dt_loader *loader, int64_t pictures,
                        bool (*progress)(void *arg, int64_t done, int64_t total), void *arg,
                        dt_error *err) DT_MUST_CHECK;

/* First node where E is not I by itself; -1: none. */
int dt_verify_first_engine(const dt_verify *v);
/* First node where an isolated code of F is farther from E's than its limit; -1: none. */
int dt_verify_first_float(const dt_verify *v);
/* Scores of F and E no farther apart than the task lets them; true for less than DT_VERIFY_MANY
 * pictures. */
bool dt_verify_scores_agree(const dt_verify *v);

#endif
