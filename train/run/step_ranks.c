/* A step among ranks. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/run/step_ranks.h"

#include <stdio.h>
#include <string.h>

void dt_ranks_ends(const dt_plan *p, int *out)
{
    for (int v = 0; v < p->graph->value_count; v++)
        out[v] = -1;
    for (int i = p->graph->node_count - 1; i >= 0; i--) {
        const dt_node *node = &p->graph->node[i];
        for (int j = 0; p->node[i].runs_back && j < node->in_count; j++)
            if (p->node[i].wants[j] && p->graph->value[node->in[j]].kind == DT_VALUE_PARAM)
                out[node->in[j]] = i;
    }
}

/* Parameters in the order in which their gradients are complete: backward passes run from the last
 * node to the first. Those without one come last. */
static int order_parts(dt_ranks *r, const dt_graph *g, const int *ends, int64_t *counts)
{
    int n = 0;
    for (int node = g->node_count - 1; node >= -1; node--)
        for (int v = 0; v < g->value_count; v++) {
            if (g->value[v].kind != DT_VALUE_PARAM || ends[v] != node) continue;
            counts[n] = dt_shape_count(&g->value[v].shape);
            r->part[v] = n++;
        }
    return n;
}

static dt_status init_sums(dt_ranks *r, const dt_graph *g, const int *ends, const dt_alloc *a,
                           dt_error *err)
{
    size_t n = (size_t)g->value_count + 1;
    r->part = dt_arena_get(r->arena, n * sizeof *r->part);
    r->is_ready = dt_arena_get(r->arena, n * sizeof *r->is_ready);
    int64_t *counts = dt_arena_get(r->arena, n * sizeof *counts);
    if (!r->part || !r->is_ready || !counts)
        return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the sums of the ranks");
    for (int v = 0; v < g->value_count; v++)
        r->part[v] = -1;
    int parts = order_parts(r, g, ends, counts);
    return dt_reduce_init(&r->reduce, r->comm, counts, parts, a, err);
}

dt_status dt_ranks_init(dt_ranks *r, dt_comm *comm, const dt_share *share, const dt_graph *g,
                        const int *ends, const dt_alloc *a, dt_error *err)
{
    size_t rows = (size_t)share->block * (size_t)share->ranks;
    *r = (dt_ranks){ .comm = comm, .share = *share };
    r->arena = dt_arena_new(a, "communication");
    r->note = r->arena ? dt_arena_get(r->arena, rows * sizeof *r->note) : NULL;
    r->wish = r->arena ? dt_arena_get(r->arena, (size_t)share->ranks * sizeof *r->wish) : NULL;
    r->skipped =
        r->arena ? dt_arena_get(r->arena, (size_t)share->ranks * sizeof *r->skipped) : NULL;
    dt_status st = DT_OK;
    if (!r->note || !r->wish || !r->skipped)
        st = dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the notes of a step");
    else if (share->ranks > 1)
        st = init_sums(r, g, ends, a, err);
    if (st != DT_OK) dt_ranks_fini(r);
    return st;
}

dt_status dt_ranks_skipped(const dt_ranks *r, dt_skipped *s, dt_error *err)
{
    int n = r->share.ranks;
    if (n == 1) return DT_OK;
    r->skipped[dt_comm_rank(r->comm)] = *s;
    DT_TRY(dt_comm_gather(r->comm, r->skipped, sizeof *s, err));
    *s = (dt_skipped){ 0 };
    for (int i = 0; i < n; i++) {
        if (s->count == 0) memcpy(s->first, r->skipped[i].first, sizeof s->first);
        s->count += r->skipped[i].count;
    }
    return DT_OK;
}

void dt_ranks_fini(dt_ranks *r)
{
    dt_reduce_fini(&r->reduce);
    dt_arena_free(r->arena);
    r->arena = NULL;
}

void dt_ranks_begin(dt_ranks *r)
{
    r->st = DT_OK;
    r->sent_before = dt_comm_traffic_of(r->comm).bytes;
    dt_reduce_begin(&r->reduce);
    if (r->is_ready) memset(r->is_ready, 0, (size_t)r->reduce.part_count * sizeof *r->is_ready);
}

static void ready(dt_ranks *r, const dt_state *s, int value)
{
    int part = r->part[value];
    if (r->st != DT_OK || r->is_ready[part]) return;
    r->is_ready[part] = true;
    r->st = dt_reduce_ready(&r->reduce, part, s->grad[value], &r->err);
}

/* A node of the last batch's backward pass is done: what is complete goes into the sums. */
static void after_back(void *arg, int i)
{
    dt_ranks *r = arg;
    dt_state *s = r->exec->state;
    const dt_node *node = &r->exec->plan->graph->node[i];
    for (int j = 0; j < node->in_count; j++) {
        int v = node->in[j];
        if (r->ends[v] != i || r->is_ready[r->part[v]]) continue;
        for (int k = 0; r->earlier && k < r->share.count - 1; k++)
            dt_accumulate_add_value(r->sums, r->earlier[k], v, r->share.first + k);
        dt_accumulate_add_value(r->sums, s, v, r->index);
        ready(r, s, v);
    }
    if (r->st == DT_OK) r->st = dt_reduce_poll(&r->reduce, &r->err);
}

void dt_ranks_watch(dt_ranks *r, dt_exec *e, const int *ends, dt_accumulate *sums,
                    dt_state *const *earlier)
{
    if (r->share.ranks == 1) return;
    r->exec = e;
    r->ends = ends;
    r->sums = sums;
    r->index = r->share.first + r->share.count - 1;
    r->earlier = earlier;
    e->after_back = after_back;
    e->after_back_arg = r;
}

void dt_ranks_backward(dt_ranks *r, dt_exec *e, const int *ends, dt_accumulate *sums, int index)
{
    bool is_last = index == r->share.first + r->share.count - 1;
    if (is_last) dt_ranks_watch(r, e, ends, sums, NULL);
    dt_exec_backward(e);
    if (r->share.ranks == 1 || !is_last) dt_accumulate_add(sums, e->state, index);
}

dt_status dt_ranks_any(dt_ranks *r, bool here, bool *out, dt_error *err)
{
    *out = here;
    if (r->share.ranks == 1) return DT_OK;
    r->wish[dt_comm_rank(r->comm)] = (dt_wish){ .failed = here };
    DT_TRY(dt_comm_gather(r->comm, r->wish, sizeof *r->wish, err));
    for (int i = 0; i < r->share.ranks; i++)
        *out |= r->wish[i].failed;
    return DT_OK;
}

/* What no backward pass has made ready: what has no gradient, or all after a failure. */
static dt_status end_sums(dt_ranks *r, const dt_state *s, dt_error *err)
{
    for (int v = 0; v < s->graph->value_count; v++)
        if (r->part[v] >= 0) ready(r, s, v);
    if (r->st == DT_OK) r->st = dt_reduce_finish(&r->reduce, &r->err);
    if (r->st != DT_OK && err) *err = r->err;
    return r->st;
}

static void join_wishes(const dt_ranks *r, dt_wish *wish)
{
    for (int i = 0; i < r->share.ranks; i++) {
        wish->failed |= r->wish[i].failed;
        wish->stop |= r->wish[i].stop;
        wish->save |= r->wish[i].save;
    }
}

dt_status dt_ranks_end(dt_ranks *r, dt_exec *e, dt_accumulate *sums, dt_wish *wish, dt_status st,
                       dt_error *err)
{
    dt_error lost;
    size_t block = (size_t)r->share.block;
    if (r->share.ranks == 1) return st;
    e->after_back = NULL;
    wish->failed = st != DT_OK;
    r->wish[dt_comm_rank(r->comm)] = *wish;
    dt_status through = end_sums(r, e->state, &lost);
    if (through == DT_OK) through = dt_comm_gather(r->comm, r->wish, sizeof *r->wish, &lost);
    if (through == DT_OK)
        through = dt_comm_gather(r->comm, r->note, block * sizeof *r->note, &lost);
    if (through == DT_OK && sums->moves)
        through = dt_comm_gather(r->comm, sums->moves,
                                 block * sums->moves_of_batch * sizeof *sums->moves, &lost);
    if (through != DT_OK) {
        if (err) *err = lost;
        return through;
    }
    r->bytes += dt_comm_traffic_of(r->comm).bytes - r->sent_before;
    r->steps++;
    join_wishes(r, wish);
    return wish->failed ? dt_comm_settle(r->comm, st, err) : DT_OK; /* err holds st's text */
}

void dt_ranks_print(const dt_ranks *r, char *text, size_t size)
{
    const dt_reduce *sums = &r->reduce;
    text[0] = '\0';
    if (r->steps == 0 || !(sums->busy > 0)) return;
    double steps = (double)r->steps;
    snprintf(
        text, size,
        "ranks: %lld bytes sent a step by rank %d; sums under way %.2f ms a step, of which %.2f "
        "ms were waited for (%.0f%% hidden)",
        (long long)(r->bytes / r->steps), dt_comm_rank(r->comm), 1e3 * sums->busy / steps,
        1e3 * sums->waited / steps, 100 * (1 - sums->waited / sums->busy));
}
