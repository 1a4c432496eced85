/* KL divergence of the softmax from the float net's, with this weight quantized and nothing else: a
 * pass over the pictures for every layer and width, from the last border before the layer on. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/mathx.h"
#include "ptq/metric.h"

typedef struct job {
    dt_ptq_sense *s;
    int64_t K;
    real *truth, *logits; /* [count, K] */
    real *at;             /* [count, features] of the border; NULL: the pictures */
    int border;
} job;

static double mean_kl(const job *j)
{
    double sum = 0;
    double p[1024], q[1024];
    for (int64_t i = 0; i < j->s->q->p->count; i++) {
        dt_ptq_softmax(j->K, j->truth + i * j->K, p);
        dt_ptq_softmax(j->K, j->logits + i * j->K, q);
        for (int64_t k = 0; k < j->K; k++)
            if (p[k] > 0) sum += p[k] * (dt_log(p[k]) - dt_log(q[k] > 1e-300 ? q[k] : 1e-300));
    }
    return sum / (double)j->s->q->p->count;
}

static dt_status read(const job *j, int want, real *to, dt_error *err)
{
    const dt_ptq_pass pass = { .plain = true,
                               .from = j->border,
                               .data = j->at ? j->at : j->s->q->p->pictures,
                               .want = &want,
                               .want_count = 1,
                               .to = &to };
    return dt_ptq_collect(j->s->q, &pass, err);
}

static dt_status advance(job *j, int border, dt_error *err)
{
    real *next;
    if (border == j->border) return DT_OK;
    DT_TRY(dt_ptq_get(j->s->q, border, &next, err));
    dt_status st = read(j, border, next, err);
    if (st != DT_OK) {
        dt_put(j->s->q->p->alloc, next);
        return st;
    }
    dt_put(j->s->q->p->alloc, j->at);
    j->at = next;
    j->border = border;
    return DT_OK;
}

static dt_status fill_layer(job *j, int i, dt_error *err)
{
    dt_ptq_sense *s = j->s;
    const dt_ptq *q = s->q;
    const dt_node *product = s->product[i];
    real *w = q->p->state->data[s->weight[i].value];
    const size_t bytes = sizeof *w * (size_t)s->weight[i].count;
    dt_status st = DT_OK;
    int x = dt_ptq_unquantized(q->g, product->in[product->op->product->x]);
    DT_TRY(advance(j, dt_ptq_border_before(q, q->g->value[x].producer), err));
    DT_TRY(dt_ptq_sense_changes(s, i, err));
    memcpy(s->kept, w, bytes);
    for (int k = 0; st == DT_OK && k < s->mixed->widths; k++) {
        for (int64_t e = 0; e < s->weight[i].count; e++)
            w[e] = s->kept[e] + s->change[k][e];
        st = read(j, q->p->logits, j->logits, err);
        if (st == DT_OK) s->mixed->layer[i].damage[k] = mean_kl(j);
    }
    memcpy(w, s->kept, bytes);
    return st;
}

static dt_status run(job *j, dt_error *err)
{
    dt_ptq_sense *s = j->s;
    DT_TRY(dt_ptq_get(s->q, s->q->p->logits, &j->truth, err));
    DT_TRY(dt_ptq_get(s->q, s->q->p->logits, &j->logits, err));
    DT_TRY(read(j, s->q->p->logits, j->truth, err));
    for (int i = 0; i < s->mixed->count; i++) {
        DT_TRY(dt_ptq_sense_tell(s, s->mixed->layer[i].name, err));
        DT_TRY(fill_layer(j, i, err));
    }
    return DT_OK;
}

static dt_status fill(dt_ptq_sense *s, dt_error *err)
{
    const dt_ptq_params *p = s->q->p;
    job j = { .s = s, .K = dt_ptq_features(s->q, p->logits), .border = p->input };
    if (j.K > 1024)
        return dt_fail(err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = "metric" },
                       "kl: %lld outputs; at most 1024", (long long)j.K);
    s->total = s->mixed->count;
    dt_status st = run(&j, err);
    dt_put(p->alloc, j.truth);
    dt_put(p->alloc, j.logits);
    dt_put(p->alloc, j.at);
    return st;
}

const dt_ptq_metric dt_ptq_metric_kl = {
    .row = { .name = "kl", .help = "KL divergence from the float net with one weight quantized" },
    .fill = fill,
};
