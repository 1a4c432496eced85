/* From the cheapest widths on, always the step that saves the most damage for its cost, as long as
 * one fits. Not the best there is; `pareto` is. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "ptq/sensitivity.h"

/* Start: of each layer the cheapest width, the less harmful one of two. */
static int cheapest(const dt_ptq_mixed_layer *l, const dt_ptq_mixed *m, const dt_ptq_resource *r)
{
    int best = 0;
    for (int k = 1; k < m->widths; k++)
        if (r->cost(l, m->width[k]) < r->cost(l, m->width[best])) best = k;
    return best;
}

static dt_status choose(dt_ptq_mixed *m, const dt_ptq_resource *r, int64_t budget,
                        dt_ptq_point *front, int front_room, int *out_front, dt_error *err)
{
    int points = 0;
    DT_TRY(dt_ptq_check_budget(m, r, budget, err));
    for (int i = 0; i < m->count; i++)
        m->layer[i].chosen = m->layer[i].fixed ? -1 : cheapest(&m->layer[i], m, r);
    for (;;) {
        int64_t cost = dt_ptq_cost(m, r, NULL);
        int layer = -1, width = -1;
        double best = 0;
        if (front && points < front_room)
            front[points++] = (dt_ptq_point){ cost, dt_ptq_damage(m, NULL) };
        for (int i = 0; i < m->count; i++)
            for (int k = 0; k < m->widths && !m->layer[i].fixed; k++) {
                const dt_ptq_mixed_layer *l = &m->layer[i];
                int64_t more = r->cost(l, m->width[k]) - r->cost(l, m->width[l->chosen]);
                double gain = l->damage[l->chosen] - l->damage[k];
                if (more <= 0 || cost + more > budget || gain / (double)more <= best) continue;
                best = gain / (double)more;
                layer = i;
                width = k;
            }
        if (layer < 0) break;
        m->layer[layer].chosen = width;
    }
    if (out_front) *out_front = points;
    return DT_OK;
}

const dt_ptq_allocator dt_ptq_alloc_greedy = {
    .row = { .name = "greedy", .help = "the best step for its cost, again and again" },
    .choose = choose,
};
