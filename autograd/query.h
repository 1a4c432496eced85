/* Questions about a graph, answered from the facts of its operations: who makes a value, who reads
 * it, on whose grid it lies. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_QUERY_H
#define DT_AUTOGRAD_QUERY_H

#include "autograd/graph.h"
#include "autograd/quantizer.h"

/* Index of a node of the graph. */
static inline int dt_query_index(const dt_graph *g, const dt_node *node)
{
    return (int)(node - g->node);
}

/* The node that computes a value; NULL: none does. */
static inline const dt_node *dt_query_maker(const dt_graph *g, int value)
{
    int i = g->value[value].producer;
    return i >= 0 ? &g->node[i] : NULL;
}

/* Walks the uses of a value, in the order of nodes: const dt_use *u. */
#define DT_QUERY_EACH_USE(u, g, v)                                                                 \
    for (const dt_use *u = (g)->value[v].first_use < 0 ? NULL                                      \
                                                       : &(g)->use[(g)->value[v].first_use];       \
         u; u = u->next < 0 ? NULL : &(g)->use[u->next])

/* The only node that reads a value, and once; NULL: none or several do. */
const dt_node *dt_query_reader(const dt_graph *g, int value);

/* needed[i]: one of `outputs` depends on node i. `needed` has node_count elements. */
void dt_query_cone(const dt_graph *g, const int *outputs, int count, bool *needed);
/* How many inputs of needed nodes read `value`; the last such node in `out_reader` (may be NULL).
 */
int dt_query_readers(const dt_graph *g, const bool *needed, int value, const dt_node **out_reader);

/* The configuration of a node that quantizes; NULL: it does not, or there is no node. */
static inline const dt_fakequant_conf *dt_query_quantizer(const dt_node *node)
{
    return node && node->op->quantizes ? node->conf : NULL;
}

/* How many parameters the quantizer of a node has, its inputs 1..count; 0 for other nodes. */
static inline int dt_query_params(const dt_node *node)
{
    const dt_fakequant_conf *c = dt_query_quantizer(node);
    return c ? c->quantizer->param_count : 0;
}

/* The parameter that a weight is made of, through its quantizer and a folded batch norm. */
int dt_query_latent(const dt_graph *g, int value);
/* The quantizer on whose grid a value lies, through nodes that only move values and add zeros, that
 * are nothing outside of training, and that divide by the factor of a folded batch norm. NULL: the
 * value is float. */
const dt_node *dt_query_site(const dt_graph *g, int value);

/* Is a value of four dimensions rows, columns and channels [N,H,W,C], which files have as
 * [N,C,H,W]? What attention makes has heads [N,H,T,S], also behind functions of it, and is so in
 * files, too. */
bool dt_query_is_map(const dt_graph *g, int value);

/* Multiply-accumulates of a node for one sample. */
int64_t dt_query_macs(const dt_graph *g, const dt_node *node);

/* The value that a product adds to its sums; -1: none. */
int dt_query_bias(const dt_node *product);
/* The batch norm that alone of needed nodes (NULL: of all) reads what a product gives, and as what
 * it normalises: it can be part of that product, with its bias. NULL: none; also for no node. */
const dt_node *dt_query_norm(const dt_graph *g, const bool *needed, const dt_node *product);
/* Is it a batch norm that is part of no product? */
bool dt_query_norm_alone(const dt_graph *g, const bool *needed, const dt_node *n);

#endif
