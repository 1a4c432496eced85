/* What metrics of sensitivity share. Inside ptq/ only. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_PTQ_METRIC_H
#define DT_PTQ_METRIC_H

#include "ptq/sensitivity.h"
#include "ptq/units.h"

/* A sensitivity under way. The net is the float one, and its parameters are p->state. */
typedef struct dt_ptq_sense {
    dt_ptq *q;
    const dt_ptq_sense_params *params;
    dt_ptq_mixed *mixed;
    const dt_node **product;     /* by layer */
    dt_ptq_weight *weight;       /* by layer */
    real *kept;                  /* room for the largest weight */
    real *change[DT_PTQ_WIDTHS]; /* by width, the same: quantized less float, of a layer at hand */
    int done, total;
} dt_ptq_sense;

typedef struct dt_ptq_metric {
    dt_row row;
    /* Fills mixed->layer[.].damage. */
    dt_status (*fill)(dt_ptq_sense *s, dt_error *err);
} dt_ptq_metric;

/* The layer's weight at every width, less itself, into s->change. */
dt_status dt_ptq_sense_changes(dt_ptq_sense *s, int layer, dt_error *err) DT_MUST_CHECK;
/* One more of s->total pieces of work is done. */
dt_status dt_ptq_sense_tell(dt_ptq_sense *s, const char *what, dt_error *err) DT_MUST_CHECK;

/* Gradients of the float net's parameters over a batch, given those of its logits. */
typedef struct dt_ptq_slope {
    dt_ptq_sense *s;
    dt_graph graph, fused;
    dt_plan plan;
    dt_exec exec;
    int64_t batch, K;
    real *seed; /* [batch, K]: gradient of the logits, to be filled between the passes */
} dt_ptq_slope;
dt_status dt_ptq_slope_open(dt_ptq_slope *g, dt_ptq_sense *s, dt_error *err) DT_MUST_CHECK;
void dt_ptq_slope_close(dt_ptq_slope *g);
/* Logits of batch `index`. */
dt_status dt_ptq_slope_forward(dt_ptq_slope *g, int64_t index, const real **out_logits,
                               dt_error *err) DT_MUST_CHECK;
void dt_ptq_slope_backward(dt_ptq_slope *g); /* into p->state->grad */
/* Softmax of a row of K logits. */
void dt_ptq_softmax(int64_t K, const real *x, double *out);

#endif
