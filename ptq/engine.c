/* The float net beside the quantized one, and passes over all pictures. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "ptq/engine.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "autograd/fuse.h"
#include "autograd/query.h"
#include "autograd/rewrite.h"
#include "ptq/units.h"

static dt_status no_memory(dt_error *err)
{
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for pictures' values");
}

/* Quantizers are left out, and what is nothing outside of training; what makes the logits'
 * quantized value makes the logits. */
static dt_status visit_bare(dt_rewrite *r, int i)
{
    dt_ptq *q = r->arg;
    const dt_node *node = &r->source->node[i];
    q->bare_of = r->value;
    if (!node->op->quantizes && !node->op->identity_in_eval) return dt_rewrite_put(r, node);
    if (dt_ptq_output_at(q, node->out[0]) >= 0)
        dt_rewrite_rename(r, node->in[0], node->out[0]);
    else
        dt_rewrite_stand_for(r, node->out[0], node->in[0]);
    return DT_OK;
}

static dt_status check_net(const dt_ptq *q, dt_error *err)
{
    for (int i = 0; i < q->g->node_count; i++)
        if (q->g->node[i].op->folds_norm)
            return dt_fail(err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = "quant.fold_norm" },
                           "is for training; statistics are fixed here, so leave it out");
    return DT_OK;
}

bool dt_ptq_is_input(const dt_ptq *q, int value)
{
    for (int k = 0, v; (v = dt_graph_input(q->g, k)) >= 0; k++)
        if (v == value) return true;
    return value == q->p->input;
}

int dt_ptq_output_at(const dt_ptq *q, int value)
{
    for (int k = 0; k < q->outs; k++)
        if (q->out[k].value == value) return k;
    return -1;
}

int dt_ptq_given(const dt_ptq *q, int value, int *to)
{
    int count = 0;
    to[0] = value;
    if (value != DT_PTQ_INPUTS) return 1;
    for (int v; (v = dt_graph_input(q->g, count)) >= 0; count++)
        to[count] = v;
    return count;
}

void dt_ptq_feed(const dt_ptq *q, dt_exec *e, int value, const real *data)
{
    (void)q;
    if (value == DT_PTQ_INPUTS)
        dt_exec_feed(e, data);
    else
        dt_exec_set_input(e, value, data);
}

static void find_ends(dt_ptq *q)
{
    const dt_ptq_params *p = q->p;
    q->start = dt_graph_input(q->g, 1) >= 0 ? DT_PTQ_INPUTS : p->input;
    q->stream = (dt_ptq_stream){ q->start, q->start, NULL, NULL };
    q->outs = p->output ? p->outputs : 1;
    q->out[0] = (dt_ptq_output){ p->logits, &dt_categorical, 1 };
    for (int k = 0; p->output && k < q->outs; k++)
        q->out[k] = p->output[k];
}

dt_status dt_ptq_init(dt_ptq *q, const dt_ptq_params *p, dt_error *err)
{
    int wanted[DT_GRAPH_PORTS];
    *q = (dt_ptq){ .p = p, .g = p->graph, .pictures = p->pictures };
    find_ends(q);
    for (int k = 0; k < q->outs; k++)
        wanted[k] = q->out[k].value;
    DT_TRY(check_net(q, err));
    q->arena = dt_arena_new(p->alloc, "ptq");
    if (!q->arena) return no_memory(err);
    dt_status st = dt_ptq_values_init(q, err);
    q->needed = dt_arena_get(q->arena, (size_t)p->graph->node_count + 1);
    q->border = dt_arena_get(q->arena, sizeof *q->border * (size_t)(p->graph->node_count + 2));
    if (st == DT_OK && !(q->needed && q->border)) st = no_memory(err);
    if (st == DT_OK) st = dt_graph_rewrite(p->graph, visit_bare, q, p->alloc, &q->bare, err);
    if (st == DT_OK) {
        dt_query_cone(p->graph, wanted, q->outs, q->needed);
        dt_ptq_find_borders(q);
    } else {
        dt_ptq_fini(q);
    }
    return st;
}

void dt_ptq_fini(dt_ptq *q)
{
    dt_ptq_put(q, q->stream.quant);
    dt_ptq_put(q, q->stream.plain);
    dt_ptq_put(q, q->made);
    dt_ptq_values_fini(q);
    dt_state_fini(&q->origin);
    dt_graph_fini(&q->bare);
    dt_arena_free(q->arena);
    *q = (dt_ptq){ .p = q->p };
}

dt_status dt_ptq_keep_origin(dt_ptq *q, dt_error *err)
{
    if (q->has_origin) return DT_OK;
    DT_TRY(dt_state_init(&q->origin, q->g, false, 0, q->p->alloc, err));
    for (int v = 0; v < q->g->value_count; v++)
        if (q->origin.data[v])
            memcpy(q->origin.data[v], q->p->state->data[v],
                   sizeof(real) * (size_t)dt_shape_count(&q->g->value[v].shape));
    q->has_origin = true;
    return DT_OK;
}

int64_t dt_ptq_features(const dt_ptq *q, int value)
{
    return value == DT_PTQ_INPUTS ? dt_graph_record(q->g)
                                  : dt_shape_count(&q->g->value[value].shape);
}

/* One net cut to a pass, ready to run. */
typedef struct runner {
    dt_graph fused;
    dt_plan plan;
    dt_exec exec;
    const int *want; /* values of the net that runs */
    int from;
} runner;

/* What stands for a value in the net of a pass. */
static int in_net(const dt_ptq *q, const dt_ptq_pass *pass, int value)
{
    return pass->plain && value != DT_PTQ_INPUTS ? q->bare_of[value] : value;
}

static void close_runner(runner *r)
{
    dt_exec_fini(&r->exec);
    dt_plan_fini(&r->plan);
    dt_graph_fini(&r->fused);
}

static dt_status plan_runner(dt_ptq *q, const dt_ptq_pass *pass, int *want, int64_t batch,
                             runner *r, dt_error *err)
{
    const dt_ptq_params *p = q->p;
    *r = (runner){ .want = want, .from = in_net(q, pass, pass->from) };
    for (int i = 0; i < pass->want_count; i++)
        want[i] = in_net(q, pass, pass->want[i]);
    const int *given = want + pass->want_count;
    const int givens = dt_ptq_given(q, r->from, want + pass->want_count);
    DT_TRY(dt_fuse(pass->plain ? &q->bare : q->g, want, pass->want_count + givens, &r->fused,
                   p->alloc, err));
    return dt_plan_init(&r->plan,
                        &(dt_plan_request){ .graph = &r->fused,
                                            .kernels = p->kernels,
                                            .mode = DT_MODE_EVAL,
                                            .batch = batch,
                                            .threads = p->threads,
                                            .outputs = want,
                                            .output_count = pass->want_count,
                                            .given = given,
                                            .given_count = givens },
                        p->alloc, err);
}

static dt_status bind_runner(dt_ptq *q, const dt_ptq_pass *pass, void *memory, runner *r,
                             dt_error *err)
{
    const dt_ptq_params *p = q->p;
    return dt_exec_init(&r->exec, &r->plan, pass->plain ? &q->origin : p->state, p->kernels, memory,
                        p->alloc, err);
}

static dt_status open_runner(dt_ptq *q, const dt_ptq_pass *pass, int *want, int64_t batch,
                             runner *r, dt_error *err)
{
    void *memory = NULL;
    dt_status st = plan_runner(q, pass, want, batch, r, err);
    if (st == DT_OK) st = dt_ptq_scratch(q, r->plan.arena_bytes, &memory, err);
    if (st == DT_OK) st = bind_runner(q, pass, memory, r, err);
    if (st != DT_OK) close_runner(r);
    return st;
}

static void copy_out(const dt_ptq *q, const dt_ptq_pass *pass, const runner *r, int64_t first,
                     int64_t batch)
{
    for (int i = 0; i < pass->want_count; i++) {
        size_t n = (size_t)dt_ptq_features(q, pass->want[i]);
        if (!pass->to[i]) continue;
        memcpy(pass->to[i] + (size_t)first * n, dt_exec_value(&r->exec, r->want[i]),
               sizeof(real) * n * (size_t)batch);
    }
}

/* Where an input begins in a sample; -1: it is none. */
static int64_t place_of(const dt_ptq *q, int value)
{
    int64_t at = 0;
    for (int k = 0, v; (v = dt_graph_input(q->g, k)) >= 0; k++) {
        if (v == value) return at;
        at += dt_ptq_features(q, v);
    }
    return -1;
}

/* A value wanted at the border itself needs no pass, one of several inputs neither. */
static bool is_there(const dt_ptq *q, const dt_ptq_pass *pass)
{
    const int64_t record = dt_ptq_features(q, pass->from);
    int64_t at = 0, n = record;
    if (pass->want_count != 1 || !pass->to[0]) return false;
    if (pass->from == DT_PTQ_INPUTS && pass->want[0] != pass->from) {
        at = place_of(q, pass->want[0]);
        n = dt_ptq_features(q, pass->want[0]);
    } else if (pass->want[0] != pass->from) {
        return false;
    }
    for (int64_t i = 0; at >= 0 && i < q->p->count; i++)
        memcpy(pass->to[0] + i * n, pass->data + i * record + at, sizeof(real) * (size_t)n);
    return at >= 0;
}

/* The last batch is a whole one: it begins earlier, and gives the same values again. */
static dt_status run_all(const dt_ptq *q, const dt_ptq_pass *pass, runner *r, int64_t batch,
                         dt_error *err)
{
    const int64_t count = q->p->count, n = dt_ptq_features(q, pass->from);
    for (int64_t at = 0; at < count; at += batch) {
        int64_t first = at + batch <= count ? at : count - batch;
        dt_ptq_feed(q, &r->exec, r->from, pass->data + first * n);
        DT_TRY(dt_exec_forward(&r->exec, err));
        copy_out(q, pass, r, first, batch);
    }
    return DT_OK;
}

dt_status dt_ptq_collect(dt_ptq *q, const dt_ptq_pass *pass, dt_error *err)
{
    const int64_t count = q->p->count, batch = q->p->batch < count ? q->p->batch : count;
    runner r;
    if (is_there(q, pass)) return DT_OK;
    int *want =
        dt_get_array(q->p->alloc, (size_t)pass->want_count + DT_GRAPH_PORTS, sizeof *want, "ptq");
    if (!want) return no_memory(err);
    dt_status st = open_runner(q, pass, want, batch, &r, err);
    if (st == DT_OK) {
        st = run_all(q, pass, &r, batch, err);
        close_runner(&r);
    }
    dt_put(q->p->alloc, want);
    return st;
}

const real *dt_ptq_at(const dt_ptq *q, bool plain)
{
    const real *data = plain ? q->stream.plain : q->stream.quant;
    return data ? data : q->pictures;
}

static dt_status advance_one(dt_ptq *q, bool plain, int border, dt_error *err)
{
    int *at = plain ? &q->stream.plain_at : &q->stream.at;
    real **data = plain ? &q->stream.plain : &q->stream.quant, *next;
    if (*at == border) return DT_OK;
    DT_TRY(dt_ptq_get(q, border, &next, err));
    const dt_ptq_pass pass = { .plain = plain,
                               .from = *at,
                               .data = dt_ptq_at(q, plain),
                               .want = &border,
                               .want_count = 1,
                               .to = &next };
    dt_status st = dt_ptq_collect(q, &pass, err);
    dt_ptq_put(q, st == DT_OK ? *data : next);
    if (st != DT_OK) return st;
    *data = next;
    *at = border;
    return DT_OK;
}

static void drop_stream(dt_ptq *q)
{
    dt_ptq_put(q, q->stream.quant);
    dt_ptq_put(q, q->stream.plain);
    q->stream = (dt_ptq_stream){ q->start, q->start, NULL, NULL };
}

dt_status dt_ptq_advance(dt_ptq *q, int border, dt_error *err)
{
    if (border == q->start) drop_stream(q);
    return advance_one(q, false, border, err);
}

dt_status dt_ptq_advance_plain(dt_ptq *q, dt_error *err)
{
    return advance_one(q, true, q->stream.at, err);
}

dt_status dt_ptq_read(dt_ptq *q, int value, real *quant, real *plain, dt_error *err)
{
    if (plain) DT_TRY(dt_ptq_advance_plain(q, err));
    for (int k = 0; k < 2; k++) {
        real *to = k ? plain : quant;
        const dt_ptq_pass pass = { .plain = k,
                                   .from = q->stream.at,
                                   .data = dt_ptq_at(q, k),
                                   .want = &value,
                                   .want_count = 1,
                                   .to = &to };
        if (to) DT_TRY(dt_ptq_collect(q, &pass, err));
    }
    return DT_OK;
}

/* ---- both nets side by side ---- */

enum { QUANT, PLAIN };

/* What a pass of both nets has, [QUANT] and [PLAIN]. */
typedef struct pair {
    dt_ptq_pass pass[2];
    runner r[2];
    int count; /* values that are compared, the first ones */
    double *signal, *noise;
} pair;

static void add_noise(const dt_ptq *q, const pair *p, int64_t skip, int64_t batch)
{
    for (int i = 0; i < p->count; i++) {
        const int64_t n = dt_ptq_features(q, p->pass[0].want[i]);
        const real *a = dt_exec_value(&p->r[QUANT].exec, p->r[QUANT].want[i]);
        const real *b = dt_exec_value(&p->r[PLAIN].exec, p->r[PLAIN].want[i]);
        for (int64_t k = skip * n; k < batch * n; k++) {
            double d = (double)a[k] - (double)b[k];
            p->signal[i] += (double)b[k] * (double)b[k];
            p->noise[i] += d * d;
        }
    }
}

static dt_status run_pair(dt_ptq *q, pair *p, int64_t batch, dt_error *err)
{
    const int64_t count = q->p->count, n = dt_ptq_features(q, p->pass[0].from);
    void *memory;
    size_t bytes = p->r[QUANT].plan.arena_bytes;
    bytes += DT_ALIGN - bytes % DT_ALIGN;
    DT_TRY(dt_ptq_scratch(q, bytes + p->r[PLAIN].plan.arena_bytes, &memory, err));
    DT_TRY(bind_runner(q, &p->pass[QUANT], memory, &p->r[QUANT], err));
    DT_TRY(bind_runner(q, &p->pass[PLAIN], (char *)memory + bytes, &p->r[PLAIN], err));
    for (int64_t at = 0; at < count; at += batch) {
        int64_t first = at + batch <= count ? at : count - batch;
        for (int k = QUANT; k <= PLAIN; k++) {
            dt_ptq_feed(q, &p->r[k].exec, p->r[k].from, p->pass[k].data + first * n);
            DT_TRY(dt_exec_forward(&p->r[k].exec, err));
            copy_out(q, &p->pass[k], &p->r[k], first, batch);
        }
        add_noise(q, p, at - first, batch);
    }
    return DT_OK;
}

static dt_status open_pair(dt_ptq *q, const int *value, int border, int *want, real **to, pair *p,
                           dt_error *err)
{
    const int64_t batch = q->p->batch < q->p->count ? q->p->batch : q->p->count;
    const int all = p->count + (border >= 0);
    DT_TRY(dt_ptq_advance_plain(q, err));
    for (int k = QUANT; k <= PLAIN; k++) {
        real **kept = to + k * (all + 1);
        if (border >= 0) DT_TRY(dt_ptq_get(q, border, &kept[p->count], err));
        p->pass[k] = (dt_ptq_pass){ .plain = k == PLAIN,
                                    .from = q->stream.at,
                                    .data = dt_ptq_at(q, k == PLAIN),
                                    .want = value,
                                    .want_count = all,
                                    .to = kept };
        DT_TRY(plan_runner(q, &p->pass[k], want + k * (all + DT_GRAPH_PORTS), batch, &p->r[k], err));
    }
    return run_pair(q, p, batch, err);
}

dt_status dt_ptq_compare(dt_ptq *q, const int *value, int count, int border, double *out_db,
                         dt_error *err)
{
    const int all = count + (border >= 0);
    dt_arena *arena = dt_arena_new(q->p->alloc, "ptq");
    if (!arena) return no_memory(err);
    int *values = dt_arena_get(arena, sizeof *values * (size_t)(all + 1));
    int *want = dt_arena_get(arena, sizeof *want * (size_t)(2 * (all + DT_GRAPH_PORTS)));
    real **to = dt_arena_get(arena, sizeof *to * (size_t)(2 * (all + 1)));
    double *sums = dt_arena_get(arena, sizeof *sums * (size_t)(2 * count + 1));
    pair p = { .count = count, .signal = sums, .noise = sums ? sums + count : NULL };
    dt_status st = DT_OK;
    if (values && want && to && sums) {
        for (int i = 0; i < all; i++)
            values[i] = i < count ? value[i] : border;
        st = open_pair(q, values, border, want, to, &p, err);
        for (int k = QUANT; k <= PLAIN; k++)
            close_runner(&p.r[k]);
        for (int i = 0; i < count; i++)
            out_db[i] = sums[count + i] > 0 ? 10 * log10(sums[i] / sums[count + i]) : INFINITY;
    } else {
        st = no_memory(err);
    }
    if (st == DT_OK && border >= 0) {
        drop_stream(q);
        q->stream = (dt_ptq_stream){ border, border, to[count], to[all + 1 + count] };
    } else if (to && border >= 0) {
        dt_ptq_put(q, to[count]);
        dt_ptq_put(q, to[all + 1 + count]);
    }
    dt_arena_free(arena);
    return st;
}

/* ---- telling ---- */

void dt_ptq_begin(dt_ptq *q, int unit_count)
{
    q->unit_count = unit_count > 0 ? unit_count : 1;
    q->unit = 0;
}

dt_status dt_ptq_tell(dt_ptq *q, const char *unit, double share, dt_error *err)
{
    const dt_ptq_events *e = &q->p->events;
    double all = (q->stage + (q->unit + share) / q->unit_count) / q->p->stage_count;
    if (!e->progress || e->progress(e->arg, q->p->stage[q->stage].row->name, unit, all))
        return DT_OK;
    return dt_fail(err, DT_ERR_ARG, NULL, "stopped");
}

dt_status dt_ptq_finish_unit(dt_ptq *q, dt_ptq_result *r, dt_error *err)
{
    const dt_ptq_events *e = &q->p->events;
    r->stage = q->p->stage[q->stage].row->name;
    r->at_stage = q->stage;
    r->at_unit = q->unit++;
    return e->unit ? e->unit(e->arg, r, err) : DT_OK;
}

bool dt_ptq_skips(const dt_ptq *q, int unit)
{
    return q->stage == q->p->done_stages && unit < q->p->done_units;
}

void dt_ptq_say(const dt_ptq *q, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (q->p->events.message) q->p->events.message(q->p->events.arg, text);
}
