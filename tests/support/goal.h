/* Goals for tests without a recipe. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SUPPORT_GOAL_H
#define TESTS_SUPPORT_GOAL_H

#include "tasks/task.h"

/* A task with its own loss, without options. */
static inline dt_goal goal_of(const char *task, int64_t K)
{
    const dt_net_task *t = (const dt_net_task *)(const void *)dt_table_find(&dt_tasks, task);
    return (dt_goal){
        .part = { { .output = t->output,
                    .task = t,
                    .loss = (const dt_loss *)(const void *)dt_table_find(&dt_losses, t->loss),
                    .K = K,
                    .weight = 1 } },
        .trained = 1,
        .count = 1,
        .K = K
    };
}

#endif
