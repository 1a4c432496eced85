/* The optimizer's buffers, one set a parameter, and the update of all parameters. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_RUN_OPTIM_STATE_H
#define DT_TRAIN_RUN_OPTIM_STATE_H

#include "autograd/exec.h"
#include "optim/optimizer.h"
#include "recipes/recipe.h"

/* Parameters with one optimizer. */
typedef struct dt_optim_group {
    const dt_optimizer *optimizer;
    const void *conf;
    double rate;  /* of the run's learning rate */
    double decay; /* weight decay; 0 for those parameters of the run's group that have none */
} dt_optim_group;

/* Buffers of the optimizers: [state][value], NULL where a value is no parameter or has no such
 * state. */
typedef struct dt_optim_state {
    const dt_optimizer *optimizer; /* the run's */
    bool hold_quant;               /* parameters of quantizers are not updated */
    dt_optim_group *of;            /* by value: how it is updated */
    bool *frozen;                  /* by value: train.freeze; NULL: none is */
    int64_t *joined;               /* by value: the step from which its updates are counted */
    const dt_recipe_train *conf;   /* borrowed */
    int threads;                   /* of an update; 0: 1. Set behind init */
    real **buffer[DT_OPTIMIZER_STATES];
    dt_arena *arena;
} dt_optim_state;

/* Buffers for the recipe's optimizers, all zero. A group without parameters is refused, and so is a
 * pattern that matches none. */
dt_status dt_optim_state_init(dt_optim_state *o, const dt_recipe_train *conf, const dt_graph *g,
                              const dt_alloc *a, dt_error *err) DT_MUST_CHECK;
void dt_optim_state_fini(dt_optim_state *o);

/* Counts the updates of a parameter from a step: a phase starts it there. */
void dt_optim_join(dt_optim_state *o, int value, int64_t step);
/* Zeroes the buffers of the parameters that join in this step. */
void dt_optim_restart(dt_optim_state *o, const dt_graph *g, int64_t step);

/* Lets go of what past gradients carry into the next update of one element of a parameter. */
void dt_optim_let_go(const dt_optim_state *o, int value, int64_t element);

/* Scales all gradients that are there by most / (norm + 1e-6) if that is below 1, norm being that
 * of all of them together (Pascanu 2013, arXiv:1211.5063; PyTorch's form). Returns the norm before.
 */
double dt_optim_clip(dt_state *s, double most);

/* One update of every parameter that has a gradient (a phase that leaves quantizers out gives their
 * parameters none: they stay as they are, and so do their buffers). `step` counts from 0, `lr` is
 * that step's of the run's optimizer; groups with an optimizer of their own follow it in
 * proportion. Gradients are clipped to train.clip_norm first. Without such a group: weights decay,
 * biases, norms and embeddings with train.decay_norm, quantizer parameters with train.quant_decay;
 * these have the rate lr * train.quant_lr. */
void dt_optim_update(const dt_optim_state *o, dt_state *s, double lr, int64_t step);

#endif
