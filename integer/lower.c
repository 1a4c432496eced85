/* What of a graph is not quantized, and what the quantizers of weights round. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "integer/lower.h"

#include <stdio.h>
#include <string.h>

#include "autograd/op_fold_norm.h"
#include "autograd/query.h"

const real *dt_lower_values(const dt_graph *g, const dt_state *state, const dt_node *site,
                            real *room, double *factor)
{
    const dt_node *fold = dt_query_maker(g, site->in[0]);
    const real *w = state->data[dt_query_latent(g, site->in[0])];
    const dt_shape *shape = &g->value[site->in[0]].shape;
    int64_t O = shape->dim[0], K = dt_shape_count(shape) / O;
    for (int64_t o = 0; o < O; o++) {
        double c = fold ? dt_fold_norm_factor(fold->conf, state->data[fold->in[DT_FOLD_GAMMA]][o],
                                              state->data[fold->in[DT_FOLD_VAR]][o])
                        : 1;
        if (factor) factor[o] = c;
        for (int64_t i = o * K; fold && i < (o + 1) * K; i++)
            room[i] = (real)((double)w[i] * c);
    }
    return fold ? room : w;
}

typedef struct list {
    char *text;
    size_t size, used;
    int count;
} list;

enum { LIST_NAMES = 6 };

static void add_missing(list *l, const char *what, const char *layer)
{
    if (l->count++ >= LIST_NAMES) return;
    int n = snprintf(l->text + l->used, l->size - l->used, "%s%s of '%s'", l->used ? ", " : "",
                     what, layer);
    if (n > 0) l->used += (size_t)n;
    if (l->used >= l->size) l->used = l->size - 1;
}

void dt_lower_cone(const dt_lower_source *src, bool *needed)
{
    int outputs[DT_GRAPH_PORTS];
    dt_query_cone(src->graph, outputs, dt_graph_wanted(src->graph, src->logits, outputs), needed);
}

bool dt_lower_is_output(const dt_lower_source *src, int value)
{
    return value == src->logits || dt_graph_is_output(src->graph, value);
}

/* Is the node part of the integer form of the layer before it? */
static bool joins_layer(const dt_node *n)
{
    return n->op->batch_stat || n->op->limits || n->op->identity_in_eval;
}

/* Is the value quantized by everyone who reads it, past what is part of the layer's integer form
 * and past nodes that take a part of it or join it with others? The last value must be on a grid
 * itself. */
static bool is_quantized_after(const dt_lower_source *src, const bool *needed, int value)
{
    const dt_graph *g = src->graph;
    const dt_node *reader = NULL;
    while (dt_query_readers(g, needed, value, &reader) == 1 && joins_layer(reader))
        value = reader->out[0];
    if (dt_lower_is_output(src, value)) return false;
    DT_QUERY_EACH_USE(u, g, value)
    {
        const dt_node *n = &g->node[u->node];
        if (!needed[u->node] || n->op->quantizes) continue;
        bool passes = n->op->part || n->op->joins;
        if (!passes || !is_quantized_after(src, needed, n->out[0])) return false;
    }
    return true;
}

/* Does it become a table of codes? */
static bool is_table(const dt_lower_source *src, const bool *needed, const dt_node *n)
{
    return (n->op->function && !n->op->limits && !n->op->in_float) ||
           dt_query_norm_alone(src->graph, needed, n);
}

static void check_node(const dt_lower_source *src, const bool *needed, const dt_node *n, list *l)
{
    const dt_graph *g = src->graph;
    const dt_op *op = n->op;
    bool one = op->product || op->window_mean || op->on_grids == 1 || is_table(src, needed, n);
    int operands = op->sum || op->matmul || op->on_grids > 1 ? 2 : one ? 1 : 0;
    if (op->product && !dt_query_site(g, n->in[op->product->w])) add_missing(l, "weights", n->name);
    for (int k = 0; k < operands; k++)
        if (!dt_query_site(g, n->in[k])) {
            add_missing(l, op->sum ? "an addend" : op->matmul ? "an operand" : "input", n->name);
            break;
        }
    if (operands && !is_quantized_after(src, needed, n->out[0])) add_missing(l, "output", n->name);
}

int dt_lower_floats(const dt_lower_source *src, const bool *needed)
{
    int count = 0;
    for (int i = 0; i < src->graph->node_count; i++)
        count += needed[i] && src->graph->node[i].op->in_float;
    return count;
}

int dt_lower_missing(const dt_lower_source *src, const bool *needed, char *text, size_t size)
{
    list l = { text, size, 0, 0 };
    text[0] = '\0';
    for (int i = 0; i < src->graph->node_count; i++)
        if (needed[i]) check_node(src, needed, &src->graph->node[i], &l);
    return l.count;
}

double dt_lower_macs(const dt_lower_source *src, const bool *needed)
{
    int64_t all = 0, whole = 0;
    for (int i = 0; i < src->graph->node_count; i++) {
        const dt_node *n = &src->graph->node[i];
        char text[1];
        list missing = { text, sizeof text, 0, 0 };
        int64_t macs = needed[i] ? dt_query_macs(src->graph, n) : 0;
        if (macs == 0) continue;
        check_node(src, needed, n, &missing);
        all += macs;
        whole += missing.count || n->op->in_float ? 0 : macs;
    }
    return all ? (double)whole / (double)all : 1;
}
