/* The exact front: layer by layer, every point of the front so far with every width of the layer;
 * what another point beats in both is dropped (a multiple-choice knapsack by dominance). Points
 * beyond the budget, less what the layers to come cost at least, go at once. Of equal damage the
 * cheaper point stays, of equal cost too the one that was there first. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "ptq/sensitivity.h"

typedef struct point {
    int64_t cost, order;
    double damage;
    int before, width; /* index among the points of the layer before; its width here */
} point;

typedef struct list { /* of a layer */
    point *at;
    size_t count;
} list;

static int by_cost(const void *a, const void *b)
{
    const point *x = a, *y = b;
    if (x->cost != y->cost) return x->cost < y->cost ? -1 : 1;
    if (x->damage != y->damage) return x->damage < y->damage ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* Leaves points of strictly falling damage. */
static void keep_front(list *l)
{
    size_t kept = 0;
    qsort(l->at, l->count, sizeof *l->at, by_cost);
    for (size_t i = 0; i < l->count; i++)
        if (kept == 0 || l->at[i].damage < l->at[kept - 1].damage) l->at[kept++] = l->at[i];
    l->count = kept;
}

static int64_t least_of(const dt_ptq_mixed *m, const dt_ptq_resource *r, int i)
{
    int64_t least = r->cost(&m->layer[i], m->width[0]);
    for (int k = 1; k < m->widths; k++)
        if (r->cost(&m->layer[i], m->width[k]) < least) least = r->cost(&m->layer[i], m->width[k]);
    return least;
}

static dt_status extend(const dt_ptq_mixed *m, const dt_ptq_resource *r, int i, int64_t room,
                        const list *before, list *out, dt_error *err)
{
    const dt_ptq_mixed_layer *l = &m->layer[i];
    out->at = dt_get_array(m->alloc, before->count * (size_t)m->widths, sizeof *out->at, "pareto");
    if (!out->at) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the front");
    for (size_t b = 0; b < before->count; b++)
        for (int k = 0; k < m->widths; k++) {
            const point p = { before->at[b].cost + r->cost(l, m->width[k]), (int64_t)out->count,
                              before->at[b].damage + l->damage[k], (int)b, k };
            if (p.cost <= room) out->at[out->count++] = p;
        }
    keep_front(out);
    return DT_OK;
}

/* The lists of all layers that may change; `room` shrinks to the budget as the rest does. */
static dt_status build(dt_ptq_mixed *m, const dt_ptq_resource *r, int64_t budget, list *lists,
                       int *layer, int *out_count, dt_error *err)
{
    const point start = { 0, 0, 0, 0, 0 };
    list before = { (point *)(uintptr_t)&start, 1 };
    int64_t rest = 0;
    for (int i = 0; i < m->count; i++)
        if (!m->layer[i].fixed) rest += least_of(m, r, i);
    for (int i = 0; i < m->count; i++) {
        if (m->layer[i].fixed) continue;
        rest -= least_of(m, r, i);
        DT_TRY(extend(m, r, i, budget - rest, &before, &lists[*out_count], err));
        before = lists[*out_count];
        layer[(*out_count)++] = i;
    }
    return DT_OK;
}

static void trace_back(dt_ptq_mixed *m, const list *lists, const int *layer, int count)
{
    size_t at = lists[count - 1].count - 1; /* the least damage that the budget allows */
    for (int i = count - 1; i >= 0; i--) {
        m->layer[layer[i]].chosen = lists[i].at[at].width;
        at = (size_t)lists[i].at[at].before;
    }
}

static dt_status choose(dt_ptq_mixed *m, const dt_ptq_resource *r, int64_t budget,
                        dt_ptq_point *front, int front_room, int *out_front, dt_error *err)
{
    DT_TRY(dt_ptq_check_budget(m, r, budget, err));
    int count = 0;
    list *lists = dt_get_array(m->alloc, (size_t)m->count, sizeof *lists, "pareto");
    int *layer = dt_get_array(m->alloc, (size_t)m->count, sizeof *layer, "pareto");
    dt_status st = lists && layer ? build(m, r, budget, lists, layer, &count, err)
                                  : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    if (st == DT_OK) {
        const list *last = &lists[count - 1];
        trace_back(m, lists, layer, count);
        int points = 0;
        for (size_t i = 0; front && i < last->count && points < front_room; i++)
            front[points++] = (dt_ptq_point){ last->at[i].cost, last->at[i].damage };
        if (out_front) *out_front = points;
    }
    for (int i = 0; lists && i < m->count; i++)
        dt_put(m->alloc, lists[i].at);
    dt_put(m->alloc, lists);
    dt_put(m->alloc, layer);
    return st;
}

const dt_ptq_allocator dt_ptq_alloc_pareto = {
    .row = { .name = "pareto", .help = "the exact front" },
    .choose = choose,
};
