/* Biases of the integer model put back into the float one. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "autograd/op_batchnorm.h"
#include "export/lower.h"

static bool is_zero(const dt_lower_product *p, int64_t o)
{
    for (int64_t i = 0; i < p->K; i++)
        if (p->code[o * p->K + i]) return false;
    return true;
}

/* beta - mean f = bias, with f = gamma / sqrt(var + eps). */
static void snap_norm(const dt_node *norm, const dt_lower_product *p, dt_state *state)
{
    const dt_batchnorm_conf *c = norm->conf;
    real *gamma = state->data[norm->in[DT_BN_GAMMA]], *beta = state->data[norm->in[DT_BN_BETA]];
    const real *mean = state->data[norm->in[DT_BN_MEAN]], *var = state->data[norm->in[DT_BN_VAR]];
    for (int64_t o = 0; o < p->O; o++) {
        if (is_zero(p, o)) gamma[o] = 0;
        double f = (double)gamma[o] / sqrt((double)var[o] + c->eps);
        double bias = (double)p->bias_code[o] * (double)p->bias_scale[p->scales > 1 ? o : 0];
        beta[o] = (real)(bias + (double)mean[o] * f);
    }
}

static void snap_bias(const dt_node *linear, const dt_lower_product *p, dt_state *state)
{
    real *bias = state->data[linear->in[2]];
    for (int64_t o = 0; o < p->O; o++)
        bias[o] = (real)((double)p->bias_code[o] * (double)p->bias_scale[p->scales > 1 ? o : 0]);
}

static dt_status snap(const dt_export_source *src, const bool *needed, dt_arena *arena,
                      dt_state *state, int *out_count, dt_error *err)
{
    const dt_graph *g = src->graph;
    for (int i = 0; i < g->node_count; i++) {
        const dt_node *n = &g->node[i], *norm = dt_lower_norm(g, needed, n);
        if (!needed[i] || !dt_lower_is_product(n)) continue;
        const dt_node *site = dt_lower_site(g, n->in[0]);
        dt_lower_grid x;
        dt_lower_product p;
        if (!site || !dt_lower_site(g, n->in[1])) continue;
        DT_TRY(dt_lower_activation(src, site, &x, err));
        DT_TRY(dt_lower_fold(src, n, norm, &x, arena, &p, err));
        if (!p.has_bias) continue;
        if (norm)
            snap_norm(norm, &p, state);
        else
            snap_bias(n, &p, state);
        *out_count += (int)p.O;
    }
    return DT_OK;
}

dt_status dt_lower_snap(const dt_export_source *src, dt_state *state, int *out_count, dt_error *err)
{
    dt_arena *arena = dt_arena_new(src->alloc, "snap");
    bool *needed = arena ? dt_arena_get(arena, (size_t)src->graph->node_count + 1) : NULL;
    int count = 0;
    dt_status st = DT_OK;
    if (!needed) {
        st = dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to round biases");
    } else {
        dt_lower_cone(src, needed);
        st = snap(src, needed, arena, state, &count, err);
    }
    dt_arena_free(arena);
    if (st == DT_OK) *out_count = count;
    return st;
}
