/* Lifetimes and memory of a step. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/plan.h"

#include <stdio.h>
#include <string.h>

#include "autograd/plan_build.h"
#include "autograd/query.h"
#include "autograd/sums.h"

int dt_plan_back_time(const dt_plan *p, int node)
{
    return 2 * p->graph->node_count - 1 - node;
}

size_t dt_plan_value_bytes(const dt_plan *p, int value)
{
    static const size_t bytes[] = { sizeof(real), sizeof(int32_t), sizeof(uint8_t) };
    if (p->graph->value[value].store == DT_STORE_SUM) return dt_sums_bytes(&p->shape[value]);
    return (size_t)dt_shape_count(&p->shape[value]) * bytes[p->graph->value[value].store];
}

void dt_plan_shapes(const dt_plan *p, const int *value, int count, dt_shape *out)
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
        dt_plan_shapes(p, node->in, node->in_count, in);
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

int dt_plan_slot(dt_plan *p, dt_slot_kind kind, int owner, int first, int last, size_t bytes)
{
    bytes = dt_aligned(bytes);
    p->slot[p->slot_count] = (dt_slot){ kind, owner, first, last, bytes, 0 };
    return p->slot_count++;
}

void dt_plan_extend(dt_plan *p, int slot, int time)
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
        int time = back ? dt_plan_back_time(p, u->node) : u->node;
        if (time > last) last = time;
    }
    int producer = g->value[v].producer;
    if (producer < 0 || !p->node[producer].runs_back) return last;
    const dt_node *node = &g->node[producer];
    for (int j = 0; j < node->out_count; j++) {
        bool back = node->out[j] == v && (node->op->reads_out >> j & 1);
        if (back && dt_plan_back_time(p, producer) > last) last = dt_plan_back_time(p, producer);
    }
    return last;
}

bool dt_plan_same_shape(const dt_plan *p, int a, int b)
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
                          last_read(p, x) == i && p->slot[old].last == i &&
                          dt_plan_same_shape(p, v, x) && g->value[v].store == g->value[x].store;
            if (shares)
                dt_plan_extend(p, p->value_slot[v] = old, last);
            else
                p->value_slot[v] =
                    dt_plan_slot(p, DT_SLOT_VALUE, v, i, last, dt_plan_value_bytes(p, v));
        }
    }
}

/* What a node saves is kept for its backward pass, and until its gradient is finished. */
static int saved_until(const dt_plan *p, int i)
{
    const dt_graph *g = p->graph;
    if (!p->node[i].runs_back) return i;
    return dt_plan_back_time(p, p->node[i].leaves ? g->value[g->node[i].in[0]].producer : i);
}

static void plan_moves(dt_plan *p)
{
    if (p->norms != DT_NORMS_MOVE) return;
    for (int i = 0; i < p->graph->node_count; i++) {
        const dt_node *node = &p->graph->node[i];
        dt_shape in[DT_OP_MAX_IN];
        if (!p->node[i].runs || !node->op->statistics) continue;
        dt_plan_shapes(p, node->in, node->in_count, in);
        p->node[i].moves = p->moves;
        p->moves += node->op->statistics->count(node->conf, in);
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
        dt_plan_shapes(p, node->in, node->in_count, in);
        dt_plan_shapes(p, node->out, node->out_count, out);
        dt_op_run run = { .conf = node->conf,
                          .mode = p->mode,
                          .norms = p->norms,
                          .threads = p->threads,
                          .in_count = node->in_count,
                          .kernels = k,
                          .in_shape = in,
                          .out_shape = out };
        dt_op_memory m = { 0 };
        node->op->memory(&run, &m);
        int back = dt_plan_back_time(p, i);
        if (m.saved) pn->saved = dt_plan_slot(p, DT_SLOT_SAVED, i, i, saved_until(p, i), m.saved);
        if (m.forward_work)
            pn->forward_work = dt_plan_slot(p, DT_SLOT_WORK, i, i, i, m.forward_work);
        if (m.backward_work && pn->runs_back)
            pn->backward_work = dt_plan_slot(p, DT_SLOT_WORK, i, back, back, m.backward_work);
        if (m.forward_work && p->remade_slot[node->out[0]] >= 0) {
            int time = p->slot[p->remade_slot[node->out[0]]].first;
            pn->remake_work = dt_plan_slot(p, DT_SLOT_WORK, i, time, time, m.forward_work);
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
    p->remade_slot = dt_arena_get(p->arena, values * sizeof *p->remade_slot);
    p->grad_slot = dt_arena_get(p->arena, values * sizeof *p->grad_slot);
    p->node = dt_arena_get(p->arena, nodes * sizeof *p->node);
    p->slot = dt_arena_get(p->arena, slots * sizeof *p->slot);
    p->writes = dt_arena_get(p->arena, values * sizeof *p->writes);
    p->given = dt_arena_get(p->arena, values * sizeof *p->given);
    p->keeps_grad = dt_arena_get(p->arena, values * sizeof *p->keeps_grad);
    p->seed = dt_arena_get(p->arena, ((size_t)r->seed_count + 1) * sizeof *p->seed);
    *out_flags = dt_arena_get(p->arena, values * sizeof **out_flags);
    if (!p->shape || !p->value_slot || !p->remade_slot || !p->grad_slot || !p->node || !p->slot ||
        !p->writes || !p->given || !p->keeps_grad || !p->seed || !*out_flags)
        return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a plan");
    for (size_t i = 0; i < values; i++)
        p->value_slot[i] = p->remade_slot[i] = p->grad_slot[i] = -1;
    for (size_t i = 0; i < nodes; i++) {
        p->node[i].saved = p->node[i].forward_work = p->node[i].backward_work = -1;
        p->node[i].moves = -1;
        p->node[i].unfinished_by = p->node[i].remakes = p->node[i].remake_work = -1;
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
        if (dt_value_in_state(v))
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
    if (p->mode == DT_MODE_TRAIN) dt_plan_mark_gradients(p, r->frozen, flags);
    plan_values(p, r->outputs, r->output_count);
    if (p->mode == DT_MODE_TRAIN) {
        dt_plan_gradients(p);
        dt_plan_unfinished(p);
        dt_plan_remakes(p);
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
    *p = (dt_plan){ .graph = r->graph,
                    .mode = r->mode,
                    .norms = dt_norms_in(r->mode, r->norms),
                    .batch = r->batch,
                    .threads = r->threads };
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
    static const char *const modes[] = { "train", "eval" };
    static const char *const norms[] = { "", ", norms move", ", running norms", ", batch norms",
                                         ", norms anew" };
    double kind[5] = { 0 };
    for (int i = 0; i < p->slot_count; i++)
        kind[p->slot[i].kind] += (double)p->slot[i].bytes / 1e6;
    snprintf(
        text, size,
        "%s%s batch %lld: arena %.1f MB (%.1f MB without sharing: values %.1f, gradients %.1f, "
        "saved %.1f, work %.1f)",
        modes[p->mode], p->norms == dt_norms_in(p->mode, DT_NORMS_OF_MODE) ? "" : norms[p->norms],
        (long long)p->batch, (double)p->arena_bytes / 1e6, (double)p->sum_bytes / 1e6,
        kind[DT_SLOT_VALUE], kind[DT_SLOT_GRAD] + kind[DT_SLOT_SUM], kind[DT_SLOT_SAVED],
        kind[DT_SLOT_WORK]);
}

int64_t dt_plan_node_macs(const dt_plan *p, int i)
{
    const dt_node *node = &p->graph->node[i];
    dt_shape in[DT_OP_MAX_IN], out[DT_OP_MAX_OUT];
    if (!p->node[i].runs || !node->op->macs) return 0;
    dt_plan_shapes(p, node->in, node->in_count, in);
    dt_plan_shapes(p, node->out, node->out_count, out);
    return node->op->macs(node->conf, in, out);
}

int64_t dt_plan_macs(const dt_plan *p)
{
    int64_t sum = 0;
    for (int i = 0; i < p->graph->node_count; i++)
        sum += dt_plan_node_macs(p, i);
    return sum;
}
