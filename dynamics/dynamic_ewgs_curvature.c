/* The strength delta of EWGS from curvature (Lee, Kim, Ham 2021, arXiv:2104.00903, section 3.2, and
 * the authors' code 56c654c): of a layer with N weights, H the Hessian of the loss by its quantized
 * values and G the gradient by them, both with the range of the quantizer as 1,
 *
 *   delta = max(0, (Tr(H) / N) / (3 std(G)))
 *
 * Tr(H) is the mean of v'Hv over vectors v of random signs (Hutchinson), averaged over batches.
 *
 * Deviations: H v is a central difference of gradients, (G(y + h v) - G(y - h v)) / 2h with h =
 * `epsilon` times the root mean square of the layer's quantized weights, instead of a second
 * backward pass; all layers move at once, which leaves the mean of each v'Hv what it is; a fixed
 * number of probes; epochs are counted from the one in which weights began to be quantized, or had
 * other bits. Quantizers of activations stay where they are, and keep a fixed delta. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "dynamics/dynamics.h"

typedef struct conf {
    int every, batches, probes;
    double epsilon;
} conf;

static const dt_opt opts[] = {
    DT_OPT_INT(conf, every, 10, 1, 100000, "epochs from one estimate to the next"),
    DT_OPT_INT(conf, batches, 3, 1, 1000, "training batches to average over"),
    DT_OPT_INT(conf, probes, 10, 1, 1000,
               "random vectors a batch; each takes two forward and backward passes"),
    DT_OPT_FLOAT(conf, epsilon, 0.01, 1e-6, 1,
                 "step of the difference, in root mean squares of a layer's quantized weights"),
    DT_OPT_END,
};

typedef struct state {
    bool *measured;          /* by site: it has EWGS */
    double *trace, *std, *h; /* by site: sums over probes and batches, step */
    real *weight, *value;    /* [elements of all sites]: latent and quantized weights */
    real **buffer;           /* by value: running statistics, NULL: none */
    real *since;             /* [1]: the epoch that `every` counts from */
    bool due;
} state;

static dt_status open(dt_dynamics_part *p, dt_error *err)
{
    dt_dynamics *d = p->all;
    state *s = p->state;
    size_t sites = (size_t)d->weights.count + 1, bytes = sizeof(real) * (size_t)d->weights.elements;
    int found = 0;
    s->measured = dt_dynamics_memory(d, sites * sizeof *s->measured);
    s->trace = dt_dynamics_memory(d, sites * sizeof(double));
    s->std = dt_dynamics_memory(d, sites * sizeof(double));
    s->h = dt_dynamics_memory(d, sites * sizeof(double));
    s->weight = dt_dynamics_memory(d, bytes + 1);
    s->value = dt_dynamics_memory(d, bytes + 1);
    s->buffer = dt_dynamics_memory(d, sizeof *s->buffer * (size_t)(d->graph->value_count + 1));
    s->since = dt_dynamics_tensor_new(d, &DT_SHAPE(1), "ewgs_curvature", "epoch", "since");
    if (!s->measured || !s->trace || !s->std || !s->h || !s->weight || !s->value || !s->buffer ||
        !s->since)
        return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    for (int i = 0; i < d->graph->value_count; i++) {
        const dt_value *v = &d->graph->value[i];
        if (v->kind != DT_VALUE_BUFFER || v->role == DT_ROLE_QUANT) continue;
        s->buffer[i] = dt_dynamics_memory(d, sizeof(real) * (size_t)dt_shape_count(&v->shape));
        if (!s->buffer[i]) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    }
    for (int i = 0; i < d->weights.count; i++) {
        const dt_weight_site *site = &d->weights.site[i];
        if (site->strength < 0) continue;
        s->measured[i] = true;
        found++;
        if (!dt_dynamics_tensor_of(d, &DT_SHAPE(1), "ewgs_curvature", "delta", site->weight,
                                   d->state->data[site->strength]))
            return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    }
    return found ? DT_OK
                 : dt_fail(err, DT_ERR_NOT_FOUND, NULL, "no weights have 'ste: ewgs' in this net");
}

static void quantize_piece(void *arg, int64_t index, const dt_weight_site *site,
                           const dt_weight_piece *p, const real *x, const dt_encode *e)
{
    (void)index;
    const dt_dynamics_part *part = arg;
    const state *s = part->state;
    part->all->kernels->point.encode(1, p->n, x, e, s->value + site->at + p->begin);
}

/* Latent weights and statistics aside; quantized values in the weights' place. */
static void put_aside(dt_dynamics_part *p)
{
    dt_dynamics *d = p->all;
    state *s = p->state;
    dt_weights_fold(&d->weights);
    dt_weights_refresh(&d->weights);
    dt_weights_each(&d->weights, quantize_piece, p);
    for (int i = 0; i < d->graph->value_count; i++)
        if (s->buffer[i])
            memcpy(s->buffer[i], d->state->data[i],
                   sizeof(real) * (size_t)dt_shape_count(&d->graph->value[i].shape));
    for (int i = 0; i < d->weights.count; i++) {
        const dt_weight_site *site = &d->weights.site[i];
        double square = 0;
        if (!site->active) continue;
        memcpy(s->weight + site->at, d->state->data[site->value],
               sizeof(real) * (size_t)site->count);
        for (int64_t k = 0; k < site->count; k++)
            square += (double)s->value[site->at + k] * (double)s->value[site->at + k];
        s->h[i] = ((const conf *)p->conf)->epsilon * sqrt(square / (double)site->count);
        s->trace[i] = s->std[i] = 0;
    }
}

static void put_back(dt_dynamics_part *p)
{
    dt_dynamics *d = p->all;
    state *s = p->state;
    for (int i = 0; i < d->graph->value_count; i++)
        if (s->buffer[i])
            memcpy(d->state->data[i], s->buffer[i],
                   sizeof(real) * (size_t)dt_shape_count(&d->graph->value[i].shape));
    for (int i = 0; i < d->weights.count; i++) {
        const dt_weight_site *site = &d->weights.site[i];
        if (site->active)
            memcpy(d->state->data[site->value], s->weight + site->at,
                   sizeof(real) * (size_t)site->count);
    }
    d->fresh = false;
}

/* Signs of a probe: bits of the stream (PROBE, weight, number). */
static void open_probe(dt_rng *rng, const dt_weight_site *site, int64_t number)
{
    dt_rng_open(rng, 0, DT_RNG_PROBE, dt_hash_name(site->weight), (uint64_t)number);
}

/* Weights at their quantized values plus `factor` h v, less the factors of a folded batch norm. */
static void move(dt_dynamics_part *p, int64_t number, double factor)
{
    dt_dynamics *d = p->all;
    const state *s = p->state;
    for (int i = 0; i < d->weights.count; i++) {
        const dt_weight_site *site = &d->weights.site[i];
        real *w = d->state->data[site->value], h = (real)(factor * s->h[i]);
        uint32_t bits = 0;
        dt_rng rng;
        if (!site->active) continue;
        memcpy(w, s->value + site->at, sizeof(real) * (size_t)site->count);
        if (s->measured[i] && factor != 0) {
            open_probe(&rng, site, number);
            for (int64_t k = 0; k < site->count; k++, bits >>= 1) {
                if (k % 32 == 0) bits = dt_rng_u32(&rng);
                w[k] += bits & 1 ? h : -h;
            }
        }
        for (int64_t k = 0; site->fold && k < site->count; k++)
            w[k] = (real)((double)w[k] / dt_weight_factor(site, k));
    }
}

/* Adds factor v'G to the traces. */
static void add_traces(dt_dynamics_part *p, int64_t number, double factor)
{
    dt_dynamics *d = p->all;
    state *s = p->state;
    for (int i = 0; i < d->weights.count; i++) {
        const dt_weight_site *site = &d->weights.site[i];
        const real *g = d->state->grad[site->value];
        uint32_t bits = 0;
        double sum = 0;
        dt_rng rng;
        if (!site->active || !g || !s->measured[i] || s->h[i] == 0) continue;
        open_probe(&rng, site, number);
        for (int64_t k = 0; k < site->count; k++, bits >>= 1) {
            if (k % 32 == 0) bits = dt_rng_u32(&rng);
            double of_value = (double)g[k] / dt_weight_factor(site, k);
            sum += bits & 1 ? of_value : -of_value;
        }
        s->trace[i] += factor * sum / (2 * s->h[i]);
    }
}

static void add_deviations(dt_dynamics_part *p)
{
    dt_dynamics *d = p->all;
    state *s = p->state;
    for (int i = 0; i < d->weights.count; i++) {
        const dt_weight_site *site = &d->weights.site[i];
        const real *g = d->state->grad[site->value];
        double mean = 0, square = 0, n = (double)site->count;
        if (!site->active || !g || !s->measured[i]) continue;
        for (int64_t k = 0; k < site->count; k++)
            mean += (double)g[k] / dt_weight_factor(site, k) / n;
        for (int64_t k = 0; k < site->count; k++) {
            double off = (double)g[k] / dt_weight_factor(site, k) - mean;
            square += off * off;
        }
        s->std[i] += sqrt(square / n);
    }
}

static dt_status measure(dt_dynamics_part *p, dt_error *err)
{
    const dt_dynamics *d = p->all;
    const conf *c = p->conf;
    for (int b = 0; b < c->batches; b++) {
        move(p, 0, 0);
        DT_TRY(d->gradient_pass(d->pass_arg, b, err));
        add_deviations(p);
        for (int k = 0; k < c->probes; k++) {
            int64_t number = (d->at.step * c->batches + b) * c->probes + k;
            for (int side = 1; side >= -1; side -= 2) {
                move(p, number, side);
                DT_TRY(d->gradient_pass(d->pass_arg, -1, err));
                add_traces(p, number, side);
            }
        }
    }
    return DT_OK;
}

static dt_status set_delta(const dt_dynamics_part *p, int i, dt_error *err)
{
    const dt_weights *w = &p->all->weights;
    const dt_weight_site *site = &w->site[i];
    const conf *c = p->conf;
    const state *s = p->state;
    double range = 0;
    for (int64_t k = 0; k < site->site.groups; k++) {
        const dt_encode *e = &w->encode[site->first_group + k];
        range += (double)e->scale * (double)(e->qmax - e->qmin) / (double)site->site.groups;
    }
    double trace = s->trace[i] / (c->batches * c->probes) / (double)site->count;
    double std = s->std[i] / c->batches, delta = range * trace / (3 * std);
    if (!(std > 0)) return DT_OK; /* no gradient, nothing to scale */
    if (!isfinite(delta))
        return dt_fail(err, DT_ERR_NUMERIC, &(dt_where){ .key = "dynamics.ewgs_curvature" },
                       "the curvature of '%s' is %g", site->weight, delta);
    p->all->state->data[site->strength][0] = (real)fmin(fmax(delta, 0), 1e6);
    return DT_OK;
}

static void start(dt_dynamics_part *p)
{
    const dt_weights *w = &p->all->weights;
    state *s = p->state;
    for (int i = 0; i < w->count; i++)
        s->due = s->due || (s->measured[i] && w->site[i].begins);
}

static bool is_due(const dt_dynamics_part *p)
{
    const dt_dynamics *d = p->all;
    state *s = p->state;
    int64_t number = d->at.step / d->at.steps_per_epoch;
    bool any = false;
    for (int i = 0; i < d->weights.count; i++)
        any = any || (s->measured[i] && d->weights.site[i].active);
    if (s->due) s->since[0] = (real)number;
    s->due = false;
    return any && (number - (int64_t)s->since[0]) % ((const conf *)p->conf)->every == 0;
}

static dt_status epoch(dt_dynamics_part *p, dt_error *err)
{
    const dt_dynamics *d = p->all;
    const state *s = p->state;
    if (!is_due(p)) return DT_OK;
    put_aside(p);
    dt_status st = measure(p, err);
    put_back(p);
    for (int i = 0; st == DT_OK && i < d->weights.count; i++)
        if (s->measured[i] && d->weights.site[i].active) st = set_delta(p, i, err);
    return st;
}

static void report(dt_dynamics_part *p, dt_dynamics_report_fn fn, void *arg)
{
    const state *s = p->state;
    for (int i = 0; i < p->all->weights.count; i++) {
        const dt_weight_site *site = &p->all->weights.site[i];
        if (!s->measured[i]) continue;
        const dt_dynamics_number n = { "delta",
                                       1,
                                       { (double)p->all->state->data[site->strength][0] } };
        fn(arg, "ewgs_curvature", site->weight, &n, 1);
    }
}

const dt_dynamics_row dt_dynamics_ewgs_curvature = {
    .row = { "ewgs_curvature",
             "strength of EWGS from curvature (Lee 2021, arXiv:2104.00903, section 3.2)", opts,
             sizeof(conf) },
    .state_size = sizeof(state),
    .wants_gradients = true,
    .open = open,
    .start = start,
    .epoch = epoch,
    .report = report,
};
