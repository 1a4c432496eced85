/* Quantized weights: their grids, and putting them there. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "autograd/op_fakequant.h"
#include "autograd/query.h"
#include "fakequant/floor.h"
#include "fakequant/quantizers.h"
#include "ptq/engine.h"

bool dt_ptq_weight_of(const dt_ptq *q, const dt_node *product, dt_ptq_weight *out)
{
    const dt_op_product *of = product->op->product;
    if (!of) return false;
    const dt_node *site = dt_query_maker(q->g, product->in[of->w]);
    const dt_fakequant_conf *c = dt_query_quantizer(site);
    if (!c || q->g->value[site->in[0]].kind != DT_VALUE_PARAM) return false;
    const dt_shape *shape = &q->g->value[site->in[0]].shape;
    *out = (dt_ptq_weight){ .site = site,
                            .product = product,
                            .conf = c,
                            .at = dt_fakequant_site(c, shape),
                            .value = site->in[0],
                            .count = dt_shape_count(shape) };
    return true;
}

/* The node's parameters as they lie in a state. */
static void params_of(const dt_state *s, const dt_node *site, void **out)
{
    for (int i = 1; i <= dt_query_params(site); i++)
        out[i - 1] = s->data[site->in[i]];
}

static void encoder(const dt_ptq *q, const dt_ptq_weight *w, int64_t group, dt_encode *out)
{
    void *param[DT_OP_MAX_IN];
    real p[DT_QUANT_MAX_PARAMS];
    params_of(q->p->state, w->site, param);
    dt_fakequant_plan(w->conf, &w->at, param, NULL, group, p, out);
}

dt_status dt_ptq_encoders(const dt_ptq *q, const dt_ptq_weight *w, dt_encode *out, dt_error *err)
{
    const dt_quantizer *row = w->conf->quantizer;
    bool affine = !dt_quant_transforms(row, &w->at) && row->stat_count == 0;
    for (int64_t i = 0; affine && i < w->at.groups; i++) {
        encoder(q, w, i, &out[i]);
        affine = out[i].thresholds == 0;
    }
    if (affine) return DT_OK;
    return dt_fail(err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = w->site->name },
                   "'%s' has no even grid with a scale of its own, which this stage needs; take "
                   "lsq",
                   row->row.name);
}

void dt_ptq_round_nearest(const dt_ptq *q, const dt_ptq_weight *w, real *x)
{
    const dt_quantizer *row = w->conf->quantizer;
    if (dt_quant_transforms(row, &w->at) || row->stat_count) return;
    for (int64_t i = 0; i < w->at.groups; i++) {
        dt_encode e;
        real *at = x + i * w->at.count;
        encoder(q, w, i, &e);
        dt_quantizer_apply(&e, w->at.count, at, at);
    }
}

/* Of a run of one group, at most CHUNK. */
enum { CHUNK = 512 };
static int64_t changed_in(const dt_encode *e, int64_t n, const real *now, const real *was)
{
    real a[CHUNK], b[CHUNK];
    int64_t changed = 0;
    dt_quantizer_apply(e, n, now, a);
    dt_quantizer_apply(e, n, was, b);
    for (int64_t i = 0; i < n; i++)
        changed += a[i] != b[i];
    return changed;
}

int64_t dt_ptq_changed(const dt_ptq *q, const dt_ptq_weight *w)
{
    const real *now = q->p->state->data[w->value], *was = q->origin.data[w->value];
    const dt_quantizer *row = w->conf->quantizer;
    int64_t changed = 0;
    if (dt_quant_transforms(row, &w->at) || row->stat_count) return 0;
    for (int64_t group = 0; group < w->at.groups; group++) {
        dt_encode e;
        encoder(q, w, group, &e);
        for (int64_t at = 0; at < w->at.count; at += CHUNK) {
            int64_t n = w->at.count - at < CHUNK ? w->at.count - at : CHUNK;
            int64_t i = group * w->at.count + at;
            changed += changed_in(&e, n, now + i, was + i);
        }
    }
    return changed;
}

dt_status dt_ptq_settle(const dt_ptq *q, dt_error *err)
{
    for (int i = 0; i < q->g->node_count; i++) {
        dt_ptq_weight w;
        if (!dt_ptq_weight_of(q, &q->g->node[i], &w)) continue;
        real *x = q->p->state->data[w.value];
        dt_ptq_round_nearest(q, &w, x);
        for (int64_t k = 0; k < w.count; k++)
            if (!isfinite(x[k]))
                return dt_fail(err, DT_ERR_NUMERIC, &(dt_where){ .key = w.site->name },
                               "element %lld of the weight is %g", (long long)k, (double)x[k]);
    }
    return DT_OK;
}

void dt_ptq_site_ends(const dt_ptq *q, const dt_node *site, real *out)
{
    void *param[DT_OP_MAX_IN];
    real p[DT_QUANT_MAX_PARAMS];
    const dt_fakequant_conf *c = site->conf;
    const dt_quant_site at = dt_fakequant_site(c, &q->g->value[site->in[0]].shape);
    const real far[2] = { -1e30F, 1e30F };
    dt_encode e;
    params_of(q->p->state, site, param);
    dt_fakequant_plan(c, &at, param, NULL, 0, p, &e);
    dt_quantizer_apply(&e, 2, far, out);
}

void dt_ptq_hold(const dt_ptq *q, const dt_node *site, real *const *before)
{
    const dt_fakequant_conf *c = site->conf;
    int count = dt_query_params(site);
    for (int64_t group = 0; group < c->site.groups; group++) {
        real was[DT_QUANT_MAX_PARAMS], is[DT_QUANT_MAX_PARAMS];
        for (int i = 0; i < count; i++) {
            was[i] = before[i][group];
            is[i] = q->p->state->data[site->in[1 + i]][group];
        }
        if (dt_floor_hold(c, was, is) == DT_HELD_NOT) continue;
        for (int i = 0; i < count; i++)
            q->p->state->data[site->in[1 + i]][group] = is[i];
    }
}
