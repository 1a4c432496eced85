/* Parts of `detent quantize`: its run, its scores. Inside train/ only. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_QUANTIZE_QUANTIZE_STATE_H
#define DT_TRAIN_QUANTIZE_QUANTIZE_STATE_H

#include "train/quantize/quantize.h"

/* Logits of the float net over a split, to compare with. */
typedef struct dt_quantize_truth {
    dt_split split;
    int64_t count;
    float *logits; /* [count, K]: all outputs */
    double spread[DT_GOAL_PARTS]; /* of each part of the goal, see dt_distribution_spread */
} dt_quantize_truth;

/* What stages are told of a session's net: the graph, its outputs (`out` has room for them) with how
 * each is compared, kernels, and so on; pictures and stages are the caller's to add. */
void dt_quantize_net(const dt_session *s, dt_ptq_output out[DT_GRAPH_PORTS], dt_ptq_params *p);

/* Refuses nets that there is nothing to quantize of, or to. */
dt_status dt_quantize_check(const dt_session *s, dt_error *err) DT_MUST_CHECK;
/* The recipe's pictures of the training split, with the transforms of a split, [count,H,W,3]; to be
 * given back with dt_put(s->alloc, .). */
dt_status dt_quantize_pictures(dt_session *s, dt_split transforms, float **out,
                               dt_error *err) DT_MUST_CHECK;
/* Does a stage make the pictures? Then none are read. */
bool dt_quantize_makes(const dt_recipe *r);
/* Does a stage read pictures as training changes them, and does it change them? */
bool dt_quantize_varies(const dt_recipe *r);

/* For dt_session_params.rest: the pictures, and what stages keep of the largest value over all of
 * them; `arg` is a bool, that lies in a file (NULL: no). */
dt_status dt_quantize_count(void *arg, dt_session *s, const char **out_key, dt_error *err);

/* Runs the net without quantizers over the recipe's pictures. Nothing happens for score none. */
dt_status dt_quantize_read_truth(dt_session *s, dt_quantize_truth *t, dt_quantize_report *report,
                                 dt_error *err) DT_MUST_CHECK;
/* Compares the net as it is, and its integer model, which is proved as well. */
dt_status dt_quantize_compare(dt_session *s, const dt_quantize_truth *t, const char *rounding,
                              dt_quantize_report *report, dt_error *err) DT_MUST_CHECK;
void dt_quantize_end_truth(const dt_session *s, dt_quantize_truth *t);

/* Adds one sample of an output [K] against that of the float net. `room`: [2K]. */
typedef struct dt_quantize_sums {
    double kl, signal, noise;
} dt_quantize_sums;
void dt_quantize_add(dt_quantize_sums *s, const dt_distribution *says, double spread, int64_t K,
                     const float *truth, const float *y, double *room);
/* How a part's output is compared, and its weight among those of all: of one that has no task as
 * numbers, times 1. */
const dt_distribution *dt_quantize_says(const dt_goal_part *p, double *out_weight);

#endif
