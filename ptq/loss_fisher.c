/* Errors weighted by the diagonal of the Fisher information (Li 2021, arXiv:2102.05426, eq. 10):
 *
 *   mean over positions of the sum over channels of f |y - t|^power, f = g^2 / mean of all g^2,
 *
 * g the gradient of each picture's KL divergence of the outputs by y, with the net quantized up to
 * the unit and the rest of it float, before anything of the unit is moved. f has the mean 1 so that
 * rates and the regularizer mean what they do without it (the paper's weights have no scale). */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ptq/recon.h"
#include "ptq/tail.h"

typedef struct state {
    real *weight; /* [count, features] */
    real *batch;  /* [batch, features] */
} state;

/* The squared gradients of all pictures, in the place of the outputs. */
static void square_slopes(const dt_ptq_recon *r, dt_ptq_tail *t, real *y)
{
    const int64_t count = r->q->p->count;
    for (int64_t first = 0; first < count; first += r->batch) {
        const int64_t left = count - first, n = left < r->batch ? left : r->batch;
        for (int64_t i = 0; i < n; i++)
            r->picture[i] = first + i;
        dt_ptq_tail_kl(t, n, r->picture, y + first * t->n);
        const real *g = dt_ptq_tail_slope(t);
        for (int64_t i = 0; i < n * t->n; i++)
            y[first * t->n + i] = g ? g[i] * g[i] : 0;
    }
}

/* All get the mean 1; where nothing depends on the unit every weight is 1. */
static void scale(int64_t n, real *weight)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)weight[i];
    for (int64_t i = 0; i < n; i++)
        weight[i] = sum > 0 ? (real)((double)weight[i] * ((double)n / sum)) : 1;
}

static dt_status open(dt_ptq_compared *c, dt_error *err)
{
    state *s = c->state;
    dt_ptq_recon *r = c->r;
    dt_ptq_tail t;
    const dt_ptq_pass pass = { .from = r->unit->in,
                               .data = r->quant,
                               .want = &r->unit->out,
                               .want_count = 1,
                               .to = &s->weight };
    const int64_t n = dt_ptq_features(r->q, r->unit->out);
    DT_TRY(dt_ptq_get(r->q, r->unit->out, &s->weight, err));
    DT_TRY(dt_ptq_collect(r->q, &pass, err));
    s->batch = dt_ptq_memory(r, sizeof *s->batch * (size_t)(r->batch * n));
    if (!s->batch) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a unit");
    DT_TRY(dt_ptq_tail_open(&t, r->q, r->unit, r->batch, 1, err));
    square_slopes(r, &t, s->weight);
    dt_ptq_tail_close(&t);
    scale(r->q->p->count * n, s->weight);
    return DT_OK;
}

static double measure(dt_ptq_compared *c, const dt_ptq_outputs *o, real *dy)
{
    const state *s = c->state;
    const dt_ptq_recon *r = c->r;
    const int64_t C = dt_ptq_channels(r), n = dt_ptq_features(r->q, r->unit->out);
    for (int64_t i = 0; i < o->pictures; i++)
        memcpy(s->batch + i * n, s->weight + o->picture[i] * n, sizeof(real) * (size_t)n);
    return dt_ptq_pnorm(r->q->p->threads, o->pictures * n / C, C, o->y, o->t, s->batch,
                        r->conf->power, dy);
}

static void close(dt_ptq_compared *c)
{
    state *s = c->state;
    dt_ptq_put(c->r->q, s->weight);
}

const dt_ptq_loss dt_ptq_loss_fisher = {
    .row = { .name = "fisher",
             .help = "errors times the squared gradient of the outputs' divergence (Li 2021, "
                     "arXiv:2102.05426)" },
    .state_size = sizeof(state),
    .open = open,
    .close = close,
    .measure = measure,
};
