/* From a unit's output through the rest of the float net to its logits, and back: what an error
 * there does to the result. Inside ptq/ only. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_PTQ_TAIL_H
#define DT_PTQ_TAIL_H

#include "ptq/units.h"

typedef struct dt_ptq_tail {
    dt_ptq *q;
    const dt_ptq_unit *unit;
    int out, from, logits; /* in the float net; `from`: the border before the unit */
    int64_t batch, K, n, from_n;
    double temperature;
    bool whole; /* the unit ends in the logits: nothing comes behind it */
    dt_graph fused;
    dt_plan plan;
    dt_exec exec;
    real *truth;            /* [count, K]: logits of the float net */
    real *y, *at, *seed;    /* of a batch: what goes in, and the logits' gradient */
    double *told, *guessed; /* [K] */
} dt_ptq_tail;

/* Values that do not come out of the unit (beside it there may be other branches) are those of the
 * net quantized so far, from the stream's border on. `batch`: the most pictures at a time. */
dt_status dt_ptq_tail_open(dt_ptq_tail *t, dt_ptq *q, const dt_ptq_unit *unit, int64_t batch,
                           double temperature, dt_error *err) DT_MUST_CHECK;
void dt_ptq_tail_close(dt_ptq_tail *t);
/* The sum over n pictures of KL(softmax(z/T) || softmax(z'/T)), z the float net's logits and z'
 * those that follow from y [n, features]. */
double dt_ptq_tail_kl(dt_ptq_tail *t, int64_t n, const int64_t *picture, const real *y);
/* Its gradient [n, features], until the next call. */
const real *dt_ptq_tail_slope(dt_ptq_tail *t);

#endif
