/* Questions about a graph. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/query.h"

#include "autograd/op_batchnorm.h"
#include "autograd/op_fold_norm.h"

const dt_node *dt_query_reader(const dt_graph *g, int value)
{
    const dt_value *v = &g->value[value];
    return v->uses == 1 ? &g->node[g->use[v->first_use].node] : NULL;
}

int dt_query_readers(const dt_graph *g, const bool *needed, int value, const dt_node **out_reader)
{
    int count = 0;
    DT_QUERY_EACH_USE(u, g, value)
    {
        if (needed && !needed[u->node]) continue;
        if (out_reader) *out_reader = &g->node[u->node];
        count++;
    }
    return count;
}

void dt_query_cone(const dt_graph *g, const int *outputs, int count, bool *needed)
{
    for (int i = g->node_count - 1; i >= 0; i--) {
        needed[i] = false;
        for (int k = 0; k < g->node[i].out_count; k++) {
            int out = g->node[i].out[k];
            for (int j = 0; j < count; j++)
                needed[i] = needed[i] || out == outputs[j];
            needed[i] = needed[i] || dt_query_readers(g, needed, out, NULL) > 0;
        }
    }
}

int dt_query_latent(const dt_graph *g, int value)
{
    const dt_node *n;
    while ((n = dt_query_maker(g, value)) != NULL)
        value = n->in[n->op->folds_norm ? DT_FOLD_W : 0];
    return value;
}

const dt_node *dt_query_site(const dt_graph *g, int value)
{
    for (;;) {
        const dt_node *n = dt_query_maker(g, value);
        if (!n || n->op->quantizes) return n;
        bool keeps = n->op->moves_codes || n->op->identity_in_eval || n->op->folds_norm;
        if (!keeps) return NULL;
        value = n->in[0];
    }
}

bool dt_query_is_map(const dt_graph *g, int value)
{
    if (g->value[value].shape.rank != 4) return false;
    for (const dt_node *n; (n = dt_query_maker(g, value)) != NULL; value = n->in[0]) {
        if (n->op->matmul) return false;
        bool same = dt_shape_equal(&g->value[value].shape, &g->value[n->in[0]].shape);
        if (!same || n->op->moves_codes || n->op->product) return true;
    }
    return true;
}

int64_t dt_query_macs(const dt_graph *g, const dt_node *node)
{
    dt_shape in[DT_OP_MAX_IN], out[DT_OP_MAX_OUT];
    for (int i = 0; i < node->in_count; i++)
        in[i] = g->value[node->in[i]].shape;
    for (int i = 0; i < node->out_count; i++)
        out[i] = g->value[node->out[i]].shape;
    return node->op->macs ? node->op->macs(node->conf, in, out) : 0;
}

int dt_query_bias(const dt_node *product)
{
    const dt_op_product *p = product->op->product;
    return p->bias >= 0 && p->bias < product->in_count ? product->in[p->bias] : -1;
}

const dt_node *dt_query_norm(const dt_graph *g, const bool *needed, const dt_node *product)
{
    const dt_node *reader = NULL;
    if (!product || !product->op->product) return NULL;
    int y = product->out[0];
    bool alone = dt_query_readers(g, needed, y, &reader) == 1;
    return alone && reader->op->batch_stat && reader->in[DT_BN_X] == y ? reader : NULL;
}

bool dt_query_norm_alone(const dt_graph *g, const bool *needed, const dt_node *n)
{
    return n->op->batch_stat && dt_query_norm(g, needed, dt_query_maker(g, n->in[DT_BN_X])) != n;
}
