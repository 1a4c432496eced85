/* The table of tasks, and scores. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tasks/task.h"

#include <math.h>
#include <stdio.h>

#define DT_TASK(name) extern const dt_net_task dt_task_##name;
#include "tasks/tasks.def"
#undef DT_TASK

static const dt_row *const rows[] = {
#define DT_TASK(name) &dt_task_##name.row,
#include "tasks/tasks.def"
#undef DT_TASK
    NULL,
};

const dt_table dt_tasks = { "task", rows };

size_t dt_goal_answer_bytes(const dt_goal *g)
{
    return g->task->answer == DT_ANSWER_LABEL ? sizeof(int32_t) : (size_t)g->K * sizeof(float);
}

void dt_score_add(dt_score *s, const dt_goal *g, const real *y, const void *answers, int64_t n,
                  float *predictions)
{
    const unsigned char *answer = answers;
    size_t size = dt_goal_answer_bytes(g);
    int64_t each = g->task->predicted(g->K);
    for (int64_t i = 0; i < n; i++) {
        g->task->add(g->conf, y + i * g->K, answer + (size_t)i * size, g->K, s->sum);
        if (predictions) g->task->predict(g->conf, y + i * g->K, g->K, predictions + i * each);
    }
    s->count += n;
}

void dt_score_join(dt_score *s, const dt_score *part)
{
    s->count += part->count;
    s->loss += part->loss;
    for (int i = 0; i < DT_TASK_SUMS; i++)
        s->sum[i] += part->sum[i];
}

double dt_score_value(const dt_score *s, const dt_goal *g, int metric)
{
    return s->count ? g->task->value(s->sum, s->count, g->K, metric) : 0;
}

const char *dt_metric_print(const dt_metric *m, double value, char text[DT_METRIC_TEXT])
{
    snprintf(text, DT_METRIC_TEXT, "%.*f%s", m->decimals, value, m->unit);
    return text;
}

bool dt_goal_is_better(const dt_goal *g, double value, double best)
{
    if (best < 0) return true;
    return g->task->lower ? value < best : value > best;
}

bool dt_goal_agrees(const dt_goal *g, const dt_score *a, const dt_score *b)
{
    double x = dt_score_value(a, g, 0), y = dt_score_value(b, g, 0);
    double room = g->task->apart * (g->task->apart_share ? fmax(fabs(x), fabs(y)) : 1);
    return fabs(x - y) <= room * (1 + 1e-9); /* 90.3 - 90 is a little more than 0.3 */
}
