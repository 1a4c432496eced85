/* Folding batch norm in training (`quant.fold_norm`): around the quantizer of every convolution's
 * weight that a batch norm follows, fold_norm nodes that multiply by its factor and divide by it
 * again (autograd/op_fold_norm.c). */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_batchnorm.h"
#include "autograd/op_fold_norm.h"
#include "autograd/query.h"
#include "autograd/rewrite.h"
#include "train/net/net.h"

static dt_status no_memory(dt_error *err)
{
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a graph");
}

/* The quantizer of the weight of the product before a batch norm; NULL: none that nothing else
 * reads. */
static const dt_node *quantizer_before(const dt_graph *g, const dt_node *norm)
{
    if (!norm->op->batch_stat) return NULL;
    const dt_node *product = dt_query_maker(g, norm->in[DT_BN_X]);
    if (!product || dt_query_norm(g, NULL, product) != norm) return NULL;
    int w = product->in[product->op->product->w];
    const dt_node *quantizer = dt_query_maker(g, w);
    return dt_query_quantizer(quantizer) && g->value[w].uses == 1 ? quantizer : NULL;
}

/* A node of out's own around a quantizer; `x` is a value of out. */
static dt_status add_node(dt_rewrite *r, const dt_node *norm, const char *part, const char *site,
                          bool undo, int x, int *out, dt_error *err)
{
    const dt_batchnorm_conf *c = norm->conf;
    const dt_fold_norm_conf conf = { c->eps, undo };
    const char *name = dt_arena_printf(r->out->arena, "%s.%s", site, part);
    if (!name) return no_memory(err);
    const int in[] = { x, r->value[norm->in[DT_BN_GAMMA]], r->value[norm->in[DT_BN_VAR]] };
    return dt_graph_node(r->out, "fold_norm", name, &conf, in, 3, out, err);
}

/* Quantizers get their factors before and behind; `arg`: by node, the batch norm that is folded
 * into what it quantizes, NULL: none. */
static dt_status visit(dt_rewrite *r, int i)
{
    const dt_node *const *norm_of = r->arg, *norm = norm_of[i];
    dt_node node = r->source->node[i];
    int y = node.out[0], undone;
    if (!norm) return dt_rewrite_put(r, &node);
    DT_TRY(add_node(r, norm, "fold", node.name, false, r->value[node.in[0]], &node.in[0], r->err));
    DT_TRY(dt_rewrite_put(r, &node));
    DT_TRY(add_node(r, norm, "unfold", node.name, true, y, &undone, r->err));
    r->value[y] = undone;
    return DT_OK;
}

dt_status dt_net_fold(dt_net *net, dt_error *err)
{
    const dt_graph *g = &net->graph;
    int found = 0;
    const dt_node **norm_of = dt_arena_get(g->arena, sizeof *norm_of * (size_t)(g->node_count + 1));
    if (!norm_of) return no_memory(err);
    for (int i = 0; i < g->node_count; i++) {
        const dt_node *quantizer = quantizer_before(g, &g->node[i]);
        if (!quantizer) continue;
        norm_of[dt_query_index(g, quantizer)] = &g->node[i];
        found++;
    }
    if (found == 0)
        return dt_fail(err, DT_ERR_NOT_FOUND, &(dt_where){ .key = "quant.fold_norm" },
                       "no batch norm follows a convolution with quantized weights");
    return dt_graph_remake(&net->graph, visit, norm_of, err);
}
