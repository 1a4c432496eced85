/* Bias absorption (Nagel 2019, arXiv:1906.04721, section 4.1.3): what a channel never falls below
 * on its way from a norm through ReLU into products is taken out of it and put into what comes
 * behind the products, so that its grid need not reach that far:
 *
 *   c = max(0, beta - deviations * |gamma|)   of norms: of values that are normal, with the paper's
 * 3 max(0, least value over all pictures) of pictures
 *
 * Only edges whose products read no padding: there zeros stand beside the values, and the paper's
 * step is not exact. Where a value is below c all the same the net changes; c of pictures leaves
 * what it computes of these pictures. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "ptq/edges.h"

typedef struct conf {
    int from;
    double deviations;
} conf;
enum { NORMS, PICTURES };

static const dt_opt opts[] = {
    DT_OPT_ENUM(conf, from, PICTURES, "norms|pictures", "what the least value is taken from"),
    DT_OPT_FLOAT(conf, deviations, 3, 0, 100, "below the mean, for norms"),
    DT_OPT_END,
};

enum { GAIN = 1, SHIFT = 2 /* inputs of a node that is `affine` */ };

static void least_of_norms(const dt_ptq *q, const dt_ptq_edge *e, double deviations, double *out)
{
    const real *gain = q->p->state->data[e->norm->in[GAIN]];
    const real *shift = q->p->state->data[e->norm->in[SHIFT]];
    for (int64_t c = 0; c < e->C; c++)
        out[c] = (double)shift[c] - deviations * fabs((double)gain[c]);
}

static dt_status least_of_pictures(dt_ptq *q, const dt_ptq_edge *e, double *out, dt_error *err)
{
    const int value = e->norm->out[0];
    const int64_t n = dt_ptq_features(q, value);
    real *x;
    DT_TRY(dt_ptq_get(q, value, &x, err));
    dt_status st = dt_ptq_collect(q,
                                  &(dt_ptq_pass){ .plain = true,
                                                  .from = q->start,
                                                  .data = q->pictures,
                                                  .want = &value,
                                                  .want_count = 1,
                                                  .to = &x },
                                  err);
    for (int64_t c = 0; st == DT_OK && c < e->C; c++) {
        out[c] = INFINITY;
        for (int64_t i = c; i < q->p->count * n; i += e->C)
            out[c] = fmin(out[c], (double)x[i]);
    }
    dt_ptq_put(q, x);
    return st;
}

/* How many channels gave something up. */
static dt_status absorb(dt_ptq *q, const dt_ptq_edge *e, const conf *c, int64_t *out, dt_error *err)
{
    const size_t n = (size_t)e->C;
    double *least = dt_arena_get(q->arena, 2 * n * sizeof *least), *ones = least + n;
    if (!least) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    if (c->from == NORMS)
        least_of_norms(q, e, c->deviations, least);
    else
        DT_TRY(least_of_pictures(q, e, least, err));
    for (int64_t i = 0; i < e->C; i++) {
        ones[i] = 1;
        least[i] = fmax(least[i], 0);
        *out += least[i] > 0;
    }
    dt_ptq_edge_fold(q, e, ones, least);
    return DT_OK;
}

static dt_status run(dt_ptq *q, const void *options, dt_error *err)
{
    int64_t channels = 0;
    int edges = 0;
    dt_status st = DT_OK;
    q->origin = *q->p->state; /* passes of the float net see what was folded so far */
    for (int i = 0; st == DT_OK && i < q->g->node_count; i++) {
        dt_ptq_edge e;
        if (!dt_ptq_edge_of(q, &q->g->node[i], &e) || !e.offsets || !e.limited) continue;
        st = dt_ptq_tell(q, e.norm->name, (double)i / q->g->node_count, err);
        if (st == DT_OK) st = absorb(q, &e, options, &channels, err);
        edges++;
    }
    q->origin = (dt_state){ 0 };
    if (st == DT_OK)
        dt_ptq_say(q, "absorb: %lld channels of %d edges without padding", (long long)channels,
                   edges);
    return st;
}

const dt_ptq_stage dt_ptq_stage_absorb = {
    .row = { "absorb",
             "what channels never fall below, put behind the next products (Nagel 2019, "
             "arXiv:1906.04721)",
             opts, sizeof(conf) },
    .transforms = true,
    .run = run,
};
