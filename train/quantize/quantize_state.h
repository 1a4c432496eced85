/* Parts of `detent quantize`: its run, its scores. Inside train/ only. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_QUANTIZE_QUANTIZE_STATE_H
#define DT_TRAIN_QUANTIZE_QUANTIZE_STATE_H

#include "train/quantize/quantize.h"

/* Logits of the float net over a split, to compare with. */
typedef struct dt_quantize_truth {
    dt_split split;
    int64_t count;
    float *logits; /* [count, classes] */
} dt_quantize_truth;

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

/* Adds a batch: outputs [n,K] against those of the float net. Sums, until dt_quantize_mean.
 * `classes`: outputs are logits of one class. */
typedef struct dt_quantize_sums {
    double kl, signal, noise;
} dt_quantize_sums;
void dt_quantize_add(dt_quantize_sums *s, bool classes, int64_t n, int64_t K, const float *truth,
                     const float *logits);

#endif
