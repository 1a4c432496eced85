/* The rest of the float net behind a unit. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "ptq/tail.h"

#include <math.h>
#include <string.h>

#include "autograd/fuse.h"
#include "autograd/query.h"

/* Does an output of the float net depend on the unit's? */
static dt_status depends(const dt_ptq_tail *t, int value, bool *out, dt_error *err)
{
    const dt_graph *g = &t->q->bare;
    bool *needed = dt_get_array(t->q->p->alloc, (size_t)g->node_count + 1, 1, "unit");
    if (!needed) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a unit");
    dt_query_cone(g, &value, 1, needed);
    *out = dt_query_readers(g, needed, t->out, NULL) > 0;
    dt_put(t->q->p->alloc, needed);
    return DT_OK;
}

static dt_status find_ends(dt_ptq_tail *t, dt_error *err)
{
    const dt_ptq *q = t->q;
    t->own = -1;
    for (int k = 0; k < q->outs; k++) {
        const int value = q->bare_of[q->out[k].value];
        bool follows = false;
        DT_TRY(depends(t, value, &follows, err));
        if (value == t->out) t->own = t->ends;
        t->runs = t->runs || (follows && value != t->out);
        if (follows || value == t->out)
            t->end[t->ends++] = (dt_ptq_end){ .out = &q->out[k],
                                              .value = value,
                                              .K = dt_ptq_features(q, q->out[k].value) };
    }
    return DT_OK;
}

/* What is given: the unit's output, and what the rest reads beside it. */
static int list_given(const dt_ptq_tail *t, int *given)
{
    given[0] = t->out;
    return 1 + (t->from == t->out ? 0 : dt_ptq_given(t->q, t->from, given + 1));
}

static dt_status make_plan(dt_ptq_tail *t, dt_error *err)
{
    const dt_ptq_params *p = t->q->p;
    int keep[2 * DT_GRAPH_PORTS + 1], ends = 0;
    bool *frozen = dt_arena_get(t->q->arena, (size_t)t->q->bare.value_count + 1);
    if (!frozen) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    for (int v = 0; v < t->q->bare.value_count; v++)
        frozen[v] = true;
    for (int k = 0; k < t->ends; k++)
        if (k != t->own) keep[ends++] = t->end[k].value;
    const int givens = list_given(t, keep + ends);
    DT_TRY(dt_fuse(&t->q->bare, keep, ends + givens, &t->fused, p->alloc, err));
    DT_TRY(dt_plan_init(&t->plan,
                        &(dt_plan_request){ .graph = &t->fused,
                                            .kernels = p->kernels,
                                            .mode = DT_MODE_TRAIN,
                                            .norms = DT_NORMS_RUNNING,
                                            .batch = t->batch,
                                            .threads = p->threads,
                                            .outputs = keep,
                                            .output_count = ends,
                                            .given = keep + ends,
                                            .given_count = givens,
                                            .seeds = keep,
                                            .seed_count = ends,
                                            .gradients = &t->out,
                                            .gradient_count = 1,
                                            .frozen = frozen },
                        p->alloc, err));
    return dt_exec_init(&t->exec, &t->plan, &t->q->origin, p->kernels, NULL, p->alloc, err);
}

static dt_status get_memory(dt_ptq_tail *t, dt_error *err)
{
    const dt_alloc *a = t->q->p->alloc;
    const size_t batch = (size_t)t->batch;
    int64_t most = 1;
    bool ok = true;
    for (int k = 0; k < t->ends; k++) {
        dt_ptq_end *e = &t->end[k];
        DT_TRY(dt_ptq_get(t->q, e->out->value, &e->truth, err));
        e->seed = dt_get_array(a, batch * (size_t)e->K, sizeof *e->seed, "unit");
        most = e->K > most ? e->K : most;
        ok = ok && e->seed;
    }
    t->y = dt_get_array(a, batch * (size_t)t->n, sizeof *t->y, "unit");
    t->at = dt_get_array(a, batch * (size_t)t->from_n, sizeof *t->at, "unit");
    t->slope = dt_get_array(a, batch * (size_t)t->n, sizeof *t->slope, "unit");
    t->room = dt_get_array(a, 2 * (size_t)most, sizeof *t->room, "unit");
    ok = ok && t->y && t->at && t->slope && t->room;
    return ok ? DT_OK : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a unit");
}

static dt_status open(dt_ptq_tail *t, dt_error *err)
{
    dt_ptq *q = t->q;
    int want[DT_GRAPH_PORTS];
    real *to[DT_GRAPH_PORTS];
    DT_TRY(find_ends(t, err));
    DT_TRY(get_memory(t, err));
    DT_TRY(dt_ptq_advance_plain(q, err));
    for (int k = 0; k < t->ends; k++) {
        want[k] = t->end[k].out->value;
        to[k] = t->end[k].truth;
    }
    const dt_ptq_pass pass = { .plain = true,
                               .from = q->stream.at,
                               .data = dt_ptq_at(q, true),
                               .want = want,
                               .want_count = t->ends,
                               .to = to };
    if (t->ends) DT_TRY(dt_ptq_collect(q, &pass, err));
    for (int k = 0; k < t->ends; k++) {
        dt_ptq_end *e = &t->end[k];
        e->spread = dt_distribution_spread(e->out->says, q->p->count, e->K, e->K, e->truth);
    }
    return t->runs ? make_plan(t, err) : DT_OK;
}

dt_status dt_ptq_tail_open(dt_ptq_tail *t, dt_ptq *q, const dt_ptq_unit *unit, int64_t batch,
                           double temperature, dt_error *err)
{
    const int at = q->stream.at;
    *t = (dt_ptq_tail){ .q = q,
                        .unit = unit,
                        .out = q->bare_of[unit->out],
                        .from = at == DT_PTQ_INPUTS ? at : q->bare_of[at],
                        .batch = batch,
                        .n = dt_ptq_features(q, unit->out),
                        .from_n = dt_ptq_features(q, at),
                        .temperature = temperature };
    dt_status st = open(t, err);
    if (st != DT_OK) dt_ptq_tail_close(t);
    return st;
}

void dt_ptq_tail_close(dt_ptq_tail *t)
{
    if (!t->q) return;
    const dt_alloc *a = t->q->p->alloc;
    dt_exec_fini(&t->exec);
    dt_plan_fini(&t->plan);
    dt_graph_fini(&t->fused);
    for (int k = 0; k < t->ends; k++) {
        dt_put(a, t->end[k].seed);
        dt_ptq_put(t->q, t->end[k].truth);
    }
    dt_put(a, t->y);
    dt_put(a, t->at);
    dt_put(a, t->slope);
    dt_put(a, t->room);
    *t = (dt_ptq_tail){ 0 };
}

/* What follows from y; places behind the n pictures hold what was there, which nobody reads. */
static bool forward(dt_ptq_tail *t, int64_t n, const int64_t *picture, const real *y)
{
    const real *from = dt_ptq_at(t->q, false);
    if (!t->runs) return true;
    memcpy(t->y, y, sizeof *y * (size_t)(n * t->n));
    for (int64_t i = 0; i < n; i++)
        memcpy(t->at + i * t->from_n, from + picture[i] * t->from_n,
               sizeof *from * (size_t)t->from_n);
    if (t->from != t->out) dt_ptq_feed(t->q, &t->exec, t->from, t->at);
    dt_exec_set_input(&t->exec, t->out, t->y);
    return dt_exec_forward(&t->exec, NULL) == DT_OK; /* it has no hook that fails */
}

static double add_end(dt_ptq_tail *t, dt_ptq_end *e, int64_t n, const int64_t *picture,
                      const real *y)
{
    const double weight = e->out->weight;
    const int64_t K = e->K;
    double sum = 0;
    memset(e->seed, 0, sizeof *e->seed * (size_t)(t->batch * K));
    for (int64_t i = 0; i < n; i++)
        e->out->says->apart(K, e->truth + picture[i] * K, y + i * K, t->temperature, e->spread,
                            t->room, &sum, e->seed + i * K);
    for (int64_t i = 0; i < n * K; i++)
        e->seed[i] = (real)(weight * (double)e->seed[i]);
    return weight * sum;
}

double dt_ptq_tail_kl(dt_ptq_tail *t, int64_t n, const int64_t *picture, const real *y)
{
    double sum = 0;
    if (!forward(t, n, picture, y)) return NAN;
    for (int k = 0; k < t->ends; k++)
        sum += add_end(t, &t->end[k], n, picture,
                       k == t->own ? y : dt_exec_value(&t->exec, t->end[k].value));
    return sum;
}

const real *dt_ptq_tail_slope(dt_ptq_tail *t)
{
    const real *own = t->own >= 0 ? t->end[t->own].seed : NULL;
    if (!t->runs) return own;
    for (int k = 0; k < t->ends; k++)
        if (k != t->own) dt_exec_set_gradient(&t->exec, t->end[k].value, t->end[k].seed);
    dt_exec_backward(&t->exec);
    const real *through = dt_exec_gradient(&t->exec, t->out);
    if (!own || !through) return own ? own : through;
    for (int64_t i = 0; i < t->batch * t->n; i++)
        t->slope[i] = own[i] + through[i];
    return t->slope;
}
