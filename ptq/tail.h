/* From a unit's output through the rest of the float net to the outputs that depend on it, and back:
 * what an error there does to the result. Inside ptq/ only. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_PTQ_TAIL_H
#define DT_PTQ_TAIL_H

#include "ptq/units.h"

/* An output that depends on the unit. */
typedef struct dt_ptq_end {
    const dt_ptq_output *out;
    int value;  /* in the float net */
    int64_t K;
    double spread;
    real *truth; /* [count, K]: of the float net */
    real *seed;  /* [batch, K]: its gradient */
} dt_ptq_end;

typedef struct dt_ptq_tail {
    dt_ptq *q;
    const dt_ptq_unit *unit;
    int out, from; /* in the float net; `from`: the border before the unit, or DT_PTQ_INPUTS */
    int64_t batch, n, from_n;
    double temperature;
    dt_ptq_end end[DT_GRAPH_PORTS];
    int ends, own; /* `own`: the end that the unit's output is; -1: none */
    bool runs;     /* something comes behind the unit */
    dt_graph fused;
    dt_plan plan;
    dt_exec exec;
    real *y, *at; /* of a batch: what goes in */
    real *slope;  /* [batch, n]: where both the unit's output and what follows are ends */
    double *room;
} dt_ptq_tail;

/* Values that do not come out of the unit (beside it there may be other branches) are those of the
 * net quantized so far, from the stream's border on. `batch`: the most pictures at a time. */
dt_status dt_ptq_tail_open(dt_ptq_tail *t, dt_ptq *q, const dt_ptq_unit *unit, int64_t batch,
                           double temperature, dt_error *err) DT_MUST_CHECK;
void dt_ptq_tail_close(dt_ptq_tail *t);
/* The sum over n pictures, and by weight over outputs, of KL(what the float net says || what is said
 * of y), y [n, features], each divided by T. */
double dt_ptq_tail_kl(dt_ptq_tail *t, int64_t n, const int64_t *picture, const real *y);
/* Its gradient [n, features], until the next call; NULL: no output depends on the unit. */
const real *dt_ptq_tail_slope(dt_ptq_tail *t);

#endif
