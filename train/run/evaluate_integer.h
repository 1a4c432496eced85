/* Evaluation of the integer model over a split. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_RUN_EVALUATE_INTEGER_H
#define DT_TRAIN_RUN_EVALUATE_INTEGER_H

#include "integer/run.h"
#include "train/run/evaluate.h"

enum { DT_INT_BATCH = 32 }; /* pictures whose values stay in the processor's caches */

/* As dt_evaluate, with the codes of an execution of at least 1 picture's room. */
dt_status dt_evaluate_integer(dt_int_run *r, const dt_goal *goal, dt_loader *loader,
                              dt_evaluate_fn progress, void *arg, float *predictions, dt_score *out,
                              dt_error *err) DT_MUST_CHECK;

#endif
