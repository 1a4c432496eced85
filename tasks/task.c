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

const dt_goal_part *dt_goal_labels(const dt_goal *g)
{
    for (int p = 0; p < g->trained; p++)
        if (g->part[p].task->answer == DT_ANSWER_LABEL) return &g->part[p];
    return NULL;
}

size_t dt_goal_part_bytes(const dt_goal_part *p)
{
    return p->task->answer == DT_ANSWER_LABEL ? sizeof(int32_t) : (size_t)p->K * sizeof(float);
}

size_t dt_goal_answer_bytes(const dt_goal *g)
{
    size_t bytes = 0;
    for (int p = 0; p < g->trained; p++)
        bytes += dt_goal_part_bytes(&g->part[p]);
    return bytes;
}

int64_t dt_goal_predicted(const dt_goal *g)
{
    int64_t n = 0;
    for (int p = 0; p < g->trained; p++)
        n += g->part[p].task->predicted(g->part[p].K);
    return n;
}

const dt_metric *dt_goal_metric(const dt_goal *g, int i, const dt_goal_part **out_part)
{
    for (int p = 0; p < g->trained; p++)
        for (const dt_metric *m = g->part[p].task->metric; m->name; m++)
            if (i-- == 0) {
                if (out_part) *out_part = &g->part[p];
                return m;
            }
    return NULL;
}

int dt_goal_first(const dt_goal *g, int part)
{
    int i = 0;
    for (int p = 0; p < part; p++)
        for (const dt_metric *m = g->part[p].task->metric; m->name; m++)
            i++;
    return i;
}

const char *dt_goal_name(const dt_goal *g, const dt_goal_part *p, const char *end, const char *name,
                         char text[DT_GOAL_NAME])
{
    bool alone = g->trained == 1;
    snprintf(text, DT_GOAL_NAME, "%s%s%s", alone ? "" : p->output, alone ? "" : end, name);
    return text;
}

const char *dt_goal_key(const dt_goal *g, int metric, char text[DT_GOAL_NAME])
{
    const dt_goal_part *p;
    const dt_metric *m = dt_goal_metric(g, metric, &p);
    return dt_goal_name(g, p, "_", m->name, text);
}

const char *dt_goal_label(const dt_goal *g, int metric, char text[DT_GOAL_NAME])
{
    const dt_goal_part *p;
    const dt_metric *m = dt_goal_metric(g, metric, &p);
    return dt_goal_name(g, p, " ", m->label, text);
}

double dt_goal_loss(const dt_goal *g, const real *y, const void *answer)
{
    double sum = 0;
    for (int i = 0; i < g->trained; i++) {
        const dt_goal_part *p = &g->part[i];
        double loss = p->loss->of(p->loss_conf, y + p->at,
                                  (const unsigned char *)answer + p->answer_at, p->K);
        sum += p->weight * loss; /* of one: times 1 */
    }
    return sum;
}

void dt_score_add(dt_score *s, const dt_goal *g, const real *y, const void *answers, int64_t n,
                  float *predictions)
{
    const unsigned char *answer = answers;
    size_t size = dt_goal_answer_bytes(g);
    for (int64_t i = 0; i < n; i++, y += g->K, answer += size)
        for (int k = 0; k < g->trained; k++) {
            const dt_goal_part *p = &g->part[k];
            p->task->add(p->conf, y + p->at, answer + p->answer_at, p->K, s->sum[k]);
            if (!predictions) continue;
            p->task->predict(p->conf, y + p->at, p->K, predictions);
            predictions += p->task->predicted(p->K);
        }
    s->count += n;
}

void dt_score_join(dt_score *s, const dt_score *part)
{
    s->count += part->count;
    s->loss += part->loss;
    for (int p = 0; p < DT_GOAL_PARTS; p++)
        for (int i = 0; i < DT_TASK_SUMS; i++)
            s->sum[p][i] += part->sum[p][i];
}

double dt_score_value(const dt_score *s, const dt_goal *g, int metric)
{
    const dt_goal_part *p = &g->part[0];
    const dt_metric *m = dt_goal_metric(g, metric, &p);
    if (!s->count || !m) return 0;
    return p->task->value(s->sum[p - g->part], s->count, p->K, (int)(m - p->task->metric));
}

double dt_score_deciding(const dt_score *s, const dt_goal *g)
{
    return g->decides < 0 ? s->loss : dt_score_value(s, g, dt_goal_first(g, g->decides));
}

const char *dt_metric_print(const dt_metric *m, double value, char text[DT_METRIC_TEXT])
{
    snprintf(text, DT_METRIC_TEXT, "%.*f%s", m->decimals, value, m->unit);
    return text;
}

bool dt_goal_is_better(const dt_goal *g, double value, double best)
{
    if (best < 0) return true;
    return g->decides < 0 || g->part[g->decides].task->lower ? value < best : value > best;
}

bool dt_goal_agrees(const dt_goal *g, const dt_score *a, const dt_score *b)
{
    for (int p = 0; p < g->trained; p++) {
        const dt_net_task *t = g->part[p].task;
        double x = dt_score_value(a, g, dt_goal_first(g, p));
        double y = dt_score_value(b, g, dt_goal_first(g, p));
        double room = t->apart * (t->apart_share ? fmax(fabs(x), fabs(y)) : 1);
        if (!(fabs(x - y) <= room * (1 + 1e-9))) return false; /* 90.3 - 90 is a little more */
    }
    return true;
}
