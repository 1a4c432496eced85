/* For damages that do not add up (`pairs`): from the exact front of what layers do alone, the best
 * change of one layer's width, or of two at a time, again and again, as long as it lessens the
 * damage and costs no more than the budget (CLADO's program, Deng 2023, arXiv:2307.05657, section
 * 3.3, by local search). Damages that add up are left where the front has them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "ptq/sensitivity.h"

extern const dt_ptq_allocator dt_ptq_alloc_pareto;

typedef struct move {
    int a, k, b, l; /* layer a to width k; layer b to width l, -1: only one */
    double damage;
} move;

static void try_move(dt_ptq_mixed *m, const dt_ptq_resource *r, int64_t budget, move at, move *best)
{
    int a = m->layer[at.a].chosen, b = at.b >= 0 ? m->layer[at.b].chosen : 0;
    m->layer[at.a].chosen = at.k;
    if (at.b >= 0) m->layer[at.b].chosen = at.l;
    if (dt_ptq_cost(m, r, NULL) <= budget) {
        at.damage = dt_ptq_damage(m, NULL);
        if (at.damage < best->damage - 1e-12 * fabs(best->damage)) *best = at; /* may be below 0 */
    }
    m->layer[at.a].chosen = a;
    if (at.b >= 0) m->layer[at.b].chosen = b;
}

/* Layer a to width k, alone and with every other layer at every width. */
static void try_layer(dt_ptq_mixed *m, const dt_ptq_resource *r, int64_t budget, int a, int k,
                      move *best)
{
    try_move(m, r, budget, (move){ .a = a, .k = k, .b = -1 }, best);
    for (int b = a + 1; b < m->count; b++)
        for (int l = 0; l < m->widths && !m->layer[b].fixed; l++)
            try_move(m, r, budget, (move){ .a = a, .k = k, .b = b, .l = l }, best);
}

static bool improve(dt_ptq_mixed *m, const dt_ptq_resource *r, int64_t budget)
{
    move best = { .a = -1, .damage = dt_ptq_damage(m, NULL) };
    for (int a = 0; a < m->count; a++)
        for (int k = 0; k < m->widths && !m->layer[a].fixed; k++)
            try_layer(m, r, budget, a, k, &best);
    if (best.a < 0) return false;
    m->layer[best.a].chosen = best.k;
    if (best.b >= 0) m->layer[best.b].chosen = best.l;
    return true;
}

static dt_status choose(dt_ptq_mixed *m, const dt_ptq_resource *r, int64_t budget,
                        dt_ptq_point *front, int front_room, int *out_front, dt_error *err)
{
    DT_TRY(dt_ptq_alloc_pareto.choose(m, r, budget, front, front_room, out_front, err));
    while (m->pair && improve(m, r, budget))
        ;
    return DT_OK;
}

const dt_ptq_allocator dt_ptq_alloc_swap = {
    .row = { .name = "swap",
             .help = "for pairs: changes of one and of two layers, from the front" },
    .choose = choose,
};
