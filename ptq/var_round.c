/* Soft rounding (AdaRound, Nagel 2020, arXiv:2004.10568, eq. 21 to 24, in the form of the BRECQ and
 * QDrop code): with u = w / s, B = floor(u),
 *
 *   w' = s clip(B + h(V)),  h(V) = clip(1.2 sigmoid(V) - 0.1, 0, 1),  h = u - B at the start
 *
 * and regulariser lambda sum(1 - |2h - 1|^beta), off for the first `warmup` of the iterations, then
 * with beta from beta_start to beta_end in a line. At the end code = B + [V >= 0].
 *
 * An element outside of the grid has no gradient and stays. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "core/mathx.h"
#include "core/thread.h"
#include "ptq/recon.h"
#include "ptq/soft.h"

enum { CHUNK = 2048 };

typedef struct one {
    dt_encode *encode; /* [groups] */
    real *base, *V, *h, *grad;
    dt_ptq_trained trained;
} one;

typedef struct state {
    dt_ptq_trainer trainer;
    one *of; /* by weight of the unit */
} state;

double dt_ptq_soft(double V)
{
    double h = 1.2 / (1 + dt_exp(-V)) - 0.1;
    return h < 0 ? 0 : h > 1 ? 1 : h;
}

/* From h(V), which tells the sigmoid inside of the clip. On its rim, where weights that are on the
 * grid start, the gradient passes, or nothing would ever move them. */
double dt_ptq_soft_slope(double V, double h)
{
    static const double rim = 2.39789527 + 1e-4; /* ln 11 */
    double p = (h + 0.1) / 1.2;
    return V < -rim || V > rim ? 0 : 1.2 * p * (1 - p);
}

double dt_ptq_soft_start(double rest)
{
    return -dt_log(1.2 / (rest + 0.1) - 1);
}

double dt_ptq_soft_beta(double progress, double warmup, double from, double to)
{
    if (progress < warmup) return from;
    double left = (1 - progress) / (1 - warmup);
    return to + (from - to) * (left > 0 ? left : 0);
}

double dt_ptq_soft_pull(double h, double beta)
{
    double d = 2 * h - 1, size = fabs(d);
    if (size == 0) return 0;
    return -2 * beta * copysign(dt_exp((beta - 1) * dt_log(size)), d);
}

static dt_status open_one(dt_ptq_moving *m, const dt_ptq_weight *w, one *o, dt_error *err)
{
    dt_ptq_recon *r = m->r;
    const state *s = m->state;
    size_t n = (size_t)w->count;
    const real *x = r->q->p->state->data[w->value];
    o->encode = dt_ptq_memory(r, sizeof *o->encode * (size_t)w->at.groups);
    o->base = dt_ptq_memory(r, n * sizeof(real));
    o->V = dt_ptq_memory(r, n * sizeof(real));
    o->h = dt_ptq_memory(r, n * sizeof(real));
    o->grad = dt_ptq_memory(r, n * sizeof(real));
    if (!o->encode || !o->base || !o->V || !o->h || !o->grad)
        return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    DT_TRY(dt_ptq_encoders(r->q, w, o->encode, err));
    for (int64_t i = 0; i < w->count; i++) {
        const dt_encode *e = &o->encode[i / w->at.count];
        double u = ((double)x[i] - (double)e->offset) / (double)e->scale;
        o->base[i] = (real)floor(u);
        o->V[i] = (real)dt_ptq_soft_start(u - floor(u));
    }
    r->wanted[w->value] = true;
    return dt_ptq_trained_init(r, &s->trainer, o->V, o->grad, n, &o->trained, err);
}

static dt_status open(dt_ptq_moving *m, dt_error *err)
{
    dt_ptq_recon *r = m->r;
    state *s = m->state;
    DT_TRY(dt_ptq_trainer_init(r, r->conf->optimizer, &s->trainer, err));
    s->of = dt_ptq_memory(r, sizeof *s->of * (size_t)r->weight_count);
    if (!s->of) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    for (int i = 0; i < r->weight_count; i++)
        DT_TRY(open_one(m, &r->weight[i], &s->of[i], err));
    return DT_OK;
}

/* One weight on threads, cut by elements. */
typedef struct call {
    const dt_ptq_moving *m;
    const dt_ptq_weight *w;
    one *o;
    real *x;
    const real *g;
    double beta, pull; /* pull: 0 while the regulariser is off */
} call;

static void place_task(void *arg, int64_t task, int thread)
{
    (void)thread;
    const call *c = arg;
    int64_t end = (task + 1) * CHUNK < c->w->count ? (task + 1) * CHUNK : c->w->count;
    for (int64_t i = task * CHUNK; i < end; i++) {
        const dt_encode *e = &c->o->encode[i / c->w->at.count];
        real h = (real)dt_ptq_soft((double)c->o->V[i]), q = c->o->base[i] + h;
        q = q < e->qmin ? e->qmin : q > e->qmax ? e->qmax : q;
        c->o->h[i] = h;
        c->x[i] = q * e->scale + e->offset;
    }
}

static void grad_task(void *arg, int64_t task, int thread)
{
    (void)thread;
    const call *c = arg;
    int64_t end = (task + 1) * CHUNK < c->w->count ? (task + 1) * CHUNK : c->w->count;
    for (int64_t i = task * CHUNK; i < end; i++) {
        const dt_encode *e = &c->o->encode[i / c->w->at.count];
        const double h = (double)c->o->h[i], q = (double)c->o->base[i] + h;
        double slope = dt_ptq_soft_slope((double)c->o->V[i], h), g = 0;
        if (q >= (double)e->qmin && q <= (double)e->qmax) g = (double)c->g[i] * (double)e->scale;
        if (c->pull > 0 && h > 0 && h < 1) g += c->pull * dt_ptq_soft_pull(h, c->beta);
        c->o->grad[i] = (real)(g * slope);
    }
}

static void each(dt_ptq_moving *m, dt_task task, double beta, double pull)
{
    const dt_ptq_params *p = m->r->q->p;
    state *s = m->state;
    for (int i = 0; i < m->r->weight_count; i++) {
        const dt_ptq_weight *w = &m->r->weight[i];
        call c = {
            m, w, &s->of[i], p->state->data[w->value], p->state->grad[w->value], beta, pull
        };
        if (task == grad_task && !c.g) continue;
        dt_parallel(p->threads, (w->count + CHUNK - 1) / CHUNK, task, &c);
    }
}

static void place(dt_ptq_moving *m)
{
    each(m, place_task, 0, 0);
}

static void step(dt_ptq_moving *m)
{
    const dt_ptq_recon_conf *c = m->r->conf;
    state *s = m->state;
    double beta = dt_ptq_soft_beta(m->r->progress, c->warmup, c->beta_start, c->beta_end);
    each(m, grad_task, beta, m->r->progress < c->warmup ? 0 : c->regularize);
    for (int i = 0; i < m->r->weight_count; i++)
        dt_ptq_train(m->r, &s->trainer, &s->of[i].trained, c->lr);
}

static void finish(dt_ptq_moving *m, dt_ptq_result *out)
{
    state *s = m->state;
    int64_t between = 0, all = 0;
    for (int k = 0; k < m->r->weight_count; k++) {
        const dt_ptq_weight *w = &m->r->weight[k];
        const one *o = &s->of[k];
        real *x = m->r->q->p->state->data[w->value];
        for (int64_t i = 0; i < w->count; i++) {
            const dt_encode *e = &o->encode[i / w->at.count];
            real q = o->base[i] + (o->V[i] >= 0 ? 1 : 0);
            between += o->h[i] > 0 && o->h[i] < 1;
            q = q < e->qmin ? e->qmin : q > e->qmax ? e->qmax : q;
            x[i] = q * e->scale + e->offset;
        }
        all += w->count;
    }
    out->undecided = all ? (double)between / (double)all : 0;
}

const dt_ptq_variable dt_ptq_var_round = {
    .row = { .name = "round", .help = "up or down of every weight (AdaRound, arXiv:2004.10568)" },
    .weights = true,
    .state_size = sizeof(state),
    .open = open,
    .place = place,
    .step = step,
    .finish = finish,
};
