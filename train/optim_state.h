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

/* Scales all gradients by most / (norm + 1e-6) if that is below 1, norm being that of all of them
 * together (Pascanu 2013, arXiv:1211.5063; PyTorch's form). Returns the norm before. */
double dt_optim_clip(dt_state *s, double most);

/* One update of every parameter from its gradient. `step` counts from 0, `lr` is that step's.
 * Gradients are clipped to train.clip_norm first. Weights decay, biases, norms and embeddings with
 * train.decay_norm, quantizer parameters with
 * train.quant_decay; these have the rate lr * train.quant_lr. */
void dt_optim_update(const dt_optim_state *o, dt_state *s, double lr, int64_t step);

#endif
