/* Iterative weight freezing (Nagel 2022, arXiv:2203.11086, section 4.2, algorithm 1, and the
 * authors' code 9064d85). A weight whose frequency of reversals is above f(t) is frozen for good at
 * the code k = rne(mean of its codes), a running mean that is read before the step's code joins it;
 * `momentum` is its own, in the paper it is the tracker's. f is off for the first quarter of all
 * steps, then a cosine from `start` to `end`.
 *
 * From then on y = s k with k constant: the weight gets no gradient, and dy/ds is k, not k - w/s
 * (`scale: none` leaves the frozen weights out of the scale's gradient). The latent weight is put
 * back to a value inside the cell of k after every update, so decay, momentum and a changed scale
 * do not move the code, and whoever reads the weights alone finds the frozen codes.
 *
 * With a batch norm folded into the weights, all of this holds for weights times its factors: the
 * latent weight is put where its product is inside the cell, and the factors get no gradient from
 * a frozen weight's rounding either.
 *
 * For quantizers that round x / s to even steps without a transform. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>

#include "autograd/op_fold_norm.h"
#include "dynamics/oscillation.h"

enum { SCALE_CODE, SCALE_NONE };

typedef struct conf {
    double start, end, begin, momentum;
    int scale;
} conf;

static const dt_opt opts[] = {
    DT_OPT_FLOAT(conf, start, 0.1, 0, 1, "frequency of reversals that freezes when it begins"),
    DT_OPT_FLOAT(conf, end, 0.01, 0, 1, "the same at the last step"),
    DT_OPT_FLOAT(conf, begin, 0.25, 0, 1, "share of all steps before it begins"),
    DT_OPT_FLOAT(conf, momentum, 0.001, 1e-6, 1, "weight of a step in the mean code"),
    DT_OPT_ENUM(conf, scale, SCALE_CODE, "code|none",
                "what frozen weights give to the scale's gradient: their code, or nothing"),
    DT_OPT_END,
};

typedef struct state {
    real **mean, **held; /* by site, NULL: not tracked */
    double *sums;        /* by piece: for the scale's gradient */
    int64_t *fresh;      /* by piece: weights frozen in this step */
    int64_t frozen, tracked;
    bool counted; /* `frozen` is right */
} state;

static dt_status check_site(const dt_weight_site *s, dt_error *err)
{
    const dt_quantizer *q = s->conf->quantizer;
    if (!q->uniform || !q->uniform(s->conf->options, &s->site))
        return dt_fail(err, DT_ERR_UNSUPPORTED, NULL,
                       "'%s' of %s has no even steps that codes could be held on; 'lsq' has",
                       q->row.name, s->name);
    if (s->conf->ste.kind == DT_STE_STOCHASTIC)
        return dt_fail(err, DT_ERR_UNSUPPORTED, NULL,
                       "ste stochastic of %s rounds at random; no code can be held", s->name);
    if (s->conf->ste.kind == DT_STE_TANH || s->conf->ste.kind == DT_STE_SIGMOID)
        return dt_fail(err, DT_ERR_UNSUPPORTED, NULL,
                       "ste tanh and sigmoid of %s hide the gradient of a held code", s->name);
    return DT_OK;
}

static dt_status open(dt_dynamics_part *p, dt_error *err)
{
    dt_dynamics *d = p->all;
    state *s = p->state;
    const dt_oscillation *o = dt_dynamics_find(d, "oscillation");
    int most = 0;
    for (int i = 0; i < d->weights.count; i++) {
        if (!o->code[i]) continue;
        DT_TRY(check_site(&d->weights.site[i], err));
        if (d->weights.site[i].site.bits > most) most = d->weights.site[i].site.bits;
    }
    s->tracked = o->tracked;
    s->mean = dt_dynamics_site_tensors(d, "freezing", "mean", most);
    s->held = dt_dynamics_site_tensors(d, "freezing", "held", most);
    s->sums = dt_dynamics_memory(d, sizeof(double) * (size_t)(d->weights.piece_count + 1));
    s->fresh = dt_dynamics_memory(d, sizeof(int64_t) * (size_t)(d->weights.piece_count + 1));
    if (!s->mean || !s->held || !s->sums || !s->fresh)
        return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    for (int i = 0; i < d->weights.count; i++)
        d->weights.site[i].held = s->held[i];
    return DT_OK;
}

/* The means start at the codes; codes of another number of bits are no reason to hold. */
static void start(dt_dynamics_part *p)
{
    const dt_oscillation *o = dt_dynamics_find(p->all, "oscillation");
    state *s = p->state;
    for (int i = 0; i < p->all->weights.count; i++) {
        const dt_weight_site *site = &p->all->weights.site[i];
        for (int64_t k = 0; s->held[i] && site->begins && k < site->count; k++) {
            s->held[i][k] = DT_NOT_HELD;
            s->mean[i][k] = o->code[i][k];
        }
    }
    s->counted = false;
}

typedef struct call {
    const dt_dynamics *d;
    state *s;
    const dt_oscillation *o;
    real momentum, threshold, code;
} call;

static void back_piece(void *arg, int64_t index, const dt_weight_site *s, const dt_weight_piece *p,
                       const real *x, const dt_encode *e)
{
    const call *k = arg;
    k->s->sums[index] = 0;
    if (!k->s->held[p->site] || !k->d->state->grad[s->value]) return;
    const real *held = k->s->held[p->site] + p->begin;
    real *g = k->d->state->grad[s->value] + p->begin, of_product[DT_POINT_BLOCK];
    for (int64_t i = 0; s->fold && i < p->n; i++)
        of_product[i] = (real)((double)g[i] / dt_weight_factor(s, p->begin + i));
    k->s->sums[index] =
        k->d->kernels->weight.held_back(p->n, x, e, held, k->code, s->fold ? of_product : g);
    for (int64_t i = 0; s->fold && i < p->n; i++)
        if (held[i] < DT_NOT_HELD) g[i] = 0;
}

/* Takes back what frozen weights gave the factors of a folded batch norm on the way to their
 * rounding: dgamma had (dc/dgamma) / c g w of each, and dc/dgamma is c / gamma or nothing. */
static void factor_gradient(const dt_dynamics *d, const dt_weight_site *s, const real *held)
{
    const real *w = d->state->data[s->value], *gamma = d->state->data[s->gamma];
    const real *g = d->state->grad[s->value];
    real *d_gamma = d->state->grad[s->gamma];
    for (int64_t o = 0; g && d_gamma && o < s->count / s->channel; o++) {
        double sum = 0;
        for (int64_t i = o * s->channel; i < (o + 1) * s->channel; i++)
            if (held[i] < DT_NOT_HELD) sum += (double)g[i] * (double)w[i];
        if (sum != 0 && fabs(s->factor[o]) > DT_FOLD_NORM_LEAST)
            d_gamma[o] -= (real)(sum / (double)gamma[o]);
    }
}

/* What the kernels' sums lack for groups with frozen weights, by the quantizer's own rule. */
static void scale_gradient(dt_dynamics *d, const dt_weight_site *s, int64_t group, double sum)
{
    const dt_quantizer *q = s->conf->quantizer;
    const dt_encode *e = &d->weights.encode[s->first_group + group];
    const dt_encode_sums sums = { .residual = sum };
    real params[DT_QUANT_MAX_PARAMS], more[DT_QUANT_MAX_PARAMS] = { 0 };
    for (int i = 0; i < q->param_count; i++)
        params[i] = d->state->data[s->param[i]][group];
    if (q->param_grad) q->param_grad(s->conf->options, &s->site, params, e, &sums, more);
    for (int i = 0; i < q->param_count; i++)
        if (d->state->grad[s->param[i]]) d->state->grad[s->param[i]][group] += more[i];
}

static void gradient(dt_dynamics_part *p)
{
    dt_dynamics *d = p->all;
    state *s = p->state;
    const dt_weights *w = &d->weights;
    call k = { .d = d, .s = s, .code = ((const conf *)p->conf)->scale == SCALE_CODE ? 1 : 0 };
    if (s->counted && s->frozen == 0) return;
    for (int i = 0; i < w->count; i++)
        if (w->site[i].fold && w->site[i].active && s->held[i])
            factor_gradient(d, &w->site[i], s->held[i]);
    dt_weights_each(&d->weights, back_piece, &k);
    for (int64_t i = 0; i < w->piece_count;) {
        const dt_weight_piece *first = &w->piece[i];
        double sum = 0;
        for (; i < w->piece_count && w->piece[i].site == first->site &&
               w->piece[i].group == first->group;
             i++)
            sum += s->sums[i];
        if (sum != 0 && w->site[first->site].active)
            scale_gradient(d, &w->site[first->site], first->group, sum);
    }
}

static void hold_piece(void *arg, int64_t index, const dt_weight_site *s, const dt_weight_piece *p,
                       const real *x, const dt_encode *e)
{
    (void)index;
    (void)x;
    const call *k = arg;
    if (!k->s->held[p->site]) return;
    const real *held = k->s->held[p->site] + p->begin;
    real *read = dt_weights_read(&k->d->weights, s) + p->begin;
    real *w = k->d->state->data[s->value] + p->begin;
    k->d->kernels->weight.hold(p->n, e, held, read);
    for (int64_t i = 0; s->fold && i < p->n; i++)
        if (held[i] < DT_NOT_HELD)
            w[i] = (real)((double)read[i] / dt_weight_factor(s, p->begin + i));
}

static void restore(dt_dynamics_part *p)
{
    call k = { .d = p->all, .s = p->state };
    if (!k.s->counted || k.s->frozen > 0) dt_weights_each(&p->all->weights, hold_piece, &k);
}

static void settle_piece(void *arg, int64_t index, const dt_weight_site *s,
                         const dt_weight_piece *p, const real *x, const dt_encode *e)
{
    const call *k = arg;
    const dt_weight_kernels *w = &k->d->kernels->weight;
    k->s->fresh[index] = 0;
    if (!k->s->held[p->site]) return;
    k->s->fresh[index] =
        w->settle(p->n, e, k->momentum, k->threshold, k->o->flips[p->site] + p->begin,
                  k->o->code[p->site] + p->begin, k->o->turn[p->site] + p->begin,
                  k->s->mean[p->site] + p->begin, k->s->held[p->site] + p->begin);
    if (k->s->fresh[index]) hold_piece(arg, index, s, p, x, e);
}

static int64_t count_held(const dt_weights *w, const state *s, int site)
{
    int64_t count = 0;
    for (int64_t i = 0; s->held[site] && i < w->site[site].count; i++)
        count += s->held[site][i] < DT_NOT_HELD;
    return count;
}

static void step(dt_dynamics_part *p)
{
    dt_dynamics *d = p->all;
    const conf *c = p->conf;
    state *s = p->state;
    double threshold;
    bool on = dt_dynamics_ramp(d, c->begin, c->start, c->end, &threshold);
    call k = { .d = d,
               .s = s,
               .o = dt_dynamics_find(d, "oscillation"),
               .momentum = (real)c->momentum,
               .threshold = on ? (real)threshold : (real)2 }; /* frequencies are at most 1 */
    dt_weights_each(&d->weights, settle_piece, &k);
    if (!s->counted) { /* a resumed run, or the first step */
        s->frozen = 0;
        for (int i = 0; i < d->weights.count; i++)
            s->frozen += count_held(&d->weights, s, i);
        s->counted = true;
        return;
    }
    for (int64_t i = 0; i < d->weights.piece_count; i++)
        s->frozen += s->fresh[i];
}

static void report(dt_dynamics_part *p, dt_dynamics_report_fn fn, void *arg)
{
    const state *s = p->state;
    const dt_weights *w = &p->all->weights;
    int64_t all = 0;
    for (int i = 0; i < w->count; i++) {
        if (!s->held[i]) continue;
        int64_t frozen = count_held(w, s, i);
        dt_dynamics_number n = { "frozen", 1, { (double)frozen / (double)w->site[i].count } };
        all += frozen;
        fn(arg, "freezing", w->site[i].weight, &n, 1);
    }
    const dt_dynamics_number n = { "frozen", 1, { (double)all / (double)s->tracked } };
    fn(arg, "freezing", NULL, &n, 1);
}

static void progress(dt_dynamics_part *p, char *text, size_t size)
{
    const state *s = p->state;
    snprintf(text, size, "  frozen %.2f%%", 100.0 * (double)s->frozen / (double)s->tracked);
}

const dt_dynamics_row dt_dynamics_freezing = {
    .row = { "freezing", "holds codes that oscillate (Nagel 2022, arXiv:2203.11086, section 4.2)",
             opts, sizeof(conf) },
    .needs = "oscillation",
    .why = "which tells the weights to freeze",
    .state_size = sizeof(state),
    .open = open,
    .start = start,
    .gradient = gradient,
    .restore = restore,
    .step = step,
    .report = report,
    .progress = progress,
};
