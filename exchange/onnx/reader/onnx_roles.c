/* Roles of layers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_roles.h"

#include "autograd/query.h"
#include "fakequant/choice.h"

/* Does the node give elements of its first input, and nothing else that matters for roles? */
static bool passes(const dt_node *n)
{
    return n->op->moves_codes || n->op->identity_in_eval || n->op->quantizes;
}

/* The product behind v, past batch norms and what only moves elements; NULL: there is another node.
 */
static const dt_node *product_behind(const dt_graph *g, int v)
{
    const dt_node *n = dt_query_maker(g, v);
    while (n && (passes(n) || n->op->batch_stat))
        n = dt_query_maker(g, n->in[0]);
    return n && n->op->product ? n : NULL;
}

static bool reads_input(const dt_graph *g, const dt_node *product)
{
    int v = product->in[product->op->product->x];
    const dt_node *n;
    while ((n = dt_query_maker(g, v)) != NULL && passes(n))
        v = n->in[0];
    return n == NULL;
}

/* One tap, or none at all. */
static bool is_pointwise(const dt_graph *g, const dt_node *product)
{
    const dt_shape *w = &g->value[product->in[product->op->product->w]].shape;
    for (int i = 1; i + 1 < w->rank; i++)
        if (w->dim[i] != 1) return false;
    return true;
}

/* How many products lie between v and its ancestor `from`, along first inputs; -1: it is none. */
static int products_between(const dt_graph *g, int from, int v)
{
    int count = 0;
    while (v != from) {
        const dt_node *n = dt_query_maker(g, v);
        if (!n) return -1;
        count += n->op->product != NULL;
        v = n->in[n->op->product ? n->op->product->x : 0];
    }
    return count;
}

static void set_shortcuts(dt_graph *g, const dt_node *sum)
{
    for (int k = 0; k < 2; k++) {
        const dt_node *p = product_behind(g, sum->in[k]);
        if (!p || !is_pointwise(g, p)) continue;
        int x = p->in[p->op->product->x];
        if (g->value[x].uses < 2 || products_between(g, x, sum->in[!k]) < 2) continue;
        g->node[dt_query_index(g, p)].role = DT_LAYER_SHORTCUT;
    }
}

/* A sum, or the limit behind one that nobody else reads: these have a site already. */
static bool ends_sum(const dt_graph *g, const dt_node *n)
{
    const dt_node *before = dt_query_maker(g, n->in[0]);
    return n->op->sum ||
           (n->op->limits && before && before->op->sum && dt_query_reader(g, n->in[0]) != NULL);
}

static void set_stream(dt_graph *g, int v)
{
    int at = g->value[v].producer;
    if (at < 0) return;
    dt_node *n = &g->node[at];
    if (!ends_sum(g, n) && !n->op->sum) n->stream = n->name;
}

/* Do its readers put it on grids of their own, or on none? Then one in front of them serves all:
 * what ends on several is no integer layer in a runtime. Products alone share theirs, and so do
 * sums, means and functions. */
static bool wants_one_grid(const dt_graph *g, int v)
{
    bool products = false, streams = false, others = false;
    if (g->value[v].uses < 2) return false;
    DT_QUERY_EACH_USE(u, g, v)
    {
        const dt_op *op = g->node[u->node].op;
        bool table = op->function && !op->limits && !op->in_float;
        if (op->part) continue; /* of a layer for several: each has its own behind it */
        if (op->product)
            products = true;
        else if (op->sum || op->on_grids || op->window_mean || op->moves_codes || table)
            streams = true;
        else
            others = true;
    }
    return others || (products && streams);
}

void dt_ox_roles(dt_graph *g, int first_node, const int *output, int outputs)
{
    for (int i = first_node; i < g->node_count; i++) {
        dt_node *n = &g->node[i];
        if (n->op->product && reads_input(g, n)) n->role = DT_LAYER_FIRST;
        if (n->op->sum) set_shortcuts(g, n);
        for (int k = 0; k < (n->op->sum ? 2 : n->op->moves_codes ? 1 : 0); k++)
            if (g->value[n->in[k]].uses > 1) set_stream(g, n->in[k]);
        for (int k = 0; k < n->out_count; k++)
            if (wants_one_grid(g, n->out[k])) set_stream(g, n->out[k]);
    }
    for (int i = 0; i < outputs; i++) {
        const dt_node *last = product_behind(g, output[i]);
        if (last) g->node[dt_query_index(g, last)].role = DT_LAYER_LAST;
    }
}
