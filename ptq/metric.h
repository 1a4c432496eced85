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

/* What the float net says beside what it says with weights changed, over all pictures. */
typedef struct dt_ptq_sweep {
    dt_ptq_sense *s;
    int value[DT_GRAPH_PORTS];                           /* of the outputs */
    real *truth[DT_GRAPH_PORTS], *after[DT_GRAPH_PORTS]; /* of each, [count, K] */
    double spread[DT_GRAPH_PORTS];
    double *room;
    real *at;    /* [count, features] of the border; NULL: the pictures */
    int border;
    real **made; /* by layer: its weight, and that at every width; NULL: not made yet */
} dt_ptq_sweep;
dt_status dt_ptq_sweep_open(dt_ptq_sweep *w, dt_ptq_sense *s, dt_error *err) DT_MUST_CHECK;
void dt_ptq_sweep_close(dt_ptq_sweep *w);
/* On to the last border before a layer, through the net as it is. */
dt_status dt_ptq_sweep_to(dt_ptq_sweep *w, int layer, dt_error *err) DT_MUST_CHECK;
/* Mean KL divergence from the float net, with the weights as they are; over outputs by weight. */
dt_status dt_ptq_sweep_kl(dt_ptq_sweep *w, double *out, dt_error *err) DT_MUST_CHECK;
/* Calls `each` with the layer's weight at every width, and puts it back. */
dt_status dt_ptq_sweep_layer(dt_ptq_sweep *w, int layer,
                             dt_status (*each)(void *arg, int width, double kl, dt_error *err),
                             void *arg, dt_error *err) DT_MUST_CHECK;

/* Gradients of the float net's parameters over a batch, given those of its outputs. */
typedef struct dt_ptq_slope {
    dt_ptq_sense *s;
    dt_graph graph, fused;
    dt_plan plan;
    dt_exec exec;
    const int *of; /* by value of the net: what stands for it */
    int *keep;     /* in the graph that runs */
    int keep_count;
    int64_t batch;
    int64_t K[DT_GRAPH_PORTS];         /* by output */
    double spread[DT_GRAPH_PORTS];
    const real *after[DT_GRAPH_PORTS]; /* [batch, K], of the last forward pass */
    real *seed[DT_GRAPH_PORTS]; /* [batch, K]: its gradient, to be filled between the passes */
    double *room;               /* [2 most K] */
} dt_ptq_slope;
/* `keep` [count]: values of the net; those that stand for them in the graph that runs are put in
 * their place, and they and their gradients can be read from `exec`. */
dt_status dt_ptq_slope_open(dt_ptq_slope *g, dt_ptq_sense *s, int *keep, int count,
                            dt_error *err) DT_MUST_CHECK;
void dt_ptq_slope_close(dt_ptq_slope *g);
/* Outputs of batch `index`. */
dt_status dt_ptq_slope_forward(dt_ptq_slope *g, int64_t index, dt_error *err) DT_MUST_CHECK;
void dt_ptq_slope_backward(dt_ptq_slope *g); /* into p->state->grad */
/* Both passes of the summed -log of the likelihood of answers that are drawn from what the net says
 * itself: gradients of pictures of a batch are independent then, with mean 0. Outputs count by
 * weight: the mean square is the sum of weights times Fisher's informations. */
dt_status dt_ptq_slope_drawn(dt_ptq_slope *g, int64_t index, dt_error *err) DT_MUST_CHECK;

#endif
