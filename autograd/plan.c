/* Lifetimes and memory of a step. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/plan.h"

#include <stdio.h>
#include <string.h>

#include "autograd/query.h"
#include "autograd/sums.h"

static int back_time(const dt_plan *p, int node)
{
    return 2 * p->graph->node_count - 1 - node;
}

size_t dt_plan_value_bytes(const dt_plan *p, int value)
{
    static const size_t bytes[] = { sizeof(real), sizeof(int32_t), sizeof(uint8_t) };
    if (p->graph->value[value].store == DT_STORE_SUM) return dt_sums_bytes(&p->shape[value]);
    return (size_t)dt_shape_count(&p->shape[value]) * bytes[p->graph->value[value].store];
}

static void get_shapes(const dt_plan *p, const int *value, int count, dt_shape *out)
{
    for (int j = 0; j < count; j++)
        out[j] = p->shape[value[j]];
}

static dt_status infer_shapes(dt_plan *p, dt_error *err)
{
    const dt_graph *g = p->graph;
    for (int i = 0; i < g->value_count; i++) {
        p->shape[i] = g->value[i].shape;
        if (g->value[i].batched) p->shape[i].dim[0] = p->batch;
    }
    for (int i = 0; i < g->node_count; i++) {
        const dt_node *node = &g->node[i];
        dt_shape in[DT_OP_MAX_IN], out[DT_OP_MAX_OUT];
        get_shapes(p, node->in, node->in_count, in);
        DT_TRY(node->op->infer(node->conf, in, node->in_count, out, err));
        for (int j = 0; j < node->out_count; j++) {
            p->shape[node->out[j]] = out[j];
            if (dt_shape_count(&out[j]) <= 0)
                return dt_fail(err, DT_ERR_SHAPE, &(dt_where){ .key = node->name },
                               "too large at batch %lld", (long long)p->batch);
        }
    }
    return DT_OK;
}

/* Marks the node that makes a value, unless it is given. */
static void need(dt_plan *p, int value)
{
    int producer = p->graph->value[value].producer;
    if (producer >= 0 && !p->given[value]) p->node[producer].runs = true;
}

/* Marks the nodes that the outputs need. */
static void mark_needed(dt_plan *p, const int *outputs, int count)
{
    const dt_graph *g = p->graph;
    for (int i = 0; i < count; i++)
        need(p, outputs[i]);
    for (int i = g->node_count - 1; i >= 0; i--)
        for (int j = 0; p->node[i].runs && j < g->node[i].in_count; j++)
            need(p, g->node[i].in[j]);
}

/* Marks which inputs get gradients: those through which a parameter is reached, or a value whose
 * gradient is wanted. */
static void mark_gradients(dt_plan *p, const bool *frozen, bool *has_grad)
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
        for (int j = 0; j < node->in_count; j++) {
            pn->wants[j] = (node->op->grads >> j & 1) && has_grad[node->in[j]];
            pn->runs_back = pn->runs_back || pn->wants[j];
        }
        for (int j = 0; j < node->out_count && pn->runs_back; j++)
            has_grad[node->out[j]] = has_grad[node->out[j]] || !p->given[node->out[j]];
    }
}

static int new_slot(dt_plan *p, dt_slot_kind kind, int owner, int first, int last, size_t bytes)
{
    bytes = (bytes + DT_ALIGN - 1) / DT_ALIGN * DT_ALIGN;
    p->slot[p->slot_count] = (dt_slot){ kind, owner, first, last, bytes, 0 };
    return p->slot_count++;
}

static void extend(dt_plan *p, int slot, int time)
{
    if (slot < 0) return;
    if (time > p->slot[slot].last) p->slot[slot].last = time;
}

/* Last time at which value `v` is read, by forward or backward passes. */
static int last_read(const dt_plan *p, int v)
{
    const dt_graph *g = p->graph;
    int last = -1;
    DT_QUERY_EACH_USE(u, g, v)
    {
        if (!p->node[u->node].runs) continue;
        bool back = p->node[u->node].runs_back && (g->node[u->node].op->reads_in >> u->input & 1);
        int time = back ? back_time(p, u->node) : u->node;
        if (time > last) last = time;
    }
    int producer = g->value[v].producer;
    if (producer < 0 || !p->node[producer].runs_back) return last;
    const dt_node *node = &g->node[producer];
    for (int j = 0; j < node->out_count; j++) {
        bool back = node->out[j] == v && (node->op->reads_out >> j & 1);
        if (back && back_time(p, producer) > last) last = back_time(p, producer);
    }
    return last;
}

static bool same_shape(const dt_plan *p, int a, int b)
{
    return dt_shape_equal(&p->shape[a], &p->shape[b]);
}

static bool is_one_of(int v, const int *values, int count)
{
    for (int i = 0; i < count; i++)
        if (values[i] == v) return true;
    return false;
}

/* Slots of computed values; an in-place op takes over its input's slot when nobody reads that
 * later. Outputs are read after the step. */
static void plan_values(dt_plan *p, const int *outputs, int output_count)
{
    const dt_graph *g = p->graph;
    for (int i = 0; i < g->node_count; i++) {
        const dt_node *node = &g->node[i];
        if (!p->node[i].runs) continue;
        for (int j = 0; j < node->out_count; j++) {
            int v = node->out[j], x = node->in[0], last = p->given[v] ? i : last_read(p, v);
            if (last < i) last = i;
            if (is_one_of(v, outputs, output_count)) last = 2 * g->node_count;
            int old = p->value_slot[x];
            bool shares = j == 0 && node->op->inplace && old >= 0 && !p->given[x] &&
                          last_read(p, x) == i && p->slot[old].last == i && same_shape(p, v, x) &&
                          g->value[v].store == g->value[x].store;
            if (shares)
                extend(p, p->value_slot[v] = old, last);
            else
                p->value_slot[v] =
                    new_slot(p, DT_SLOT_VALUE, v, i, last, dt_plan_value_bytes(p, v));
        }
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
    if (k < 0 || !same_shape(p, node->in[j], node->out[k])) return -1;
    if (p->keeps_grad[node->out[k]]) return -1;
    return p->grad_slot[node->out[k]];
}

/* Extends the gradients of a node's outputs to its backward pass; false: nothing wrote them. */
static bool read_gradients(dt_plan *p, const dt_node *node, int time)
{
    bool any = false;
    for (int j = 0; j < node->out_count; j++) {
        if (!p->writes[node->out[j]] || p->given[node->out[j]]) continue;
        extend(p, p->grad_slot[node->out[j]], time);
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
static void plan_gradients(dt_plan *p)
{
    const dt_graph *g = p->graph;
    int n = g->node_count;
    for (int i = 0; i < p->seed_count || (p->seed_count == 0 && i == 0); i++) {
        int v = p->seed_count ? p->seed[i] : p->loss;
        if (p->writes[v]) continue;
        p->grad_slot[v] = new_slot(p, DT_SLOT_GRAD, v, n, n, gradient_bytes(p, v));
        p->writes[v] = true;
    }
    for (int i = g->node_count - 1; i >= 0; i--) {
        const dt_node *node = &g->node[i];
        dt_plan_node *pn = &p->node[i];
        int time = back_time(p, i);
        pn->runs_back = pn->runs_back && read_gradients(p, node, time);
        if (!pn->runs_back) continue;
        for (int j = 0; j < node->in_count; j++) {
            int v = node->in[j];
            if (!pn->wants[j]) continue;
            pn->add[j] = p->writes[v];
            p->writes[v] = true;
            size_t bytes = gradient_bytes(p, v);
            if (pn->add[j] && (!(node->op->accumulates >> j & 1) || wanted_before(pn, node, j)))
                pn->sum[j] = new_slot(p, DT_SLOT_SUM, i, time, time, bytes);
            if (g->value[v].kind == DT_VALUE_PARAM) continue;
            int shared = shared_gradient(p, node, j);
            if (p->grad_slot[v] >= 0)
                extend(p, p->grad_slot[v], time);
            else if (shared >= 0)
                p->grad_slot[v] = shared;
            else
                p->grad_slot[v] = new_slot(p, DT_SLOT_GRAD, v, time, time, bytes);
        }
    }
    for (int v = 0; v < g->value_count; v++)
        if (p->keeps_grad[v]) extend(p, p->grad_slot[v], 2 * n);
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
static void plan_late(dt_plan *p)
{
    const dt_graph *g = p->graph;
    for (int i = 0; i < g->node_count; i++) {
        const dt_node *node = &g->node[i];
        dt_plan_node *pn = &p->node[i];
        int v = node->in[0], producer = g->value[v].producer;
        if (!pn->runs_back || !pn->wants[0] || pn->add[0] || !node->op->finish_grad) continue;
        if (producer < 0 || !p->node[producer].runs_back || only_reader(p, v) < 0) continue;
        if (p->keeps_grad[v] || p->given[v]) continue;
        if (!g->node[producer].op->takes_late || g->node[producer].out[0] != v) continue;
        pn->leaves = true;
        p->node[producer].late = i;
        extend(p, p->value_slot[v], back_time(p, producer));
    }
}

/* Which values are not kept between forward and backward but made twice: those of ops that say so,
 * with one reader. */
static void plan_again(dt_plan *p)
{
    const dt_graph *g = p->graph;
    for (int i = 0; i < g->node_count; i++) {
        const dt_node *node = &g->node[i];
        if (!p->node[i].runs_back || !node->op->remakes) continue;
        dt_shape in[DT_OP_MAX_IN];
        get_shapes(p, node->in, node->in_count, in);
        int v = node->out[0], reader = only_reader(p, v);
        if (reader < 0 || !node->op->remakes(node->conf, in)) continue;
        dt_slot *s = &p->slot[p->value_slot[v]];
        int time = back_time(p, reader);
        if (!p->node[reader].runs_back || s->last < time) continue;
        /* An output's slot, and one that the reader works in, are wanted for longer. */
        if (s->last == 2 * g->node_count) continue;
        if (p->value_slot[g->node[reader].out[0]] == p->value_slot[v]) continue;
        p->again_slot[v] = new_slot(p, DT_SLOT_VALUE, v, time, s->last, s->bytes);
        s->last = reader;
        p->node[reader].again = i;
    }
}

/* What a node saves is kept for its backward pass, and until its gradient is finished. */
static int saved_until(const dt_plan *p, int i)
{
    const dt_graph *g = p->graph;
    if (!p->node[i].runs_back) return i;
    return back_time(p, p->node[i].leaves ? g->value[g->node[i].in[0]].producer : i);
}

static void plan_moves(dt_plan *p)
{
    for (int i = 0; i < p->graph->node_count; i++) {
        const dt_node *node = &p->graph->node[i];
        dt_shape in[DT_OP_MAX_IN];
        if (!p->node[i].runs || !node->op->moves) continue;
        get_shapes(p, node->in, node->in_count, in);
        p->node[i].moves = p->moves;
        p->moves += node->op->moves(node->conf, in);
    }
}

static void plan_memory(dt_plan *p, const dt_kernels *k)
{
    const dt_graph *g = p->graph;
    for (int i = 0; i < g->node_count; i++) {
        const dt_node *node = &g->node[i];
        dt_plan_node *pn = &p->node[i];
        if (!pn->runs || !node->op->memory) continue;
        dt_shape in[DT_OP_MAX_IN], out[DT_OP_MAX_OUT];
        get_shapes(p, node->in, node->in_count, in);
        get_shapes(p, node->out, node->out_count, out);
        dt_op_run run = { .conf = node->conf,
                          .mode = p->mode,
                          .threads = p->threads,
                          .kernels = k,
                          .in_shape = in,
                          .out_shape = out };
        dt_op_memory m = { 0 };
        node->op->memory(&run, &m);
        int back = back_time(p, i);
        if (m.saved) pn->saved = new_slot(p, DT_SLOT_SAVED, i, i, saved_until(p, i), m.saved);
        if (m.forward_work) pn->forward_work = new_slot(p, DT_SLOT_WORK, i, i, i, m.forward_work);
        if (m.backward_work && pn->runs_back)
            pn->backward_work = new_slot(p, DT_SLOT_WORK, i, back, back, m.backward_work);
        if (m.forward_work && p->again_slot[node->out[0]] >= 0) {
            int time = p->slot[p->again_slot[node->out[0]]].first;
            pn->again_work = new_slot(p, DT_SLOT_WORK, i, time, time, m.forward_work);
        }
    }
}

/* `out_flags`: by value, for mark_gradients. */
static dt_status get_tables(dt_plan *p, const dt_plan_request *r, bool **out_flags, dt_error *err)
{
    size_t values = (size_t)p->graph->value_count, nodes = (size_t)p->graph->node_count;
    size_t slots = values * 3 + nodes * (4 + DT_OP_MAX_IN);
    p->shape = dt_arena_get(p->arena, values * sizeof *p->shape);
    p->value_slot = dt_arena_get(p->arena, values * sizeof *p->value_slot);
    p->again_slot = dt_arena_get(p->arena, values * sizeof *p->again_slot);
    p->grad_slot = dt_arena_get(p->arena, values * sizeof *p->grad_slot);
    p->node = dt_arena_get(p->arena, nodes * sizeof *p->node);
    p->slot = dt_arena_get(p->arena, slots * sizeof *p->slot);
    p->writes = dt_arena_get(p->arena, values * sizeof *p->writes);
    p->given = dt_arena_get(p->arena, values * sizeof *p->given);
    p->keeps_grad = dt_arena_get(p->arena, values * sizeof *p->keeps_grad);
    p->seed = dt_arena_get(p->arena, ((size_t)r->seed_count + 1) * sizeof *p->seed);
    *out_flags = dt_arena_get(p->arena, values * sizeof **out_flags);
    if (!p->shape || !p->value_slot || !p->again_slot || !p->grad_slot || !p->node || !p->slot ||
        !p->writes || !p->given || !p->keeps_grad || !p->seed || !*out_flags)
        return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a plan");
    for (size_t i = 0; i < values; i++)
        p->value_slot[i] = p->again_slot[i] = p->grad_slot[i] = -1;
    for (size_t i = 0; i < nodes; i++) {
        p->node[i].saved = p->node[i].forward_work = p->node[i].backward_work = -1;
        p->node[i].moves = -1;
        p->node[i].late = p->node[i].again = p->node[i].again_work = -1;
        for (int j = 0; j < DT_OP_MAX_IN; j++)
            p->node[i].sum[j] = -1;
    }
    return DT_OK;
}

/* The request's lists by value. */
static dt_status read_request(dt_plan *p, const dt_plan_request *r, dt_error *err)
{
    const dt_graph *g = p->graph;
    p->loss = p->mode == DT_MODE_TRAIN && r->seed_count == 0 ? r->outputs[0] : -1;
    p->seed_count = r->seed_count;
    for (int i = 0; i < r->given_count; i++)
        p->given[r->given[i]] = true;
    for (int i = 0; i < r->seed_count; i++)
        p->seed[i] = r->seeds[i];
    for (int i = 0; i < r->gradient_count; i++) {
        const dt_value *v = &g->value[r->gradients[i]];
        p->keeps_grad[r->gradients[i]] = true;
        if (v->kind == DT_VALUE_PARAM || v->kind == DT_VALUE_BUFFER)
            return dt_fail(err, DT_ERR_ARG, &(dt_where){ .key = v->name },
                           "gradients of parameters are in the state");
    }
    if (p->loss >= 0 && dt_shape_count(&p->shape[p->loss]) != 1)
        return dt_fail(err, DT_ERR_ARG, NULL, "the loss must be a single number");
    return DT_OK;
}

static dt_status plan_all(dt_plan *p, const dt_plan_request *r, dt_error *err)
{
    bool *flags;
    DT_TRY(get_tables(p, r, &flags, err));
    DT_TRY(infer_shapes(p, err));
    DT_TRY(read_request(p, r, err));
    mark_needed(p, r->outputs, r->output_count);
    if (p->mode == DT_MODE_TRAIN) mark_gradients(p, r->frozen, flags);
    plan_values(p, r->outputs, r->output_count);
    if (p->mode == DT_MODE_TRAIN) {
        plan_gradients(p);
        plan_late(p);
        plan_again(p);
        plan_moves(p);
    }
    plan_memory(p, r->kernels);
    for (int i = 0; i < p->slot_count; i++)
        p->sum_bytes += p->slot[i].bytes;
    return dt_slots_place(p->slot, p->slot_count, p->arena, &p->arena_bytes, err);
}

dt_status dt_plan_init(dt_plan *p, const dt_plan_request *r, const dt_alloc *a, dt_error *err)
{
    if (r->batch < 1 || r->threads < 1 || r->threads > DT_MAX_THREADS || r->output_count < 1)
        return dt_fail(err, DT_ERR_ARG, NULL, "a plan wants a batch, threads and outputs");
    *p = (dt_plan){ .graph = r->graph, .mode = r->mode, .batch = r->batch, .threads = r->threads };
    p->arena = dt_arena_new(a, "plan");
    if (!p->arena) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a plan");
    dt_status st = plan_all(p, r, err);
    if (st != DT_OK) dt_plan_fini(p);
    return st;
}

void dt_plan_fini(dt_plan *p)
{
    dt_arena_free(p->arena);
    *p = (dt_plan){ 0 };
}

void dt_plan_print(const dt_plan *p, char *text, size_t size)
{
    static const char *const modes[] = { "train", "eval", "calibrate", "norm" };
    double kind[5] = { 0 };
    for (int i = 0; i < p->slot_count; i++)
        kind[p->slot[i].kind] += (double)p->slot[i].bytes / 1e6;
    snprintf(text, size,
             "%s batch %lld: arena %.1f MB (%.1f MB without sharing: values %.1f, gradients %.1f, "
             "saved %.1f, work %.1f)",
             modes[p->mode], (long long)p->batch, (double)p->arena_bytes / 1e6,
             (double)p->sum_bytes / 1e6, kind[DT_SLOT_VALUE],
             kind[DT_SLOT_GRAD] + kind[DT_SLOT_SUM], kind[DT_SLOT_SAVED], kind[DT_SLOT_WORK]);
}

int64_t dt_plan_node_macs(const dt_plan *p, int i)
{
    const dt_node *node = &p->graph->node[i];
    dt_shape in[DT_OP_MAX_IN], out[DT_OP_MAX_OUT];
    if (!p->node[i].runs || !node->op->macs) return 0;
    get_shapes(p, node->in, node->in_count, in);
    get_shapes(p, node->out, node->out_count, out);
    return node->op->macs(node->conf, in, out);
}

int64_t dt_plan_macs(const dt_plan *p)
{
    int64_t sum = 0;
    for (int i = 0; i < p->graph->node_count; i++)
        sum += dt_plan_node_macs(p, i);
    return sum;
}
