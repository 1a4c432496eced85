/* Folding batch norm in training (`quant.fold_norm`): around the quantizer of every convolution's
 * weight that a batch norm follows, fold_norm nodes that multiply by its factor and divide by it
 * again (autograd/op_fold_norm.c). */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "autograd/op_batchnorm.h"
#include "autograd/op_fold_norm.h"
#include "autograd/quantizer.h"
#include "train/net.h"

static dt_status no_memory(dt_error *err)
{
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a graph");
}

static int readers(const dt_graph *g, int value)
{
    int count = 0;
    for (int i = 0; i < g->node_count; i++)
        for (int k = 0; k < g->node[i].in_count; k++)
            count += g->node[i].in[k] == value;
    return count;
}

/* The fakequant node of the weight of the convolution before a batch norm, -1: none that nothing
 * else reads. */
static int quantizer_before(const dt_graph *g, const dt_node *norm)
{
    int x = norm->in[DT_BN_X], conv = g->value[x].producer;
    if (strcmp(norm->op->name, "batchnorm") != 0 || conv < 0 || readers(g, x) != 1) return -1;
    if (strcmp(g->node[conv].op->name, "conv2d") != 0) return -1;
    int w = g->node[conv].in[1], quantizer = g->value[w].producer;
    return quantizer >= 0 && strcmp(g->node[quantizer].op->name, "fakequant") == 0 ? quantizer : -1;
}

static dt_status add_node(dt_net *net, const dt_node *norm, const char *part, const char *site,
                          bool undo, int x, int *out, dt_error *err)
{
    const dt_batchnorm_conf *c = norm->conf;
    const dt_fold_norm_conf conf = { c->eps, undo };
    const char *name = dt_arena_printf(net->graph.arena, "%s.%s", site, part);
    if (!name) return no_memory(err);
    const int in[] = { x, norm->in[DT_BN_GAMMA], norm->in[DT_BN_VAR] };
    return dt_graph_node(&net->graph, "fold_norm", name, &conf, in, 3, out, err);
}

/* Nodes were added at the end: each goes to its quantizer. `before` and `after`: by node, -1: none.
 */
static dt_status put_in_order(dt_graph *g, int count, const int *before, const int *after,
                              dt_error *err)
{
    dt_node *node = dt_arena_get(g->arena, sizeof *node * (size_t)g->node_count);
    int n = 0;
    if (!node) return no_memory(err);
    for (int i = 0; i < count; i++) {
        if (before[i] >= 0) node[n++] = g->node[before[i]];
        node[n++] = g->node[i];
        if (after[i] >= 0) node[n++] = g->node[after[i]];
    }
    memcpy(g->node, node, sizeof *node * (size_t)n);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < g->node[i].out_count; k++)
            g->value[g->node[i].out[k]].producer = i;
    return DT_OK;
}

dt_status dt_net_fold(dt_net *net, dt_error *err)
{
    dt_graph *g = &net->graph;
    int count = g->node_count, found = 0;
    int *before = dt_arena_get(g->arena, sizeof *before * (size_t)(2 * count + 2));
    if (!before) return no_memory(err);
    int *after = before + count + 1;
    for (int i = 0; i < count; i++)
        before[i] = after[i] = -1;
    for (int i = 0; i < count; i++) {
        int at = quantizer_before(g, &g->node[i]), folded, undone;
        if (at < 0 || before[at] >= 0) continue;
        const dt_node norm = g->node[i];
        int conv = g->value[norm.in[DT_BN_X]].producer, y = g->node[at].out[0];
        if (readers(g, y) != 1) continue;
        const char *site = g->node[at].name;
        before[at] = g->node_count;
        DT_TRY(add_node(net, &norm, "fold", site, false, g->node[at].in[0], &folded, err));
        after[at] = g->node_count;
        DT_TRY(add_node(net, &norm, "unfold", site, true, y, &undone, err));
        g->node[at].in[0] = folded;
        g->node[conv].in[1] = undone;
        found++;
    }
    if (found == 0)
        return dt_fail(err, DT_ERR_NOT_FOUND, &(dt_where){ .key = "quant.fold_norm" },
                       "no batch norm follows a convolution with quantized weights");
    return put_in_order(g, count, before, after, err);
}
