/* Biases of the integer model put back into the float one. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "autograd/op_batchnorm.h"
#include "autograd/query.h"
#include "integer/lower.h"

static bool is_zero(const dt_lower_product *p, int64_t o)
{
    for (int64_t i = 0; i < p->K; i++)
        if (p->code[o * p->K + i]) return false;
    return true;
}

/* beta + (own - mean) f = bias, with f = gamma / sqrt(var + eps) and the product's own bias, NULL:
 * 0. */
static void round_norm(const dt_node *norm, const real *own, const dt_lower_product *p,
                       dt_state *state)
{
    const dt_batchnorm_conf *c = norm->conf;
    real *gamma = state->data[norm->in[DT_BN_GAMMA]], *beta = state->data[norm->in[DT_BN_BETA]];
    const real *mean = state->data[norm->in[DT_BN_MEAN]], *var = state->data[norm->in[DT_BN_VAR]];
    for (int64_t o = 0; o < p->O; o++) {
        if (is_zero(p, o)) gamma[o] = 0;
        double f = (double)gamma[o] / sqrt((double)var[o] + c->eps);
        double bias = (double)p->bias_code[o] * (double)p->bias_scale[p->scales > 1 ? o : 0];
        beta[o] = (real)(bias + ((double)mean[o] - (own ? (double)own[o] : 0)) * f);
    }
}

static void round_bias(real *bias, const dt_lower_product *p)
{
    for (int64_t o = 0; o < p->O; o++)
        bias[o] = (real)((double)p->bias_code[o] * (double)p->bias_scale[p->scales > 1 ? o : 0]);
}

void dt_lower_round_biases(const dt_lowered *l, dt_state *state, int *out_count)
{
    const dt_graph *g = l->src.graph;
    *out_count = 0;
    for (int i = 0; i < g->node_count; i++) {
        const dt_lower_product *p = l->product[i];
        const dt_node *norm = p ? dt_query_norm(g, l->needed, &g->node[i]) : NULL;
        if (!p || !p->has_bias || !p->bias_code) continue;
        int own = dt_query_bias(&g->node[i]);
        real *bias = own >= 0 ? state->data[own] : NULL;
        if (norm)
            round_norm(norm, bias, p, state);
        else
            round_bias(bias, p);
        *out_count += (int)p->O;
    }
}
