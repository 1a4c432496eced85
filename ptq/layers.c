/* Layers as they came out, and what the float net's first norm says of the pictures. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "autograd/op_batchnorm.h"
#include "autograd/query.h"
#include "core/mathx.h"
#include "ptq/engine.h"
#include "ptq/layers.h"

int dt_ptq_input_bits(const dt_ptq *q, const dt_node *product)
{
    const dt_node *site = dt_query_site(q->g, product->in[product->op->product->x]);
    const dt_fakequant_conf *c = dt_query_quantizer(site);
    return c ? c->site.bits : DT_PTQ_FLOAT;
}

/* The products between two borders. */
typedef struct segment {
    int *node, *value, count, border; /* border: the last one before them; -1: there is none yet */
    double *db;
} segment;

static dt_status tell(dt_ptq *q, const segment *s, dt_error *err)
{
    for (int k = 0; k < s->count; k++) {
        const dt_node *node = &q->g->node[s->node[k]];
        dt_ptq_weight w;
        (void)dt_ptq_weight_of(q, node, &w);
        const dt_ptq_layer_result r = { .name = node->name,
                                        .bits = w.conf->site.bits,
                                        .x_bits = dt_ptq_input_bits(q, node),
                                        .weights = w.count,
                                        .sqnr_db = s->db[k] };
        DT_TRY(q->p->events.layer(q->p->events.arg, &r, err));
    }
    return DT_OK;
}

/* Measures what is there, and goes on to `border`; -1: that was all. */
static dt_status end_segment(dt_ptq *q, segment *s, int border, dt_error *err)
{
    if (s->count == 0) return border < 0 ? DT_OK : dt_ptq_advance(q, border, err);
    DT_TRY(dt_ptq_compare(q, s->value, s->count, border, s->db, err));
    DT_TRY(tell(q, s, err));
    s->count = 0;
    return DT_OK;
}

static dt_status tell_segments(dt_ptq *q, segment *s, dt_error *err)
{
    DT_TRY(dt_ptq_advance(q, q->start, err));
    for (int i = 0; i < q->g->node_count; i++) {
        dt_ptq_weight w;
        if (!q->needed[i] || !dt_ptq_weight_of(q, &q->g->node[i], &w)) continue;
        int border = dt_ptq_border_before(q, i);
        if (border != s->border) DT_TRY(end_segment(q, s, border, err));
        s->border = border;
        s->value[s->count] = q->g->node[i].out[0];
        s->node[s->count++] = i;
    }
    return end_segment(q, s, -1, err);
}

dt_status dt_ptq_tell_layers(dt_ptq *q, dt_error *err)
{
    const size_t n = (size_t)q->g->node_count + 1;
    dt_arena *arena = dt_arena_new(q->p->alloc, "layers");
    if (!arena) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    segment s = { .node = dt_arena_get(arena, n * sizeof *s.node),
                  .value = dt_arena_get(arena, n * sizeof *s.value),
                  .db = dt_arena_get(arena, n * sizeof *s.db),
                  .border = -1 };
    dt_status st = s.node && s.value && s.db ? tell_segments(q, &s, err)
                                             : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    dt_arena_free(arena);
    return st;
}

/* ---- pictures against the first norm ---- */

/* Of rows [rows, C] of one channel. */
static void moments(const real *x, int64_t rows, int64_t C, double *mean, double *var)
{
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < rows; i++)
        sum += (double)x[i * C];
    *mean = sum / (double)rows;
    for (int64_t i = 0; i < rows; i++)
        squares += ((double)x[i * C] - *mean) * ((double)x[i * C] - *mean);
    *var = squares / (double)rows;
}

static void compare(const dt_ptq *q, const dt_node *norm, const real *x, dt_ptq_gap *out)
{
    const int64_t C = dt_ptq_features(q, norm->in[DT_BN_MEAN]);
    const int64_t rows = q->p->count * dt_ptq_features(q, norm->in[DT_BN_X]) / C;
    const real *mean = q->p->state->data[norm->in[DT_BN_MEAN]];
    const real *var = q->p->state->data[norm->in[DT_BN_VAR]];
    double shift = 0, ratio = 0, used = 0;
    for (int64_t c = 0; c < C; c++) {
        double m, v;
        moments(x + c, rows, C, &m, &v);
        if (!(v > 1e-10) || !(var[c] > 1e-10F)) continue; /* dead */
        shift += fabs(m - (double)mean[c]) / sqrt((double)var[c]);
        ratio += dt_log(v / (double)var[c]);
        used++;
    }
    out->name = norm->name;
    if (!(used > 0)) return;
    out->shift = shift / used;
    out->ratio = dt_exp(ratio / used);
    out->has = true;
}

static const dt_node *first_norm(const dt_ptq *q)
{
    for (int i = 0; i < q->g->node_count; i++)
        if (q->needed[i] && q->g->node[i].op->batch_stat) return &q->g->node[i];
    return NULL;
}

static const dt_node *first_site(const dt_ptq *q)
{
    DT_QUERY_EACH_USE(u, q->g, q->p->input)
    if (q->needed[u->node] && q->g->node[u->node].op->quantizes) return &q->g->node[u->node];
    return NULL;
}

/* The quantizer of the pictures, of several inputs of the first: the ends of its grid, and how far
 * the pictures go. */
static void look_at_range(const dt_ptq *q, dt_ptq_gap *out)
{
    const dt_node *site = first_site(q);
    const int64_t n = dt_ptq_features(q, q->p->input), record = dt_ptq_features(q, q->start);
    real ends[2];
    if (!q->p->started || !site) return;
    dt_ptq_site_ends(q, site, ends);
    out->site = site->name;
    out->site_low = (double)ends[0];
    out->site_high = (double)ends[1];
    out->read_low = out->read_high = (double)q->pictures[0];
    for (int64_t i = 0; i < q->p->count * n; i++) {
        const double x = (double)q->pictures[i / n * record + i % n];
        out->read_low = fmin(out->read_low, x);
        out->read_high = fmax(out->read_high, x);
    }
    out->has_range = true;
}

bool dt_ptq_gap_fits(const dt_ptq_gap *gap)
{
    if (gap->has && !(gap->ratio > 0.5 && gap->ratio < 2 && gap->shift < 0.5)) return false;
    if (!gap->has_range) return true;
    double ratio = (gap->read_high - gap->read_low) / (gap->site_high - gap->site_low);
    return ratio > 0.5 && ratio < 2 && gap->read_low < gap->site_high &&
           gap->read_high > gap->site_low;
}

static dt_status look(dt_ptq *q, dt_ptq_gap *out, dt_error *err)
{
    const dt_node *norm = first_norm(q);
    real *x;
    look_at_range(q, out);
    if (!norm) return DT_OK;
    const int at = norm->in[DT_BN_X];
    DT_TRY(dt_ptq_get(q, at, &x, err));
    dt_status st = dt_ptq_collect(q,
                                  &(dt_ptq_pass){ .plain = true,
                                                  .from = q->start,
                                                  .data = q->pictures,
                                                  .want = &at,
                                                  .want_count = 1,
                                                  .to = &x },
                                  err);
    if (st == DT_OK) compare(q, norm, x, out);
    dt_ptq_put(q, x);
    return st;
}

enum { LOOKED_AT = 128 /* pictures */ };

dt_status dt_ptq_first_norm(const dt_ptq_params *p, dt_ptq_gap *out, dt_error *err)
{
    dt_ptq_params some = *p;
    dt_ptq q;
    *out = (dt_ptq_gap){ .has = false };
    if (some.count > LOOKED_AT) some.count = LOOKED_AT;
    DT_TRY(dt_ptq_init(&q, &some, err));
    q.origin = *p->state; /* the float net as it is */
    dt_status st = look(&q, out, err);
    q.origin = (dt_state){ 0 };
    dt_ptq_fini(&q);
    return st;
}
