/* Executors side by side. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/together.h"

#include <string.h>

#include "autograd/exec_node.h"

typedef void merge_fn(int64_t count, double *a, double a_batches, const double *b,
                      double b_batches);

int64_t dt_together_most(const dt_plan *p)
{
    const dt_exec e = { .plan = p };
    int64_t most = 0;
    for (int i = 0; i < p->graph->node_count; i++)
        if (dt_exec_numbers(&e, i) > most) most = dt_exec_numbers(&e, i);
    return most;
}

size_t dt_together_bytes(const dt_together *t, int64_t most)
{
    return sizeof(double) * (size_t)most * (size_t)(t->count + t->ranks + 1);
}

void dt_together_lend(dt_together *t, int64_t most, double *memory)
{
    t->record = memory;
    t->gathered = t->record + (int64_t)t->count * most;
    t->joined = t->gathered + (int64_t)t->ranks * most;
}

static void add(int64_t count, double *a, double a_batches, const double *b, double b_batches)
{
    (void)a_batches;
    (void)b_batches;
    for (int64_t i = 0; i < count; i++)
        a[i] += b[i];
}

/* Records of subtrees, n of them with `each` batches and the last one with `last`: all into the
 * first one. Returns how many batches that are. */
static double join_tree(merge_fn *merge, double *record, int64_t count, int n, int each, int last)
{
    int p = 1;
    if (n == 1) return last;
    while (2 * p < n)
        p *= 2;
    double *rest = record + p * count;
    double a = join_tree(merge, record, count, p, each, each);
    double b = join_tree(merge, rest, count, n - p, each, last);
    merge(count, record, a, rest, b);
    return a + b;
}

/* From the records of this process's batches to t->joined. */
static dt_status join(const dt_together *t, merge_fn *merge, int64_t count, dt_error *err)
{
    size_t bytes = (size_t)count * sizeof *t->joined;
    join_tree(merge, t->record, count, t->count, 1, 1);
    memcpy(t->gathered + t->rank * count, t->record, bytes);
    if (t->ranks > 1) DT_TRY(t->calls->gather(t->calls->arg, t->gathered, count, err));
    join_tree(merge, t->gathered, count, t->ranks, t->block,
              t->batches - (t->ranks - 1) * t->block);
    memcpy(t->joined, t->gathered, bytes);
    return DT_OK;
}

/* Executor k from node `first`, whose statistics are joined (-1: from the beginning), to the next
 * one that has some, `end`, which is measured. */
static dt_status forward_some(const dt_together *t, int k, int first, int end, dt_error *err)
{
    dt_exec *e = t->exec[k];
    if (first >= 0) DT_TRY(dt_exec_forward_node(e, first, t->joined, err));
    for (int i = first + 1; i < end; i++)
        DT_TRY(dt_exec_forward_node(e, i, NULL, err));
    if (end == e->plan->graph->node_count) return DT_OK;
    dt_exec_measure(e, end, t->record + k * dt_exec_numbers(e, end));
    return DT_OK;
}

static dt_status all_forward_some(const dt_together *t, int first, int end, dt_error *err)
{
    dt_status st = DT_OK;
    for (int k = 0; st == DT_OK && k < t->count; k++)
        st = forward_some(t, k, first, end, err);
    /* Hooks alone can fail: on another rank, too, which must not be waited for. */
    if (t->ranks == 1 || !t->exec[0]->hook) return st;
    return t->calls->settle(t->calls->arg, st, err);
}

dt_status dt_together_forward(dt_together *t, dt_error *err)
{
    const dt_graph *g = t->exec[0]->plan->graph;
    for (int k = 0; k < t->count; k++) {
        t->exec[k]->lost = false;
        t->exec[k]->batches = t->batches;
    }
    for (int first = -1, end; first < g->node_count; first = end) {
        end = first + 1;
        while (end < g->node_count && dt_exec_numbers(t->exec[0], end) == 0)
            end++;
        DT_TRY(all_forward_some(t, first, end, err));
        if (end == g->node_count) break;
        DT_TRY(join(t, g->node[end].op->statistics->merge, dt_exec_numbers(t->exec[0], end), err));
    }
    return DT_OK;
}

/* Does the backward pass of a node need sums over all? */
static bool joins_back(const dt_together *t, int i)
{
    const dt_exec *e = t->exec[0];
    return e->plan->node[i].runs_back && dt_exec_numbers(e, i) > 0;
}

/* From node `first`, whose sums are joined (the number of nodes: from the end), back to `end`. */
static void backward_some(const dt_together *t, int k, int first, int end)
{
    dt_exec *e = t->exec[k];
    if (first == e->plan->graph->node_count)
        dt_exec_begin_backward(e);
    else
        dt_exec_backward_node(e, first, t->joined);
    for (int i = first - 1; i > end; i--)
        dt_exec_backward_node(e, i, NULL);
    if (end >= 0) dt_exec_measure_back(e, end, t->record + k * dt_exec_numbers(e, end));
}

dt_status dt_together_backward(dt_together *t, dt_error *err)
{
    for (int first = t->exec[0]->plan->graph->node_count, end; first >= 0; first = end) {
        end = first - 1;
        while (end >= 0 && !joins_back(t, end))
            end--;
        for (int k = 0; k < t->count; k++)
            backward_some(t, k, first, end);
        if (end < 0) break;
        DT_TRY(join(t, add, dt_exec_numbers(t->exec[0], end), err));
    }
    return DT_OK;
}
