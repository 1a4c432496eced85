/* Holding the learned ranges of a net's sites to what fakequant/floor.h says, around an update. The
 * state after it depends on parameters alone, so checkpoints keep nothing more for it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_RUN_HOLD_H
#define DT_TRAIN_RUN_HOLD_H

#include "train/run/optim_state.h"

typedef struct dt_hold {
    real **before;       /* by value: quantizers' parameters before the update, else NULL */
    unsigned char *told; /* by value: 1 was held, 2 was at its floor; since the run was opened */
    int64_t *halved;     /* by value, a site's first parameter: steps that cut one of its groups to
                          * half; since the run was opened */
    int64_t steps;       /* updates since then */
    const dt_graph *graph;
    dt_arena *arena;
} dt_hold;

/* A group whose range was held, in one parameter that changed. */
typedef struct dt_hold_event {
    const char *site, *parameter; /* "conv1.weight_quant", "scale" */
    int64_t group, groups;
    bool at_floor; /* it has just reached its floor; otherwise it was cut to half */
    bool first;    /* the first such event of this site since the run was opened */
    double updated, held;
} dt_hold_event;
typedef dt_status (*dt_hold_fn)(void *arg, const dt_hold_event *e, dt_error *err);

/* `g`: the net's graph. */
dt_status dt_hold_init(dt_hold *h, const dt_graph *g, const dt_alloc *a,
                       dt_error *err) DT_MUST_CHECK;
void dt_hold_fini(dt_hold *h);
/* Before the update. */
void dt_hold_begin(dt_hold *h, const dt_state *s);
/* After it: holds the sites of `sites`, a graph over the net's values whose quantizers are those in
 * use, and lets the optimizer's momentum of what was held go. Errors: those of `fn`. */
dt_status dt_hold_end(dt_hold *h, const dt_graph *sites, const dt_optim_state *o, dt_state *s,
                      dt_hold_fn fn, void *arg, dt_error *err) DT_MUST_CHECK;

/* How many sites were cut to half in more than one of twenty steps since the run was opened; `text`
 * gets the names of the first few, each with its steps. */
int dt_hold_often(const dt_hold *h, const dt_graph *sites, char *text, size_t size);

/* Whether the range of a group of a fakequant node is there, or below. */
bool dt_hold_group_at_floor(const dt_node *site, const dt_state *s, int64_t group);
/* How many sites have groups at their floor; `text` gets the names of the first few. */
int dt_hold_at_floor(const dt_graph *sites, const dt_state *s, char *text, size_t size);

#endif
