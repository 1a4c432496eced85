/* What the float net says with some weights changed, from borders on. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ptq/metric.h"

static dt_status read(const dt_ptq_sweep *w, const int *want, int count, real *const *to,
                      dt_error *err)
{
    const dt_ptq_pass pass = { .plain = true,
                               .from = w->border,
                               .data = w->at ? w->at : w->s->q->pictures,
                               .want = want,
                               .want_count = count,
                               .to = to };
    return dt_ptq_collect(w->s->q, &pass, err);
}

static dt_status open(dt_ptq_sweep *w, dt_error *err)
{
    dt_ptq *q = w->s->q;
    const dt_alloc *a = q->p->alloc;
    int64_t most = 1;
    for (int k = 0; k < q->outs; k++) {
        const int64_t K = dt_ptq_features(q, w->value[k] = q->out[k].value);
        DT_TRY(dt_ptq_get(q, w->value[k], &w->truth[k], err));
        DT_TRY(dt_ptq_get(q, w->value[k], &w->after[k], err));
        most = K > most ? K : most;
    }
    w->made = dt_get_array(a, (size_t)w->s->mixed->count, sizeof *w->made, "sensitivity");
    w->room = dt_get_array(a, 2 * (size_t)most, sizeof *w->room, "sensitivity");
    if (!w->made || !w->room) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    DT_TRY(read(w, w->value, q->outs, w->truth, err));
    for (int k = 0; k < q->outs; k++) {
        const int64_t K = dt_ptq_features(q, w->value[k]);
        w->spread[k] = dt_distribution_spread(q->out[k].says, q->p->count, K, K, w->truth[k]);
    }
    return DT_OK;
}

dt_status dt_ptq_sweep_open(dt_ptq_sweep *w, dt_ptq_sense *s, dt_error *err)
{
    *w = (dt_ptq_sweep){ .s = s, .border = s->q->start };
    dt_status st = open(w, err);
    if (st != DT_OK) dt_ptq_sweep_close(w);
    return st;
}

void dt_ptq_sweep_close(dt_ptq_sweep *w)
{
    const dt_alloc *a = w->s->q->p->alloc;
    for (int k = 0; k < w->s->q->outs; k++) {
        dt_ptq_put(w->s->q, w->truth[k]);
        dt_ptq_put(w->s->q, w->after[k]);
    }
    dt_ptq_put(w->s->q, w->at);
    dt_put(a, w->room);
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
    dt_status st = read(w, &border, 1, &next, err);
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
    const dt_ptq *q = w->s->q;
    double all = 0;
    DT_TRY(read(w, w->value, q->outs, w->after, err));
    for (int k = 0; k < q->outs; k++) {
        const int64_t K = dt_ptq_features(q, w->value[k]);
        double sum = 0;
        for (int64_t i = 0; i < q->p->count; i++)
            q->out[k].says->apart(K, w->truth[k] + i * K, w->after[k] + i * K, 1, w->spread[k],
                                  w->room, &sum, NULL);
        all += q->out[k].weight * sum / (double)q->p->count;
    }
    *out = all;
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
