/* What the files of the planner share: plan.c makes values and memory, plan_back.c gradients. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_PLAN_BUILD_H
#define DT_AUTOGRAD_PLAN_BUILD_H

#include "autograd/plan.h"

/* When the backward pass of a node happens. */
int dt_plan_back_time(const dt_plan *p, int node);
/* A new slot of the size, a multiple of DT_ALIGN bytes; there is room for all. */
int dt_plan_slot(dt_plan *p, dt_slot_kind kind, int owner, int first, int last, size_t bytes);
/* A slot (-1: nothing happens) is wanted until `time` at least. */
void dt_plan_extend(dt_plan *p, int slot, int time);
bool dt_plan_same_shape(const dt_plan *p, int a, int b);
/* Shapes of values at the plan's batch. */
void dt_plan_shapes(const dt_plan *p, const int *value, int count, dt_shape *out);

/* In this order, the second and later ones after the values have their slots. `frozen`, `has_grad`:
 * by value, see dt_plan_request; the latter is scratch. */
void dt_plan_mark_gradients(dt_plan *p, const bool *frozen, bool *has_grad);
void dt_plan_gradients(dt_plan *p);
void dt_plan_unfinished(dt_plan *p);
void dt_plan_remakes(dt_plan *p);

#endif
