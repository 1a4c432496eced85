/* HAWQ's (Dong 2019, arXiv:1911.03852; Yao 2021, arXiv:2011.10680): the mean of the trace of the
 * Hessian of a layer times the squared change of its weight. The loss is the KL divergence from the
 * float net itself, whose Hessian is Fisher's matrix. Hutchinson's estimate with signs v for all
 * layers at once; H v is a central difference of gradients,
 *
 *   trace = E v'(g(w + h v) - g(w - h v)) / 2h,  h = 0.01 RMS(w) of the layer,
 *
 * so a probe of all layers takes two passes forward and back. Below 0 counts as 1e-12. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "ptq/metric.h"

typedef struct job {
    dt_ptq_sense *s;
    dt_ptq_slope g;
    double *trace, *h; /* by layer */
    real **kept;       /* by layer: the weights */
    real *truth[DT_GRAPH_PORTS]; /* by output, [batch, K]: of the float net */
} job;

static void open_signs(const job *j, int layer, int64_t probe, dt_rng *rng)
{
    dt_rng_open(rng, j->s->q->p->seed, DT_RNG_PROBE, dt_hash_name(j->s->mixed->layer[layer].name),
                (uint64_t)probe);
}

/* Weights plus `factor` h v. */
static void move(const job *j, int64_t probe, double factor)
{
    for (int i = 0; i < j->s->mixed->count; i++) {
        real *w = j->s->q->p->state->data[j->s->weight[i].value], h = (real)(factor * j->h[i]);
        uint32_t bits = 0;
        dt_rng rng;
        open_signs(j, i, probe, &rng);
        for (int64_t k = 0; k < j->s->weight[i].count; k++, bits >>= 1) {
            if (k % 32 == 0) bits = dt_rng_u32(&rng);
            w[k] = j->kept[i][k] + (bits & 1 ? h : -h);
        }
    }
}

static void add(const job *j, int64_t probe, double factor)
{
    for (int i = 0; i < j->s->mixed->count; i++) {
        const real *g = j->s->q->p->state->grad[j->s->weight[i].value];
        double sum = 0;
        uint32_t bits = 0;
        dt_rng rng;
        if (!g || j->h[i] == 0) continue;
        open_signs(j, i, probe, &rng);
        for (int64_t k = 0; k < j->s->weight[i].count; k++, bits >>= 1) {
            if (k % 32 == 0) bits = dt_rng_u32(&rng);
            sum += bits & 1 ? (double)g[k] : -(double)g[k];
        }
        j->trace[i] += factor * sum / (2 * j->h[i]);
    }
}

/* Gradients of the mean KL divergence at the weights as they are. */
static dt_status gradient(job *j, int64_t batch, dt_error *err)
{
    const dt_ptq *q = j->s->q;
    dt_ptq_slope *g = &j->g;
    double ignored = 0;
    DT_TRY(dt_ptq_slope_forward(g, batch, err));
    for (int k = 0; k < q->outs; k++) {
        const int64_t K = g->K[k];
        for (int64_t i = 0; i < g->batch; i++)
            q->out[k].says->apart(K, j->truth[k] + i * K, g->after[k] + i * K, 1, g->spread[k],
                                  g->room, &ignored, g->seed[k] + i * K);
        for (int64_t i = 0; i < g->batch * K; i++)
            g->seed[k][i] =
                (real)(q->out[k].weight * (double)g->seed[k][i] / (double)g->batch);
    }
    dt_ptq_slope_backward(g);
    return DT_OK;
}

static void put_back(const job *j)
{
    for (int i = 0; i < j->s->mixed->count; i++)
        memcpy(j->s->q->p->state->data[j->s->weight[i].value], j->kept[i],
               sizeof(real) * (size_t)j->s->weight[i].count);
}

static dt_status probe(job *j, int64_t number, int64_t batch, dt_error *err)
{
    put_back(j);
    DT_TRY(dt_ptq_slope_forward(&j->g, batch, err));
    for (int k = 0; k < j->s->q->outs; k++)
        memcpy(j->truth[k], j->g.after[k], sizeof(real) * (size_t)(j->g.batch * j->g.K[k]));
    for (int side = 1; side >= -1; side -= 2) {
        move(j, number, side);
        DT_TRY(gradient(j, batch, err));
        add(j, number, side);
    }
    return DT_OK;
}

static dt_status get_memory(job *j, dt_error *err)
{
    const dt_ptq *q = j->s->q;
    const size_t n = (size_t)j->s->mixed->count;
    j->trace = dt_arena_get(q->arena, n * sizeof(double));
    j->h = dt_arena_get(q->arena, n * sizeof(double));
    j->kept = dt_arena_get(q->arena, n * sizeof *j->kept);
    bool ok = j->trace && j->h && j->kept;
    for (int k = 0; ok && k < q->outs; k++) {
        j->truth[k] = dt_arena_get(q->arena, (size_t)(j->g.batch * j->g.K[k]) * sizeof(real));
        ok = j->truth[k] != NULL;
    }
    for (int i = 0; ok && i < j->s->mixed->count; i++) {
        const real *w = q->p->state->data[j->s->weight[i].value];
        const int64_t count = j->s->weight[i].count;
        double square = 0;
        ok = (j->kept[i] = dt_arena_get(q->arena, sizeof(real) * (size_t)count)) != NULL;
        for (int64_t k = 0; ok && k < count; k++) {
            j->kept[i][k] = w[k];
            square += (double)w[k] * (double)w[k];
        }
        j->h[i] = 0.01 * sqrt(square / (double)count);
    }
    return ok ? DT_OK : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
}

static dt_status damages(job *j, int probes, dt_error *err)
{
    for (int i = 0; i < j->s->mixed->count; i++) {
        double mean = j->trace[i] / probes / (double)j->s->weight[i].count;
        DT_TRY(dt_ptq_sense_changes(j->s, i, err));
        for (int k = 0; k < j->s->mixed->widths; k++) {
            double square = 0;
            for (int64_t e = 0; e < j->s->weight[i].count; e++)
                square += (double)j->s->change[k][e] * (double)j->s->change[k][e];
            j->s->mixed->layer[i].damage[k] = (mean > 1e-12 ? mean : 1e-12) * square;
        }
    }
    return DT_OK;
}

static dt_status run(job *j, dt_error *err)
{
    const int probes = j->s->params->probes;
    const int64_t batches = j->s->q->p->count / j->g.batch;
    dt_status st = DT_OK;
    DT_TRY(get_memory(j, err));
    j->s->total = probes;
    for (int i = 0; st == DT_OK && i < probes; i++) {
        st = dt_ptq_sense_tell(j->s, "probes", err);
        if (st == DT_OK) st = probe(j, i, i % batches, err);
    }
    put_back(j);
    return st == DT_OK ? damages(j, probes, err) : st;
}

static dt_status fill(dt_ptq_sense *s, dt_error *err)
{
    job j = { .s = s };
    DT_TRY(dt_ptq_slope_open(&j.g, s, NULL, 0, err));
    dt_status st = run(&j, err);
    dt_ptq_slope_close(&j.g);
    return st;
}

const dt_ptq_metric dt_ptq_metric_trace = {
    .row = { .name = "trace", .help = "trace of the Hessian times squared change (HAWQ)" },
    .fill = fill,
};
