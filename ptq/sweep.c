/* The float net's softmax with some weights changed, from borders on. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/mathx.h"
#include "ptq/metric.h"

enum { OUTPUTS = 1024 };

static dt_status read(const dt_ptq_sweep *w, int want, real *to, dt_error *err)
{
    const dt_ptq_pass pass = { .plain = true,
                               .from = w->border,
                               .data = w->at ? w->at : w->s->q->pictures,
                               .want = &want,
                               .want_count = 1,
                               .to = &to };
    return dt_ptq_collect(w->s->q, &pass, err);
}

dt_status dt_ptq_sweep_open(dt_ptq_sweep *w, dt_ptq_sense *s, dt_error *err)
{
    const dt_ptq_params *p = s->q->p;
    *w = (dt_ptq_sweep){ .s = s, .K = dt_ptq_features(s->q, p->logits), .border = p->input };
    if (w->K > OUTPUTS)
        return dt_fail(err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = "metric" },
                       "%s: %lld outputs; at most %d", s->params->metric, (long long)w->K, OUTPUTS);
    w->made = dt_get_array(p->alloc, (size_t)s->mixed->count, sizeof *w->made, "sensitivity");
    if (!w->made) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    dt_status st = dt_ptq_get(s->q, p->logits, &w->truth, err);
    if (st == DT_OK) st = dt_ptq_get(s->q, p->logits, &w->logits, err);
    if (st == DT_OK) st = read(w, p->logits, w->truth, err);
    if (st != DT_OK) dt_ptq_sweep_close(w);
    return st;
}

void dt_ptq_sweep_close(dt_ptq_sweep *w)
{
    const dt_alloc *a = w->s->q->p->alloc;
    dt_ptq_put(w->s->q, w->truth);
    dt_ptq_put(w->s->q, w->logits);
    dt_ptq_put(w->s->q, w->at);
    for (int i = 0; w->made && i < w->s->mixed->count; i++)
        dt_put(a, w->made[i]);
    dt_put(a, w->made);
}

dt_status dt_ptq_sweep_to(dt_ptq_sweep *w, int layer, dt_error *err)
{
    const dt_ptq *q = w->s->q;
    const dt_node *product = w->s->product[layer];
    int x = dt_ptq_unquantized(q->g, product->in[product->op->product->x]);
    int border = dt_ptq_border_before(q, q->g->value[x].producer);
    real *next;
    if (border == w->border) return DT_OK;
    DT_TRY(dt_ptq_get(q, border, &next, err));
    dt_status st = read(w, border, next, err);
    if (st != DT_OK) {
        dt_ptq_put(q, next);
        return st;
    }
    dt_ptq_put(q, w->at);
    w->at = next;
    w->border = border;
    return DT_OK;
}

dt_status dt_ptq_sweep_kl(dt_ptq_sweep *w, double *out, dt_error *err)
{
    const int64_t count = w->s->q->p->count, K = w->K;
    double p[OUTPUTS], q[OUTPUTS], sum = 0;
    DT_TRY(read(w, w->s->q->p->logits, w->logits, err));
    for (int64_t i = 0; i < count; i++) {
        dt_ptq_softmax(K, w->truth + i * K, p);
        dt_ptq_softmax(K, w->logits + i * K, q);
        for (int64_t k = 0; k < K; k++)
            if (p[k] > 0) sum += p[k] * (dt_log(p[k]) - dt_log(q[k] > 1e-300 ? q[k] : 1e-300));
    }
    *out = sum / (double)count;
    return DT_OK;
}

/* The weight, and behind it what every width makes of it; made once. */
static dt_status make_weights(dt_ptq_sweep *w, int layer, const real **out, dt_error *err)
{
    dt_ptq_sense *s = w->s;
    const size_t n = (size_t)s->weight[layer].count;
    const real *now = s->q->p->state->data[s->weight[layer].value];
    real *all = w->made[layer];
    *out = all;
    if (all) return DT_OK;
    all = dt_get_array(s->q->p->alloc, n * (size_t)(s->mixed->widths + 1), sizeof *all,
                       "sensitivity");
    if (!all) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for weights at all widths");
    *out = w->made[layer] = all;
    DT_TRY(dt_ptq_sense_changes(s, layer, err));
    memcpy(all, now, n * sizeof *all);
    for (int k = 0; k < s->mixed->widths; k++)
        for (size_t e = 0; e < n; e++)
            all[(size_t)(k + 1) * n + e] = now[e] + s->change[k][e];
    return DT_OK;
}

dt_status dt_ptq_sweep_layer(dt_ptq_sweep *w, int layer,
                             dt_status (*each)(void *arg, int width, double kl, dt_error *err),
                             void *arg, dt_error *err)
{
    dt_ptq_sense *s = w->s;
    real *weight = s->q->p->state->data[s->weight[layer].value];
    const size_t n = (size_t)s->weight[layer].count;
    const real *all;
    dt_status st = make_weights(w, layer, &all, err);
    for (int k = 0; st == DT_OK && k < s->mixed->widths; k++) {
        double kl;
        memcpy(weight, all + (size_t)(k + 1) * n, n * sizeof *weight);
        st = dt_ptq_sweep_kl(w, &kl, err);
        if (st == DT_OK) st = each(arg, k, kl, err);
        memcpy(weight, all, n * sizeof *weight);
    }
    return st;
}
