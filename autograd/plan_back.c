/* Gradients of a step: which there are, where they lie, and what backward passes share or make
 * again.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/plan_build.h"
#include "autograd/query.h"

/* Marks which inputs get gradients: those through which a parameter is reached, or a value whose
 * gradient is wanted. */
void dt_plan_mark_gradients(dt_plan *p, const bool *frozen, bool *has_grad)
{
    const dt_graph *g = p->graph;
    for (int i = 0; i < g->value_count; i++) {
        bool param = g->value[i].kind == DT_VALUE_PARAM && !p->given[i];
        has_grad[i] = p->keeps_grad[i] || (param && !(frozen && frozen[i]));
    }
    for (int i = 0; i < g->node_count; i++) {
        const dt_node *node = &g->node[i];
        dt_plan_node *pn = &p->node[i];
        if (!pn->runs || !node->op->backward) continue;
        unsigned grads = node->op->grads;
        if (node->op->grads_of) grads = node->op->grads_of(node->conf, node->in_count);
        for (int j = 0; j < node->in_count; j++) {
            pn->wants[j] = (grads >> j & 1) && has_grad[node->in[j]];
            pn->runs_back = pn->runs_back || pn->wants[j];
        }
        for (int j = 0; j < node->out_count && pn->runs_back; j++)
            has_grad[node->out[j]] = has_grad[node->out[j]] || !p->given[node->out[j]];
    }
}

/* Gradients are real whatever the value is stored as. */
static size_t gradient_bytes(const dt_plan *p, int value)
{
    return (size_t)dt_shape_count(&p->shape[value]) * sizeof(real);
}

/* The gradient slot of an output that input j's gradient may take over, -1: none. */
static int shared_gradient(const dt_plan *p, const dt_node *node, int j)
{
    int k = j == 0 && node->op->grad_inplace ? 0 : -1;
    if (node->op->grad_shares) k = node->op->grad_shares(node->conf, j);
    if (k < 0 || !dt_plan_same_shape(p, node->in[j], node->out[k])) return -1;
    if (p->keeps_grad[node->out[k]]) return -1;
    return p->grad_slot[node->out[k]];
}

/* Extends the gradients of a node's outputs to its backward pass; false: nothing wrote them. */
static bool read_gradients(dt_plan *p, const dt_node *node, int time)
{
    bool any = false;
    for (int j = 0; j < node->out_count; j++) {
        if (!p->writes[node->out[j]] || p->given[node->out[j]]) continue;
        dt_plan_extend(p, p->grad_slot[node->out[j]], time);
        any = true;
    }
    return any;
}

/* Does the node want a gradient of the same value at an input before j? */
static bool wanted_before(const dt_plan_node *pn, const dt_node *node, int j)
{
    for (int k = 0; k < j; k++)
        if (pn->wants[k] && node->in[k] == node->in[j]) return true;
    return false;
}

/* Slots of gradients, in the order of the backward pass. The first contribution overwrites, later
 * ones add; the first may take over the slot of the gradient it is computed from. An op makes its
 * gradients in any order, so of one value at two inputs the second goes to memory of its own. */
void dt_plan_gradients(dt_plan *p)
{
    const dt_graph *g = p->graph;
    int n = g->node_count;
    for (int i = 0; i < p->seed_count || (p->seed_count == 0 && i == 0); i++) {
        int v = p->seed_count ? p->seed[i] : p->loss;
        if (p->writes[v]) continue;
        p->grad_slot[v] = dt_plan_slot(p, DT_SLOT_GRAD, v, n, n, gradient_bytes(p, v));
        p->writes[v] = true;
    }
    for (int i = g->node_count - 1; i >= 0; i--) {
        const dt_node *node = &g->node[i];
        dt_plan_node *pn = &p->node[i];
        int time = dt_plan_back_time(p, i);
        pn->runs_back = pn->runs_back && read_gradients(p, node, time);
        if (!pn->runs_back) continue;
        for (int j = 0; j < node->in_count; j++) {
            int v = node->in[j];
            if (!pn->wants[j]) continue;
            pn->add[j] = p->writes[v];
            p->writes[v] = true;
            size_t bytes = gradient_bytes(p, v);
            if (pn->add[j] && (!(node->op->accumulates >> j & 1) || wanted_before(pn, node, j)))
                pn->sum[j] = dt_plan_slot(p, DT_SLOT_SUM, i, time, time, bytes);
            if (g->value[v].kind == DT_VALUE_PARAM) continue;
            int shared = shared_gradient(p, node, j);
            if (p->grad_slot[v] >= 0)
                dt_plan_extend(p, p->grad_slot[v], time);
            else if (shared >= 0)
                p->grad_slot[v] = shared;
            else
                p->grad_slot[v] = dt_plan_slot(p, DT_SLOT_GRAD, v, time, time, bytes);
        }
    }
    for (int v = 0; v < g->value_count; v++)
        if (p->keeps_grad[v]) dt_plan_extend(p, p->grad_slot[v], 2 * n);
}

/* The node that reads v, -1: none, or several. */
static int only_reader(const dt_plan *p, int v)
{
    int reader = -1;
    DT_QUERY_EACH_USE(u, p->graph, v)
    {
        if (!p->node[u->node].runs) continue;
        if (reader >= 0) return -1;
        reader = u->node;
    }
    return reader;
}

/* Which gradients are finished by the pass that reads them: those with one reader of the value and
 * one of the gradient. What they are made of is kept until then. */
void dt_plan_unfinished(dt_plan *p)
{
    const dt_graph *g = p->graph;
    for (int i = 0; i < g->node_count; i++) {
        const dt_node *node = &g->node[i];
        dt_plan_node *pn = &p->node[i];
        int v = node->in[0], producer = g->value[v].producer;
        if (!pn->runs_back || !pn->wants[0] || pn->add[0] || !node->op->finish_grad) continue;
        if (producer < 0 || !p->node[producer].runs_back || only_reader(p, v) < 0) continue;
        if (p->keeps_grad[v] || p->given[v]) continue;
        if (!g->node[producer].op->takes_unfinished || g->node[producer].out[0] != v) continue;
        pn->leaves = true;
        p->node[producer].unfinished_by = i;
        dt_plan_extend(p, p->value_slot[v], dt_plan_back_time(p, producer));
    }
}

/* Which values are not kept between forward and backward but made twice: those of ops that say so,
 * with one reader. */
void dt_plan_remakes(dt_plan *p)
{
    const dt_graph *g = p->graph;
    for (int i = 0; i < g->node_count; i++) {
        const dt_node *node = &g->node[i];
        if (!p->node[i].runs_back || !node->op->remakes) continue;
        dt_shape in[DT_OP_MAX_IN];
        dt_plan_shapes(p, node->in, node->in_count, in);
        int v = node->out[0], reader = only_reader(p, v);
        if (reader < 0 || !node->op->remakes(node->conf, in)) continue;
        dt_slot *s = &p->slot[p->value_slot[v]];
        int time = dt_plan_back_time(p, reader);
        if (!p->node[reader].runs_back || s->last < time) continue;
        /* An output's slot, and one that the reader works in, are wanted for longer. */
        if (s->last == 2 * g->node_count) continue;
        if (p->value_slot[g->node[reader].out[0]] == p->value_slot[v]) continue;
        p->remade_slot[v] = dt_plan_slot(p, DT_SLOT_VALUE, v, time, s->last, s->bytes);
        s->last = reader;
        p->node[reader].remakes = i;
    }
}
