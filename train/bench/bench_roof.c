/* The least work of a step's nodes, and the rate at which memory moves. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/bench/bench_roof.h"

#include <string.h>

#include "train/bench/bench_peak.h"

enum { PIECE = 1 << 20, PIECES = 128, COPIES = 10 };

static double value_mb(const dt_plan *p, int value)
{
    return 1e-6 * (double)dt_plan_value_bytes(p, value);
}

static double gradient_mb(const dt_plan *p, int value)
{
    return 1e-6 * (double)dt_shape_count(&p->shape[value]) * (double)sizeof(real);
}

/* A node may name a value twice; it is moved once. */
static bool is_first(const int *list, int at)
{
    for (int i = 0; i < at; i++)
        if (list[i] == list[at]) return false;
    return true;
}

static bool is_remade(const dt_plan *p, int node)
{
    for (int i = 0; i < p->graph->node_count; i++)
        if (p->node[i].runs_back && p->node[i].remakes == node) return true;
    return false;
}

dt_bench_work dt_bench_forward_work(const dt_plan *p, int node)
{
    const dt_node *n = &p->graph->node[node];
    dt_bench_work w = { .gflop = 2e-9 * (double)dt_plan_node_macs(p, node) };
    if (!p->node[node].runs) return w;
    for (int i = 0; i < n->in_count; i++)
        if (is_first(n->in, i)) w.mb += value_mb(p, n->in[i]);
    for (int i = 0; i < n->out_count; i++)
        w.mb += value_mb(p, n->out[i]);
    if (is_remade(p, node)) w.gflop *= 2, w.mb *= 2;
    return w;
}

dt_bench_work dt_bench_backward_work(const dt_plan *p, int node)
{
    const dt_node *n = &p->graph->node[node];
    const dt_plan_node *pn = &p->node[node];
    dt_bench_work w = { 0 };
    if (!pn->runs_back) return w;
    w.gflop = 2e-9 * (double)dt_plan_node_macs(p, node) * (pn->wants[0] + pn->wants[1]);
    for (int i = 0; i < n->in_count; i++) {
        if (n->op->reads_in >> i & 1 && is_first(n->in, i)) w.mb += value_mb(p, n->in[i]);
        if (pn->wants[i]) w.mb += (1 + pn->add[i]) * gradient_mb(p, n->in[i]);
    }
    for (int i = 0; i < n->out_count; i++) {
        if (n->op->reads_out >> i & 1) w.mb += value_mb(p, n->out[i]);
        w.mb += gradient_mb(p, n->out[i]);
    }
    return w;
}

typedef struct copy {
    unsigned char *from, *to;
} copy;

static void copy_piece(void *arg, int64_t i, int thread)
{
    (void)thread;
    const copy *c = arg;
    memcpy(c->to + i * PIECE, c->from + i * PIECE, PIECE);
}

dt_status dt_bench_bandwidth(int threads, const dt_alloc *alloc, double *out, dt_error *err)
{
    copy c = { dt_get_array(alloc, PIECES, PIECE, "bench"),
               dt_get_array(alloc, PIECES, PIECE, "bench") };
    double best = 0;
    if (c.from && c.to) memset(c.from, 1, (size_t)PIECES * PIECE); /* untouched pages are one */
    for (int i = 0; c.from && c.to && i <= COPIES; i++) {
        double start = dt_bench_now();
        dt_parallel(threads, PIECES, copy_piece, &c);
        double rate = 2e-9 * PIECES * PIECE / (dt_bench_now() - start);
        best = rate > best ? rate : best;
    }
    dt_put(alloc, c.from);
    dt_put(alloc, c.to);
    if (best == 0) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to measure its rate");
    *out = best;
    return DT_OK;
}
