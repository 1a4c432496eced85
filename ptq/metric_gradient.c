/* AutoQuantize's score (NVIDIA Model Optimizer, algorithms.py): the mean over pictures of
 *
 *   sum over outputs of a layer of (g dy)^2,
 *
 * g the gradient of the float net's loss there and dy what the quantized weight changes of them.
 * The loss is the cross entropy with labels drawn from the net's own softmax, so that pictures
 * without labels will do; what the authors take is the task's. Layers' input is that of the float
 * net. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ptq/metric.h"

typedef struct job {
    dt_ptq_sense *s;
    dt_ptq_slope g;
    int *x, *y;            /* by layer: of the float net's graph */
    int *keep;             /* both, one after the other */
    real *first, *changed; /* [batch, outputs] of a layer */
    dt_ptq_params batch;   /* of passes over one batch */
} job;

/* What the layer makes of its input, with the weight as it is. */
static dt_status outputs(job *j, int i, real *to, dt_error *err)
{
    dt_ptq q = *j->s->q;
    const dt_node *product = j->s->product[i];
    const int x = product->in[product->op->product->x], y = product->out[0];
    q.p = &j->batch;
    return dt_ptq_collect(&q,
                          &(dt_ptq_pass){ .plain = true,
                                          .from = x,
                                          .data = dt_exec_value(&j->g.exec, j->x[i]),
                                          .want = &y,
                                          .want_count = 1,
                                          .to = &to },
                          err);
}

static double score(const job *j, int i)
{
    const real *g = dt_exec_gradient(&j->g.exec, j->y[i]);
    const int64_t n = j->g.batch * dt_ptq_features(j->s->q, j->s->product[i]->out[0]);
    double sum = 0;
    for (int64_t e = 0; g && e < n; e++) {
        double d = (double)g[e] * ((double)j->changed[e] - (double)j->first[e]);
        sum += d * d;
    }
    return sum;
}

static dt_status add_layer(job *j, int i, int64_t pictures, dt_error *err)
{
    dt_ptq_sense *s = j->s;
    real *w = s->q->p->state->data[s->weight[i].value];
    const size_t bytes = sizeof *w * (size_t)s->weight[i].count;
    dt_status st = outputs(j, i, j->first, err);
    if (st == DT_OK) st = dt_ptq_sense_changes(s, i, err);
    if (st != DT_OK) return st;
    memcpy(s->kept, w, bytes);
    for (int k = 0; st == DT_OK && k < s->mixed->widths; k++) {
        for (int64_t e = 0; e < s->weight[i].count; e++)
            w[e] = s->kept[e] + s->change[k][e];
        st = outputs(j, i, j->changed, err);
        if (st == DT_OK) s->mixed->layer[i].damage[k] += score(j, i) / (double)pictures;
    }
    memcpy(w, s->kept, bytes);
    return st;
}

static dt_status run(job *j, dt_error *err)
{
    dt_ptq_sense *s = j->s;
    const int64_t batches = s->q->p->count / j->g.batch;
    s->total = (int)batches * s->mixed->count;
    for (int64_t b = 0; b < batches; b++) {
        DT_TRY(dt_ptq_slope_drawn(&j->g, b, err));
        for (int i = 0; i < s->mixed->count; i++) {
            DT_TRY(dt_ptq_sense_tell(s, s->mixed->layer[i].name, err));
            DT_TRY(add_layer(j, i, batches * j->g.batch, err));
        }
    }
    return DT_OK;
}

/* The layers' inputs and outputs, of all batches one. */
static dt_status get_room(job *j, dt_error *err)
{
    dt_ptq_sense *s = j->s;
    const size_t n = (size_t)s->mixed->count;
    int64_t most = 1;
    j->keep = dt_arena_get(s->q->arena, 2 * n * sizeof *j->keep);
    if (!j->keep) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    for (size_t i = 0; i < n; i++) {
        const dt_node *product = s->product[i];
        int64_t outs = dt_ptq_features(s->q, product->out[0]);
        j->keep[i] = product->in[product->op->product->x];
        j->keep[n + i] = product->out[0];
        most = outs > most ? outs : most;
    }
    j->x = j->keep;
    j->y = j->keep + n;
    j->batch = *s->q->p;
    if (j->batch.batch < j->batch.count) j->batch.count = j->batch.batch;
    j->first = dt_arena_get(s->q->arena, sizeof *j->first * (size_t)(most * j->batch.count));
    j->changed = dt_arena_get(s->q->arena, sizeof *j->first * (size_t)(most * j->batch.count));
    return j->first && j->changed ? DT_OK : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
}

static dt_status fill(dt_ptq_sense *s, dt_error *err)
{
    job j = { .s = s };
    DT_TRY(get_room(&j, err));
    DT_TRY(dt_ptq_slope_open(&j.g, s, j.keep, 2 * s->mixed->count, err));
    dt_status st = run(&j, err);
    dt_ptq_slope_close(&j.g);
    return st;
}

const dt_ptq_metric dt_ptq_metric_gradient = {
    .row = { .name = "gradient",
             .help = "squared gradients of outputs times what they change (AutoQuantize)" },
    .fill = fill,
};
