/* What a recipe trains a network for: its goal, the values of answers and the nodes of losses. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_NET_NET_GOAL_H
#define DT_TRAIN_NET_NET_GOAL_H

#include "train/net/net.h"

/* Of a recipe with one task, before the model is built: the task, its loss, `recipe.model.classes`
 * outputs. ARG: the loss compares with other answers. Nothing of one with `tasks`. */
dt_status dt_net_goal_begin(dt_net *net, const dt_recipe *recipe, dt_error *err) DT_MUST_CHECK;
/* When it is built: a port of an output that the model gave no name. */
dt_status dt_net_goal_port(dt_net *net, const dt_recipe *recipe, dt_error *err) DT_MUST_CHECK;
/* In the graph that stays: which outputs are what parts of the goal, answers of `tasks`, losses,
 * and the loss of the net, behind everything else. NOT_FOUND: a task is for an output that the
 * model has not; ARG: several outputs, and no `tasks`. */
dt_status dt_net_goal_end(dt_net *net, const dt_recipe *recipe, dt_error *err) DT_MUST_CHECK;

/* A value for the answers of a part, with a port. */
dt_status dt_net_add_answer(dt_net *net, const dt_goal_part *p, const char *name, int *out,
                            dt_error *err) DT_MUST_CHECK;
/* The node of its loss. */
dt_status dt_net_add_loss(dt_net *net, const dt_goal_part *p, const char *name, int output,
                          int answers, int *out, dt_error *err) DT_MUST_CHECK;

#endif
