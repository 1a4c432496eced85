/* Weights against their grid, and costs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/inspect/inspect_layers.h"

#include <math.h>

#include "autograd/op_fakequant.h"
#include "autograd/query.h"
#include "exchange/exporter.h"
#include "train/inspect/inspect_activations.h"

/* `room`: of three times the weights and all statistics. */
static void add_groups(const dt_graph *g, const dt_state *state, const dt_node *node, real *room,
                       dt_inspect_fit *fit)
{
    const dt_fakequant_conf *c = node->conf;
    const dt_quantizer *q = c->quantizer;
    const dt_shape *shape = &g->value[node->in[0]].shape;
    dt_quant_site site = dt_fakequant_site(c, shape);
    int64_t n = dt_shape_count(shape);
    real *y = room, *t = room + n, *stats = room + 3 * n;
    const real *x = dt_lower_values(g, state, node, room + 2 * n, NULL);
    if (q->transform) {
        q->transform(c->options, &site, x, t, stats);
        x = t;
    }
    for (int64_t k = 0; k < site.groups; k++) {
        real params[DT_QUANT_MAX_PARAMS];
        for (int i = 1; i <= dt_query_params(node); i++)
            params[i - 1] = state->data[node->in[i]][k];
        dt_inspect_fit_add(fit, c, &site, params, stats + k * q->stat_count, x + k * site.count, y);
    }
}

dt_status dt_inspect_weights(const dt_graph *g, const dt_state *state, const dt_node *site,
                             const dt_alloc *a, dt_inspect_fit *fit, dt_error *err)
{
    const dt_fakequant_conf *c = site->conf;
    const dt_shape *shape = &g->value[site->in[0]].shape;
    size_t stats = (size_t)(dt_fakequant_site(c, shape).groups * c->quantizer->stat_count);
    size_t count = 3 * (size_t)dt_shape_count(shape) + stats + 1;
    real *room = dt_get_array(a, count, sizeof *room, "inspection");
    if (!room) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to look at weights");
    *fit = (dt_inspect_fit){ 0 };
    add_groups(g, state, site, room, fit);
    dt_put(a, room);
    return DT_OK;
}

static dt_status judge_weights(const dt_graph *g, const dt_state *state, const dt_node *site,
                               const dt_alloc *a, dt_inspect_layer *l, dt_error *err)
{
    const dt_fakequant_conf *c = site->conf;
    dt_inspect_fit fit;
    DT_TRY(dt_inspect_weights(g, state, site, a, &fit, err));
    l->method = c->quantizer->row.name;
    l->w_bits = c->site.bits;
    l->clipped = fit.has_grid ? (double)fit.clipped / (double)fit.count : -1;
    l->sqnr_db = dt_inspect_sqnr(&fit);
    return DT_OK;
}

dt_status dt_inspect_layer_of(const dt_graph *g, const dt_state *state, const dt_node *node,
                              const dt_alloc *a, dt_inspect_layer *out, dt_error *err)
{
    const dt_node *w = dt_query_site(g, node->in[1]), *x = dt_query_site(g, node->in[0]);
    const real *weight = state->data[dt_query_latent(g, node->in[1])];
    dt_inspect_layer l = { .name = node->name,
                           .op = node->op->name,
                           .weight = g->value[node->in[1]].shape,
                           .in = g->value[node->in[0]].shape,
                           .out = g->value[node->out[0]].shape,
                           .w_bits = DT_FLOAT_BITS,
                           .a_bits = DT_FLOAT_BITS,
                           .clipped = -1,
                           .sqnr_db = INFINITY };
    l.weights = dt_shape_count(&l.weight);
    l.low = l.high = (double)weight[0];
    for (int64_t i = 1; i < l.weights; i++) {
        l.low = fmin(l.low, (double)weight[i]);
        l.high = fmax(l.high, (double)weight[i]);
    }
    if (x) l.a_bits = ((const dt_fakequant_conf *)x->conf)->site.bits;
    if (w) DT_TRY(judge_weights(g, state, w, a, &l, err));
    l.macs = dt_query_macs(g, node);
    l.bops = l.macs * l.w_bits * l.a_bits;
    l.low_bytes = dt_export_low_bytes((size_t)l.weights, l.w_bits);
    l.container_bytes = (size_t)l.weights * (w ? 1 : sizeof(float));
    *out = l;
    return DT_OK;
}
