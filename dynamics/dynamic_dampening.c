/* Oscillation dampening (Nagel 2022, arXiv:2203.11086, section 4.1, and the authors' code 9064d85):
 * the loss gets lambda(t) R with, over the weights of a layer,
 *
 *   R = 1/M sum (y - clip(w))^2,   dR/dw = 2 (w - y) / M inside the range, 0 where w is clipped,
 *
 * y = Q(w) a constant, M the elements of an output channel (its filter's), so that R is a sum over
 * channels of means. lambda is 0 for the first quarter of all steps, then a cosine to its end. The
 * scale gets no gradient. With a quantizer that transforms weights, or with a batch norm folded
 * into them, w is what is rounded, and the gradient goes back through the transform and the norm's
 * factors, which are constants as the scale is. Weights that `freezing` holds are left alone. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "dynamics/dynamics.h"

typedef struct conf {
    double lambda, lambda_start, begin;
} conf;

static const dt_opt opts[] = {
    DT_OPT_FLOAT(conf, lambda, 0.1, 0, 1e6, "factor of the penalty at the end"),
    DT_OPT_FLOAT(conf, lambda_start, 0, 0, 1e6, "factor when it begins"),
    DT_OPT_FLOAT(conf, begin, 0.25, 0, 1, "share of all steps before it begins"),
    DT_OPT_END,
};

typedef struct state {
    real *gradient,
        *back; /* [elements of all sites]; NULL: every site rounds the weights as they are */
} state;

static dt_status open(dt_dynamics_part *p, dt_error *err)
{
    dt_dynamics *d = p->all;
    state *s = p->state;
    size_t bytes = sizeof(real) * (size_t)d->weights.elements;
    if (d->weights.count == 0)
        return dt_fail(err, DT_ERR_NOT_FOUND, NULL, "no quantized weights are in this net");
    if (!d->weights.transformed && !d->weights.folded) return DT_OK;
    s->gradient = dt_dynamics_memory(d, bytes);
    s->back = dt_dynamics_memory(d, bytes);
    return s->gradient && s->back ? DT_OK : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
}

static bool is_indirect(const dt_weight_site *s)
{
    return s->fold || dt_quant_transforms(s->conf->quantizer, &s->site);
}

typedef struct call {
    const dt_dynamics *d;
    state *s;
    double factor; /* 2 lambda */
} call;

static void dampen_piece(void *arg, int64_t index, const dt_weight_site *s,
                         const dt_weight_piece *p, const real *x, const dt_encode *e)
{
    (void)index;
    const call *k = arg;
    const dt_shape *shape = &k->d->graph->value[s->value].shape;
    real factor = (real)(k->factor * (double)shape->dim[0] / (double)s->count);
    real *g = k->d->state->grad[s->value];
    if (!g) return;
    if (is_indirect(s)) {
        g = k->s->gradient + s->at;
        memset(g + p->begin, 0, (size_t)p->n * sizeof *g);
    }
    g += p->begin;
    if (!s->held) {
        k->d->kernels->weight.dampen(p->n, x, e, factor, g);
        return;
    }
    real pull[DT_POINT_BLOCK] = { 0 };
    k->d->kernels->weight.dampen(p->n, x, e, factor, pull);
    for (int64_t i = 0; i < p->n; i++)
        g[i] += s->held[p->begin + i] < DT_NOT_HELD ? 0 : pull[i];
}

/* From the gradient of what is rounded to that of the weights. */
static void back(dt_dynamics *d, const state *s, const dt_weight_site *site)
{
    const dt_quantizer *q = site->conf->quantizer;
    const real *stats = d->weights.stats + site->first_group * DT_QUANT_MAX_STATS;
    real *g = d->state->grad[site->value], *from = s->gradient + site->at;
    if (!site->active || !g || !is_indirect(site)) return;
    if (dt_quant_transforms(q, &site->site)) {
        q->transform_back(site->conf->options, &site->site, dt_weights_read(&d->weights, site),
                          d->weights.transformed + site->at, stats, from, s->back + site->at);
        from = s->back + site->at;
    }
    for (int64_t i = 0; site->fold && i < site->count; i++)
        from[i] = (real)((double)from[i] * dt_weight_factor(site, i));
    d->kernels->point.add(d->threads, site->count, g, from, g);
}

static void gradient(dt_dynamics_part *p)
{
    const conf *c = p->conf;
    dt_dynamics *d = p->all;
    call k = { d, p->state, 0 };
    if (!dt_dynamics_ramp(d, c->begin, c->lambda_start, c->lambda, &k.factor) || k.factor == 0)
        return;
    k.factor *= 2;
    dt_weights_each(&d->weights, dampen_piece, &k);
    for (int i = 0; i < d->weights.count && ((state *)p->state)->gradient; i++)
        back(d, p->state, &d->weights.site[i]);
}

const dt_dynamics_row dt_dynamics_dampening = {
    .row = { "dampening", "pulls weights to their grid (Nagel 2022, arXiv:2203.11086, section 4.1)",
             opts, sizeof(conf) },
    .state_size = sizeof(state),
    .open = open,
    .gradient = gradient,
};
