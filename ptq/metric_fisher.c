/* Empirical Fisher information of every weight times its squared change: sum over weights of
 * E[g^2] d^2. Labels are drawn from the float net's own softmax, so that gradients of pictures of a
 * batch are independent with mean 0, and the square of their sum is Fisher's. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "ptq/metric.h"

typedef struct job {
    dt_ptq_sense *s;
    dt_ptq_slope g;
    double **square; /* by layer: of gradients */
} job;

static dt_status run(job *j, dt_error *err)
{
    dt_ptq_sense *s = j->s;
    const int64_t batches = s->q->p->count / j->g.batch;
    s->total = (int)batches;
    j->square = dt_arena_get(s->q->arena, sizeof *j->square * (size_t)s->mixed->count);
    if (!j->square) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    for (int i = 0; i < s->mixed->count; i++) {
        j->square[i] = dt_arena_get(s->q->arena, sizeof(double) * (size_t)s->weight[i].count);
        if (!j->square[i]) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    }
    for (int64_t b = 0; b < batches; b++) {
        DT_TRY(dt_ptq_sense_tell(s, "gradients", err));
        DT_TRY(dt_ptq_slope_drawn(&j->g, b, err));
        for (int i = 0; i < s->mixed->count; i++) {
            const real *g = s->q->p->state->grad[s->weight[i].value];
            for (int64_t k = 0; g && k < s->weight[i].count; k++)
                j->square[i][k] += (double)g[k] * (double)g[k] / (double)(batches * j->g.batch);
        }
    }
    for (int i = 0; i < s->mixed->count; i++) {
        DT_TRY(dt_ptq_sense_changes(s, i, err));
        for (int k = 0; k < s->mixed->widths; k++)
            for (int64_t e = 0; e < s->weight[i].count; e++)
                s->mixed->layer[i].damage[k] +=
                    j->square[i][e] * (double)s->change[k][e] * (double)s->change[k][e];
    }
    return DT_OK;
}

static dt_status fill(dt_ptq_sense *s, dt_error *err)
{
    job j = { .s = s };
    DT_TRY(dt_ptq_slope_open(&j.g, s, NULL, 0, err));
    dt_status st = run(&j, err);
    dt_ptq_slope_close(&j.g);
    return st;
}

const dt_ptq_metric dt_ptq_metric_fisher = {
    .row = { .name = "fisher", .help = "squared gradients times squared changes" },
    .fill = fill,
};
