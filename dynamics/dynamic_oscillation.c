/* Oscillation tracker (Nagel, Fournarakis, Bondarenko, Blankevoort, "Overcoming oscillations in
 * quantization-aware training", ICML 2022, arXiv:2203.11086, section 2.3). After every optimizer
 * step, for each weight: a change of its code against the direction of the last change is a
 * reversal, and f = m reversal + (1 - m) f is how often it oscillates. Weights with f above
 * `threshold` count as oscillating (the paper's tables: 0.005).
 *
 * The authors' code also updates in evaluations, where nothing moved; here it is exactly once an
 * optimizer step. Weights of more than `max_bits` bits are not tracked. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "dynamics/oscillation.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct conf {
    double momentum, threshold;
    int max_bits;
} conf;

static const dt_opt opts[] = {
    DT_OPT_FLOAT(conf, momentum, 0.001, 1e-6, 1, "weight of a step in the frequency of reversals"),
    DT_OPT_FLOAT(conf, threshold, 0.005, 0, 1, "weights that reverse more often oscillate"),
    DT_OPT_INT(conf, max_bits, 4, 1, 8, "weights of more bits are not tracked"),
    DT_OPT_END,
};

static dt_status open(dt_dynamics_part *p, dt_error *err)
{
    const conf *c = p->conf;
    dt_oscillation *o = p->state;
    dt_dynamics *d = p->all;
    const dt_shape sums = DT_SHAPE(d->weights.count > 0 ? d->weights.count : 1);
    const dt_shape one = DT_SHAPE(1);
    o->code = dt_dynamics_site_tensors(d, "oscillation", "code", c->max_bits);
    o->turn = dt_dynamics_site_tensors(d, "oscillation", "turn", c->max_bits);
    o->flips = dt_dynamics_site_tensors(d, "oscillation", "flips", c->max_bits);
    o->changed = dt_dynamics_tensor_new(d, &sums, "oscillation", "sum", "changed");
    o->steps = dt_dynamics_tensor_new(d, &one, "oscillation", "sum", "steps");
    o->counts = dt_dynamics_memory(d, sizeof *o->counts * (size_t)(d->weights.piece_count + 1));
    o->oscillating = dt_dynamics_memory(d, sizeof(int64_t) * (size_t)(d->weights.count + 1));
    if (!o->code || !o->turn || !o->flips || !o->changed || !o->steps || !o->counts ||
        !o->oscillating)
        return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    for (int i = 0; i < d->weights.count; i++)
        if (o->code[i]) o->tracked += d->weights.site[i].count;
    if (o->tracked) return DT_OK;
    return dt_fail(err, DT_ERR_NOT_FOUND, NULL,
                   "no weights of up to %d bits are in this net (max_bits)", c->max_bits);
}

typedef struct call {
    const dt_dynamics *d;
    const conf *c;
    dt_oscillation *o;
} call;

/* A phase may give a site more bits than are tracked. */
static bool is_tracked(const conf *c, const dt_oscillation *o, const dt_weight_site *s, int site)
{
    return o->code[site] && s->active && s->site.bits <= c->max_bits;
}

static void start_piece(void *arg, int64_t index, const dt_weight_site *s, const dt_weight_piece *p,
                        const real *x, const dt_encode *e)
{
    (void)index;
    const call *k = arg;
    if (!k->o->code[p->site] || !s->begins) return;
    k->d->kernels->weight.codes(p->n, x, e, k->o->code[p->site] + p->begin);
    memset(k->o->turn[p->site] + p->begin, 0, (size_t)p->n * sizeof(real));
    memset(k->o->flips[p->site] + p->begin, 0, (size_t)p->n * sizeof(real));
}

static void start(dt_dynamics_part *p)
{
    call k = { p->all, p->conf, p->state };
    dt_weights_each(&p->all->weights, start_piece, &k);
}

static void track_piece(void *arg, int64_t index, const dt_weight_site *s, const dt_weight_piece *p,
                        const real *x, const dt_encode *e)
{
    const call *k = arg;
    dt_oscillation *o = k->o;
    int64_t *counts = o->counts[index];
    counts[0] = counts[1] = 0;
    if (!is_tracked(k->c, o, s, p->site)) return;
    k->d->kernels->weight.track(p->n, x, e, (real)k->c->momentum, (real)k->c->threshold,
                                o->code[p->site] + p->begin, o->turn[p->site] + p->begin,
                                o->flips[p->site] + p->begin, counts);
}

static void step(dt_dynamics_part *p)
{
    call k = { p->all, p->conf, p->state };
    dt_oscillation *o = p->state;
    const dt_weights *w = &p->all->weights;
    dt_weights_each(&p->all->weights, track_piece, &k);
    for (int i = 0; i < w->count; i++)
        o->oscillating[i] = 0;
    for (int64_t i = 0, n = w->piece_count; i < n;) {
        int site = w->piece[i].site;
        int64_t changed = 0;
        for (; i < n && w->piece[i].site == site; i++) {
            changed += o->counts[i][0];
            o->oscillating[site] += o->counts[i][1];
        }
        o->changed[site] += (real)((double)changed / (double)w->site[site].count);
    }
    o->steps[0] += 1;
}

static dt_status epoch(dt_dynamics_part *p, dt_error *err)
{
    dt_oscillation *o = p->state;
    memset(o->changed, 0, sizeof(real) * (size_t)p->all->weights.count);
    o->steps[0] = 0;
    (void)err;
    return DT_OK;
}

/* Distances of u to the nearest place where its code changes, 0 .. 1/2 of the gap between levels,
 * as shares of the weights inside the range. */
static void add_distances(const dt_weight_site *s, const dt_weights *w, double *bins)
{
    const real *x = dt_weights_rounded(w, s);
    for (int64_t group = 0; group < s->site.groups; group++) {
        const dt_encode *e = &w->encode[s->first_group + group];
        for (int64_t i = group * s->site.count; i < (group + 1) * s->site.count; i++) {
            double u = ((double)x[i] - (double)e->offset) / (double)e->scale, near, gap = 1;
            if (!(u > (double)e->qmin && u < (double)e->qmax)) continue;
            near = fabs(u - floor(u) - 0.5);
            if (e->thresholds) {
                int t = 0;
                while (t + 1 < e->thresholds &&
                       fabs(u - (double)e->threshold[t + 1]) < fabs(u - (double)e->threshold[t]))
                    t++;
                near = fabs(u - (double)e->threshold[t]);
                gap = (double)(e->level[t + 1] - e->level[t]);
            }
            int bin = (int)(2 * near / gap * DT_DYNAMICS_BINS);
            bins[bin < DT_DYNAMICS_BINS ? bin : DT_DYNAMICS_BINS - 1] += 1;
        }
    }
}

static int64_t count_oscillating(const conf *c, const real *flips, int64_t n)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++)
        count += flips[i] > (real)c->threshold;
    return count;
}

static void report(dt_dynamics_part *p, dt_dynamics_report_fn fn, void *arg)
{
    const conf *c = p->conf;
    dt_oscillation *o = p->state;
    const dt_weights *w = &p->all->weights;
    double steps = (double)o->steps[0], all_changed = 0, all_oscillating = 0;
    for (int i = 0; i < w->count; i++) {
        const dt_weight_site *s = &w->site[i];
        if (!is_tracked(c, o, s, i)) continue;
        dt_dynamics_number n[] = { { "flip_rate", 1, { 0 } },
                                   { "oscillating", 1, { 0 } },
                                   { "threshold_distance", DT_DYNAMICS_BINS, { 0 } } };
        double inside = 0, oscillating = (double)count_oscillating(c, o->flips[i], s->count);
        n[0].value[0] = steps > 0 ? (double)o->changed[i] / steps : 0;
        n[1].value[0] = oscillating / (double)s->count;
        add_distances(s, w, n[2].value);
        for (int b = 0; b < DT_DYNAMICS_BINS; b++)
            inside += n[2].value[b];
        for (int b = 0; b < DT_DYNAMICS_BINS && inside > 0; b++)
            n[2].value[b] /= inside;
        all_changed += n[0].value[0] * (double)s->count;
        all_oscillating += oscillating;
        fn(arg, "oscillation", s->weight, n, 3);
    }
    const dt_dynamics_number all[] = {
        { "flip_rate", 1, { all_changed / (double)o->tracked } },
        { "oscillating", 1, { all_oscillating / (double)o->tracked } },
    };
    fn(arg, "oscillation", NULL, all, 2);
}

static void progress(dt_dynamics_part *p, char *text, size_t size)
{
    const dt_oscillation *o = p->state;
    int64_t oscillating = 0, changed = 0;
    for (int i = 0; i < p->all->weights.count; i++)
        oscillating += o->oscillating[i];
    for (int64_t i = 0; i < p->all->weights.piece_count; i++)
        changed += o->counts[i][0];
    snprintf(text, size, "  flips %.2f%% osc %.2f%%", 100.0 * (double)changed / (double)o->tracked,
             100.0 * (double)oscillating / (double)o->tracked);
}

const dt_dynamics_row dt_dynamics_oscillation = {
    .row = { "oscillation", "how often codes of weights turn back (Nagel 2022, arXiv:2203.11086)",
             opts, sizeof(conf) },
    .state_size = sizeof(dt_oscillation),
    .open = open,
    .start = start,
    .epoch = epoch,
    .step = step,
    .report = report,
    .progress = progress,
};
