/* The optimizer's buffers, one set a parameter, and the update of all parameters. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_OPTIM_STATE_H
#define DT_TRAIN_OPTIM_STATE_H

#include "autograd/exec.h"
#include "optim/optimizer.h"
#include "recipes/recipe.h"

/* Buffers of the optimizer: [state][value], NULL where a value is no parameter. */
typedef struct dt_optim_state {
    const dt_optimizer *optimizer;
    const dt_recipe_train *conf; /* borrowed */
    real **buffer[DT_OPTIMIZER_STATES];
    dt_arena *arena;
} dt_optim_state;

/* Buffers for the recipe's optimizer, all zero. */
dt_status dt_optim_state_init(dt_optim_state *o, const dt_recipe_train *conf, const dt_graph *g,
                              const dt_alloc *a, dt_error *err) DT_MUST_CHECK;
void dt_optim_state_fini(dt_optim_state *o);

/* One update of every parameter from its gradient. `step` counts from 0, `lr` is that step's.
 * Weights decay, biases and norms with train.decay_norm, quantizer parameters with
 * train.quant_decay; these have the rate lr * train.quant_lr. */
void dt_optim_update(const dt_optim_state *o, dt_state *s, double lr, int64_t step);

#endif
