/* CLADO's (Deng 2023, arXiv:2307.05657): KL divergence with one weight quantized, and for every two
 * layers what both together do beside the sum of each alone,
 *
 *   pair(i,k; j,l) = KL(i at k, j at l) - KL(i at k) - KL(j at l).
 *
 * Forward passes only, (layers times widths)^2 / 2 of them, from the border before the first of the
 * two on. The matrix is not made positive semidefinite: the allocator swaps and needs it not. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "ptq/metric.h"

typedef struct job {
    dt_ptq_sense *s;
    dt_ptq_sweep w;
    int i, k, j; /* the first layer at width k, and the second one */
} job;

static void set(dt_ptq_mixed *m, int i, int k, int j, int l, double value)
{
    const int n = m->count * m->widths, a = i * m->widths + k, b = j * m->widths + l;
    m->pair[(size_t)a * n + b] = m->pair[(size_t)b * n + a] = value;
}

static dt_status on_one(void *arg, int width, double kl, dt_error *err)
{
    job *b = arg;
    (void)err;
    b->s->mixed->layer[b->i].damage[width] = kl;
    return DT_OK;
}

static dt_status on_second(void *arg, int width, double kl, dt_error *err)
{
    job *b = arg;
    const dt_ptq_mixed_layer *l = b->s->mixed->layer;
    (void)err;
    set(b->s->mixed, b->i, b->k, b->j, width, kl - l[b->i].damage[b->k] - l[b->j].damage[width]);
    return DT_OK;
}

/* The first layer is at this width now. */
static dt_status on_first(void *arg, int width, double kl, dt_error *err)
{
    job *b = arg;
    const dt_ptq_mixed *m = b->s->mixed;
    (void)kl;
    b->k = width;
    for (b->j = b->i + 1; b->j < m->count; b->j++) {
        if (m->layer[b->j].fixed) continue;
        DT_TRY(dt_ptq_sense_tell(b->s, m->layer[b->i].name, err));
        DT_TRY(dt_ptq_sweep_layer(&b->w, b->j, on_second, b, err));
    }
    return DT_OK;
}

static dt_status run(job *b, bool pairs, dt_error *err)
{
    const dt_ptq_mixed *m = b->s->mixed;
    for (b->i = 0; b->i < m->count; b->i++) {
        if (pairs && m->layer[b->i].fixed) continue;
        DT_TRY(dt_ptq_sense_tell(b->s, m->layer[b->i].name, err));
        DT_TRY(dt_ptq_sweep_to(&b->w, b->i, err));
        DT_TRY(dt_ptq_sweep_layer(&b->w, b->i, pairs ? on_first : on_one, b, err));
    }
    return DT_OK;
}

/* All alone, then all pairs: the sweep begins again at the pictures. */
static dt_status fill(dt_ptq_sense *s, dt_error *err)
{
    job b = { .s = s };
    dt_ptq_mixed *m = s->mixed;
    const size_t n = (size_t)m->count * (size_t)m->widths;
    int loose = 0;
    for (int i = 0; i < m->count; i++)
        loose += !m->layer[i].fixed;
    s->total = m->count + loose + m->widths * loose * (loose - 1) / 2;
    m->pair = dt_get_array(m->alloc, n * n, sizeof *m->pair, "pairs");
    if (!m->pair) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for pairs");
    for (int pairs = 0; pairs < 2; pairs++) {
        DT_TRY(dt_ptq_sweep_open(&b.w, s, err));
        dt_status st = run(&b, pairs, err);
        dt_ptq_sweep_close(&b.w);
        if (st != DT_OK) return st;
    }
    return DT_OK;
}

const dt_ptq_metric dt_ptq_metric_pairs = {
    .row = { .name = "pairs",
             .help = "KL divergence with one and with every two weights quantized; for `swap`" },
    .fill = fill,
};
