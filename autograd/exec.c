/* Running a plan. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/exec.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "autograd/exec_node.h"
#include "core/rng.h"
#include "kernels/blas.h"

static void init_value(const dt_value *v, real *data, uint64_t seed)
{
    int64_t n = dt_shape_count(&v->shape);
    double fan_in = (double)(v->fan_in > 0 ? v->fan_in : 1), bound = 1 / sqrt(fan_in);
    double deviation = v->init == DT_INIT_KAIMING ? sqrt(2.0 / fan_in) : 0.02;
    dt_rng rng;
    dt_rng_open(&rng, seed, DT_RNG_INIT, dt_hash_name(v->name), 0);
    for (int64_t i = 0; i < n; i++)
        switch (v->init) {
        case DT_INIT_KAIMING:
        case DT_INIT_SMALL:
            data[i] = (real)(deviation * dt_rng_normal(&rng));
            break;
        case DT_INIT_UNIFORM:
            data[i] = (real)(bound * (2 * dt_rng_uniform(&rng) - 1));
            break;
        case DT_INIT_ZERO:
        case DT_INIT_ONE:
            data[i] = v->init == DT_INIT_ONE;
            break;
        case DT_INIT_NUMBER:
            data[i] = v->number;
            break;
        }
}

static void share_value(dt_state *s, const dt_state *base, int i)
{
    s->data[i] = base->data[i];
    if (s->grad_memory) s->grad[i] = s->grad_memory[i] = base->grad_memory[i];
}

/* `base`: whose memory its values keep; NULL: none. */
static dt_status state_fill(dt_state *s, const dt_state *base, bool with_grads, uint64_t seed,
                            bool blank, dt_error *err)
{
    const dt_graph *g = s->graph;
    size_t table = sizeof(real *) * (size_t)(g->value_count + 1);
    s->data = dt_arena_get(s->arena, table);
    s->grad = with_grads ? dt_arena_get(s->arena, table) : NULL;
    s->grad_memory = with_grads ? dt_arena_get(s->arena, table) : NULL;
    if (!s->data || (with_grads && (!s->grad || !s->grad_memory)))
        return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for parameters");
    for (int i = 0; i < g->value_count; i++) {
        const dt_value *v = &g->value[i];
        bool param = v->kind == DT_VALUE_PARAM;
        if (!dt_value_in_state(v)) continue;
        if (base && i < base->graph->value_count) {
            share_value(s, base, i);
            continue;
        }
        size_t bytes = (size_t)dt_shape_count(&v->shape) * sizeof(real);
        s->data[i] = dt_arena_get(s->arena, bytes);
        if (param && with_grads) s->grad[i] = s->grad_memory[i] = dt_arena_get(s->arena, bytes);
        if (!s->data[i] || (param && with_grads && !s->grad[i]))
            return dt_fail(err, DT_ERR_NOMEM, &(dt_where){ .key = v->name }, "no memory");
        if (!blank) init_value(v, s->data[i], seed);
        if (param) s->param_count += bytes / sizeof(real);
        s->bytes += bytes * (param && with_grads ? 2 : 1);
    }
    return DT_OK;
}

static dt_status state_make(dt_state *s, const dt_graph *g, const dt_state *base, bool with_grads,
                            uint64_t seed, const dt_alloc *a, dt_error *err)
{
    *s = (dt_state){ .graph = g, .arena = dt_arena_new(a, "parameters") };
    if (!s->arena) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for parameters");
    dt_status st = state_fill(s, base, with_grads, seed, a && a->blank, err);
    if (st != DT_OK) dt_state_fini(s);
    return st;
}

dt_status dt_state_init(dt_state *s, const dt_graph *g, bool with_grads, uint64_t seed,
                        const dt_alloc *a, dt_error *err)
{
    return state_make(s, g, NULL, with_grads, seed, a, err);
}

dt_status dt_state_overlay(dt_state *s, const dt_graph *g, const dt_state *base, uint64_t seed,
                           const dt_alloc *a, dt_error *err)
{
    return state_make(s, g, base, base->grad_memory != NULL, seed, a, err);
}

static dt_status twin_fill(dt_state *s, dt_error *err)
{
    const dt_graph *g = s->graph;
    size_t table = sizeof(real *) * (size_t)(g->value_count + 1);
    s->grad = dt_arena_get(s->arena, table);
    s->grad_memory = dt_arena_get(s->arena, table);
    if (!s->grad || !s->grad_memory)
        return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for gradients");
    for (int i = 0; i < g->value_count; i++) {
        if (g->value[i].kind != DT_VALUE_PARAM) continue;
        size_t bytes = (size_t)dt_shape_count(&g->value[i].shape) * sizeof(real);
        s->grad[i] = s->grad_memory[i] = dt_arena_get(s->arena, bytes);
        if (!s->grad[i]) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for gradients");
        s->bytes += bytes;
    }
    return DT_OK;
}

dt_status dt_state_twin(dt_state *s, const dt_state *base, const dt_alloc *a, dt_error *err)
{
    *s = (dt_state){ .graph = base->graph,
                     .data = base->data,
                     .param_count = base->param_count,
                     .arena = dt_arena_new(a, "gradients") };
    if (!s->arena) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for gradients");
    dt_status st = twin_fill(s, err);
    if (st != DT_OK) dt_state_fini(s);
    return st;
}

void dt_state_fini(dt_state *s)
{
    dt_arena_free(s->arena);
    *s = (dt_state){ 0 };
}

/* Bytes of a sample at a port: numbers of the engine's kind, or labels. */
static size_t port_bytes(const dt_graph *g, const dt_port *p)
{
    const dt_value *v = &g->value[p->value];
    size_t each = v->store == DT_STORE_INT32 ? sizeof(int32_t) : sizeof(real);
    return (size_t)dt_shape_count(&v->shape) * each;
}

/* Room for the parts of records, where there are several of a kind. */
static bool get_parts(dt_exec *e)
{
    const dt_graph *g = e->plan->graph;
    for (int i = 0; i < g->port_count; i++) {
        const dt_port *p = &g->port[i];
        bool several = p->kind == DT_PORT_INPUT    ? dt_graph_input(g, 1) >= 0
                       : p->kind == DT_PORT_ANSWER ? dt_graph_answer(g, 1) >= 0
                                                   : false;
        if (!several) continue;
        e->part[i] = dt_arena_get(e->arena, port_bytes(g, p) * (size_t)e->plan->batch);
        if (!e->part[i]) return false;
    }
    return true;
}

dt_status dt_exec_init(dt_exec *e, const dt_plan *p, dt_state *s, const dt_kernels *k, void *memory,
                       const dt_alloc *a, dt_error *err)
{
    *e = (dt_exec){ .plan = p };
    if (k->gemm.blas) DT_TRY(dt_blas_load(p->threads, err));
    *e = (dt_exec){ .plan = p, .state = s, .kernels = k, .arena = dt_arena_new(a, "step arena") };
    if (!e->arena) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for an executor");
    e->slot = dt_arena_get(e->arena, sizeof *e->slot * (size_t)(p->slot_count + 1));
    e->input = dt_arena_get(e->arena, sizeof *e->input * (size_t)(p->graph->value_count + 1));
    e->given_grad =
        dt_arena_get(e->arena, sizeof *e->given_grad * (size_t)(p->graph->value_count + 1));
    bool ok = e->slot && e->input && e->given_grad;
#if !DT_ASAN
    if (ok && !memory) ok = (memory = dt_arena_get(e->arena, p->arena_bytes)) != NULL;
#endif
    for (int i = 0; ok && i < p->slot_count; i++) {
        e->slot[i] = memory ? (unsigned char *)memory + p->slot[i].offset
                            : dt_arena_get(e->arena, p->slot[i].bytes);
        ok = e->slot[i] != NULL;
    }
    if (ok) ok = get_parts(e);
    if (ok) return DT_OK;
    dt_exec_fini(e);
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a step: %.1f MB wanted",
                   (double)p->arena_bytes / 1e6);
}

void dt_exec_fini(dt_exec *e)
{
    dt_arena_free(e->arena);
    *e = (dt_exec){ 0 };
}

void *dt_exec_value(const dt_exec *e, int value)
{
    if (e->plan->given[value]) return e->input[value];
    if (dt_value_in_state(&e->plan->graph->value[value])) return e->state->data[value];
    int slot = e->plan->value_slot[value];
    return slot >= 0 ? e->slot[slot] : e->input[value];
}

/* Gives every port of a kind its part of the records. */
static void feed(dt_exec *e, dt_port_kind kind, const void *data)
{
    const dt_graph *g = e->plan->graph;
    size_t record = 0, at = 0;
    for (int i = 0; i < g->port_count; i++)
        if (g->port[i].kind == kind) record += port_bytes(g, &g->port[i]);
    for (int i = 0; i < g->port_count; i++) {
        const dt_port *p = &g->port[i];
        if (p->kind != kind) continue;
        size_t n = port_bytes(g, p);
        for (int64_t k = 0; e->part[i] && k < e->plan->batch; k++)
            memcpy((unsigned char *)e->part[i] + (size_t)k * n,
                   (const unsigned char *)data + (size_t)k * record + at, n);
        dt_exec_set_input(e, p->value, e->part[i] ? e->part[i] : data);
        at += n;
    }
}

void dt_exec_feed(dt_exec *e, const real *data)
{
    feed(e, DT_PORT_INPUT, data);
}

void dt_exec_feed_answers(dt_exec *e, const void *data)
{
    feed(e, DT_PORT_ANSWER, data);
}

const real *dt_exec_outputs(const dt_exec *e, int64_t n, real *room)
{
    const dt_graph *g = e->plan->graph;
    int64_t record = dt_graph_outputs(g), at = 0;
    if (dt_graph_output(g, 1) < 0) return dt_exec_value(e, dt_graph_output(g, 0));
    for (int k = 0, v; (v = dt_graph_output(g, k)) >= 0; k++) {
        int64_t count = dt_shape_count(&g->value[v].shape);
        const real *y = dt_exec_value(e, v);
        for (int64_t i = 0; y && i < n; i++)
            memcpy(room + i * record + at, y + i * count, (size_t)count * sizeof *y);
        at += count;
    }
    return room;
}

void dt_exec_set_input(dt_exec *e, int value, const void *data)
{
    e->input[value] = (void *)(uintptr_t)data; /* ops write to no input of this kind */
}

void dt_exec_set_gradient(dt_exec *e, int value, const real *gradient)
{
    e->given_grad[value] = gradient;
}

const real *dt_exec_gradient(const dt_exec *e, int value)
{
    int slot = e->plan->grad_slot[value];
    return slot >= 0 ? e->slot[slot] : NULL;
}

typedef struct shapes {
    dt_shape in[DT_OP_MAX_IN], out[DT_OP_MAX_OUT];
} shapes;

static void *slot_memory(const dt_exec *e, int slot)
{
    return slot >= 0 ? e->slot[slot] : NULL;
}

/* Where a backward pass finds a value. */
static void *value_back(const dt_exec *e, int value)
{
    int slot = e->plan->remade_slot[value];
    return slot >= 0 ? e->slot[slot] : dt_exec_value(e, value);
}

/* Everything of a call that both directions need; `value` tells where its values are. */
static dt_op_run prepare(dt_exec *e, int i, void *(*value)(const dt_exec *e, int value), shapes *sh)
{
    const dt_plan *p = e->plan;
    const dt_node *node = &p->graph->node[i];
    dt_op_run run = { .conf = node->conf,
                      .mode = p->mode,
                      .norms = p->norms,
                      .threads = p->threads,
                      .in_count = node->in_count,
                      .kernels = e->kernels,
                      .in_shape = sh->in,
                      .out_shape = sh->out,
                      .seed = e->seed,
                      .step = e->step,
                      .stream = dt_hash_name(node->name) };
    for (int j = 0; j < node->in_count; j++) {
        run.in[j] = value(e, node->in[j]);
        sh->in[j] = p->shape[node->in[j]];
    }
    for (int j = 0; j < node->out_count; j++) {
        /* what is given is not overwritten by a node that makes something else, too */
        int v = node->out[j];
        run.out[j] = p->given[v] ? slot_memory(e, p->value_slot[v]) : value(e, v);
        sh->out[j] = p->shape[node->out[j]];
    }
    run.saved = slot_memory(e, p->node[i].saved);
    if (e->moves && p->node[i].moves >= 0) run.moves = e->moves + p->node[i].moves;
    run.batches = e->batches;
    run.lost = &e->lost;
    run.replay = e->replay;
    run.residual = e->residual ? e->residual[i] : NULL;
    return run;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int64_t dt_exec_numbers(const dt_exec *e, int i)
{
    const dt_plan *p = e->plan;
    const dt_node *node = &p->graph->node[i];
    dt_shape in[DT_OP_MAX_IN];
    if (p->norms == DT_NORMS_RUNNING || !p->node[i].runs || !node->op->statistics) return 0;
    for (int j = 0; j < node->in_count; j++)
        in[j] = p->shape[node->in[j]];
    return node->op->statistics->count(node->conf, in);
}

void dt_exec_measure(dt_exec *e, int i, double *to)
{
    shapes sh;
    dt_op_run run = prepare(e, i, dt_exec_value, &sh);
    run.work = slot_memory(e, e->plan->node[i].forward_work);
    double start = e->op_seconds ? now() : 0;
    e->plan->graph->node[i].op->statistics->measure(&run, to);
    if (e->op_seconds) e->op_seconds[2 * i] += now() - start;
}

dt_status dt_exec_forward_node(dt_exec *e, int i, const double *joined, dt_error *err)
{
    const dt_plan *p = e->plan;
    const dt_node *node = &p->graph->node[i];
    if (!p->node[i].runs) return DT_OK;
    shapes sh;
    dt_op_run run = prepare(e, i, dt_exec_value, &sh);
    run.work = slot_memory(e, p->node[i].forward_work);
    run.joined = joined;
    if (e->hook) DT_TRY(e->hook(e->hook_arg, node, &run, false, err));
    double start = e->op_seconds ? now() : 0;
    node->op->forward(&run);
    if (e->op_seconds) e->op_seconds[2 * i] += now() - start;
    return e->hook ? e->hook(e->hook_arg, node, &run, true, err) : DT_OK;
}

dt_status dt_exec_forward(dt_exec *e, dt_error *err)
{
    e->lost = false;
    for (int i = 0; i < e->plan->graph->node_count; i++)
        DT_TRY(dt_exec_forward_node(e, i, NULL, err));
    return DT_OK;
}

void dt_exec_move(dt_exec *e, const double *moves)
{
    const dt_plan *p = e->plan;
    for (int i = 0; i < p->graph->node_count; i++) {
        if (p->node[i].moves < 0) continue;
        shapes sh;
        dt_op_run run = prepare(e, i, dt_exec_value, &sh);
        p->graph->node[i].op->statistics->move(&run, moves + p->node[i].moves);
    }
}

static real *gradient(const dt_exec *e, int value)
{
    if (e->plan->graph->value[value].kind == DT_VALUE_PARAM) return e->state->grad[value];
    return slot_memory(e, e->plan->grad_slot[value]);
}

/* A call of a backward pass, in memory of the caller's. */
typedef struct back_call {
    shapes sh, left_sh;
    dt_op_run run, left;
} back_call;

static void prepare_back(dt_exec *e, int i, back_call *c)
{
    const dt_plan *p = e->plan;
    const dt_node *node = &p->graph->node[i];
    const dt_plan_node *pn = &p->node[i];
    dt_op_run *run = &c->run;
    *run = prepare(e, i, value_back, &c->sh);
    run->work = slot_memory(e, pn->backward_work);
    run->leave = pn->leaves;
    for (int j = 0; j < node->out_count; j++)
        run->d_out[j] = p->given[node->out[j]] ? NULL : gradient(e, node->out[j]);
    if (pn->unfinished_by >= 0) {
        c->left = prepare(e, pn->unfinished_by, value_back, &c->left_sh);
        c->left.d_in[0] = run->d_out[0];
        run->finish = p->graph->node[pn->unfinished_by].op->finish_grad;
        run->finish_arg = &c->left;
    }
    for (int j = 0; j < node->in_count; j++) {
        if (!pn->wants[j]) continue;
        run->d_in[j] = pn->sum[j] >= 0 ? e->slot[pn->sum[j]] : gradient(e, node->in[j]);
        run->add[j] = pn->add[j] && pn->sum[j] < 0;
    }
}

/* Forward of a node once more, for the backward pass. */
static void remake(dt_exec *e, int i)
{
    shapes sh;
    dt_op_run run = prepare(e, i, value_back, &sh);
    run.work = slot_memory(e, e->plan->node[i].remake_work);
    double start = e->op_seconds ? now() : 0;
    e->plan->graph->node[i].op->forward(&run);
    if (e->op_seconds) e->op_seconds[2 * i] += now() - start;
}

/* What another plan left is no gradient of this one. */
static void offer_gradients(dt_exec *e)
{
    const dt_plan *p = e->plan;
    if (!e->state->grad) return; /* all parameters are frozen */
    for (int i = 0; i < p->graph->value_count; i++)
        e->state->grad[i] = p->writes[i] ? e->state->grad_memory[i] : NULL;
}

/* The gradients that a backward pass begins with. */
static void start_gradients(dt_exec *e)
{
    const dt_plan *p = e->plan;
    if (p->seed_count == 0) gradient(e, p->loss)[0] = 1;
    for (int i = 0; i < p->seed_count; i++) {
        int v = p->seed[i];
        memcpy(gradient(e, v), e->given_grad[v],
               (size_t)dt_shape_count(&p->shape[v]) * sizeof(real));
    }
}

void dt_exec_begin_backward(dt_exec *e)
{
    offer_gradients(e);
    start_gradients(e);
}

void dt_exec_measure_back(dt_exec *e, int i, double *to)
{
    back_call c;
    if (e->plan->node[i].remakes >= 0) remake(e, e->plan->node[i].remakes);
    prepare_back(e, i, &c);
    double start = e->op_seconds ? now() : 0;
    e->plan->graph->node[i].op->statistics->measure_back(&c.run, to);
    if (e->op_seconds) e->op_seconds[2 * i + 1] += now() - start;
}

void dt_exec_backward_node(dt_exec *e, int i, const double *joined)
{
    const dt_plan_node *pn = &e->plan->node[i];
    const dt_node *node = &e->plan->graph->node[i];
    back_call c;
    if (!pn->runs_back) return;
    if (pn->remakes >= 0 && !joined) remake(e, pn->remakes);
    double start = e->op_seconds ? now() : 0;
    prepare_back(e, i, &c);
    c.run.joined = joined;
    node->op->backward(&c.run);
    for (int j = 0; j < node->in_count; j++) {
        if (pn->sum[j] < 0) continue;
        real *to = gradient(e, node->in[j]);
        e->kernels->point.add(e->plan->threads, dt_shape_count(&c.sh.in[j]), to, c.run.d_in[j], to);
    }
    if (e->op_seconds) e->op_seconds[2 * i + 1] += now() - start;
    if (e->after_back) e->after_back(e->after_back_arg, i);
}

void dt_exec_backward(dt_exec *e)
{
    dt_exec_begin_backward(e);
    for (int i = e->plan->graph->node_count - 1; i >= 0; i--)
        dt_exec_backward_node(e, i, NULL);
}
