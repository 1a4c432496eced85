/* SignRound (Cheng 2023, arXiv:2309.05516): w' = s clip(rne(w / s + V)), V in [-1/2, 1/2], starts
 * at 0 and moves by lr sign(gradient), the gradient passing through rounding inside the grid. The
 * rate is 1 / iterations and falls to 0 in a line, so V cannot leave its range by much; it is held
 * there.
 *
 * Deviations: ranges are not moved (the authors also shrink them); the last V is kept, not that of
 * the least loss of a batch, and a unit that ends no better than it began is undone as a whole. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "ptq/recon.h"

typedef struct one {
    dt_encode *encode; /* [groups] */
    real *u, *V;       /* w / s, and what is added to it */
} one;

typedef struct state {
    one *of; /* by weight of the unit */
} state;

static dt_status open_one(dt_ptq_recon *r, const dt_ptq_weight *w, one *o, dt_error *err)
{
    const real *x = r->q->p->state->data[w->value];
    o->encode = dt_ptq_memory(r, sizeof *o->encode * (size_t)w->at.groups);
    o->u = dt_ptq_memory(r, sizeof(real) * (size_t)w->count);
    o->V = dt_ptq_memory(r, sizeof(real) * (size_t)w->count);
    if (!o->encode || !o->u || !o->V) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    DT_TRY(dt_ptq_encoders(r->q, w, o->encode, err));
    for (int64_t i = 0; i < w->count; i++) {
        const dt_encode *e = &o->encode[i / w->at.count];
        o->u[i] = (x[i] - e->offset) / e->scale;
    }
    r->wanted[w->value] = true;
    return DT_OK;
}

static dt_status open(dt_ptq_moving *m, dt_error *err)
{
    dt_ptq_recon *r = m->r;
    state *s = m->state;
    s->of = dt_ptq_memory(r, sizeof *s->of * (size_t)r->weight_count);
    if (!s->of) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    for (int i = 0; i < r->weight_count; i++)
        DT_TRY(open_one(r, &r->weight[i], &s->of[i], err));
    return DT_OK;
}

static void place(dt_ptq_moving *m)
{
    state *s = m->state;
    for (int k = 0; k < m->r->weight_count; k++) {
        const dt_ptq_weight *w = &m->r->weight[k];
        const one *o = &s->of[k];
        real *x = m->r->q->p->state->data[w->value];
        for (int64_t i = 0; i < w->count; i++) {
            const dt_encode *e = &o->encode[i / w->at.count];
            real q = (real)rint(o->u[i] + o->V[i]);
            q = q < e->qmin ? e->qmin : q > e->qmax ? e->qmax : q;
            x[i] = q * e->scale + e->offset;
        }
    }
}

static void step(dt_ptq_moving *m)
{
    state *s = m->state;
    const real rate = (real)((1 - m->r->progress) / m->r->conf->iterations), half = (real)0.5;
    for (int k = 0; k < m->r->weight_count; k++) {
        const dt_ptq_weight *w = &m->r->weight[k];
        const one *o = &s->of[k];
        const real *g = m->r->q->p->state->grad[w->value];
        for (int64_t i = 0; g && i < w->count; i++) {
            const dt_encode *e = &o->encode[i / w->at.count];
            real u = o->u[i] + o->V[i];
            if (g[i] == 0 || u < e->qmin || u > e->qmax) continue;
            real V = o->V[i] - (g[i] > 0 ? rate : -rate);
            o->V[i] = V > half ? half : V < -half ? -half : V;
        }
    }
}

static void finish(dt_ptq_moving *m, dt_ptq_result *out)
{
    (void)out;
    place(m);
}

const dt_ptq_variable dt_ptq_var_shift = {
    .row = { .name = "shift",
             .help = "what is added before rounding (SignRound, arXiv:2309.05516)" },
    .weights = true,
    .state_size = sizeof(state),
    .open = open,
    .place = place,
    .step = step,
    .finish = finish,
};
