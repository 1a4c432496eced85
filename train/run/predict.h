/* What a network says of single picture files. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_RUN_PREDICT_H
#define DT_TRAIN_RUN_PREDICT_H

#include "train/net/session.h"
#include "train/run/evaluate_integer.h"

typedef struct dt_predictor {
    dt_session *s;
    bool is_integer;
    dt_evaluator evaluator;
    dt_int_run run; /* with is_integer */
    dt_sample sample;
    dt_normalize_table table;
    dt_transform_step steps[DT_TRANSFORM_MAX]; /* of data.test */
    int step_count;
    float *x;     /* [1,H,W,3] */
    void *answer; /* of a sample that has none: zeros */
    size_t answer_bytes;
} dt_predictor;

/* For the session's float network or, when it is given, an integer model of it; both are borrowed.
 * Errors: NOMEM, SHAPE (transforms that draw random numbers, and the like). */
dt_status dt_predictor_init(dt_predictor *p, dt_session *s, const dt_int_model *m,
                            dt_error *err) DT_MUST_CHECK;
/* Outputs [K] of the picture at `path`, after the transforms of data.test. SHAPE: they do not make
 * it as large as the network's pictures; else what reading gives. */
dt_status dt_predict(dt_predictor *p, const char *path, float *out, dt_error *err) DT_MUST_CHECK;
void dt_predictor_fini(dt_predictor *p);

/* The session's classes one by one, in the arena; *out is NULL where they are not known. */
dt_status dt_class_names(const dt_session *s, dt_arena *arena, const char *const **out,
                         dt_error *err) DT_MUST_CHECK;

#endif
