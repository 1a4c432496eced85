/* Costs of widths, and the tables of resources and allocators. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "ptq/sensitivity.h"

#define DT_PTQ_RESOURCE(name) extern const dt_ptq_resource dt_ptq_resource_##name;
#include "ptq/resources.def"
#undef DT_PTQ_RESOURCE
#define DT_PTQ_ALLOCATOR(name) extern const dt_ptq_allocator dt_ptq_alloc_##name;
#include "ptq/allocators.def"
#undef DT_PTQ_ALLOCATOR

static const dt_row *const resource_rows[] = {
#define DT_PTQ_RESOURCE(name) &dt_ptq_resource_##name.row,
#include "ptq/resources.def"
#undef DT_PTQ_RESOURCE
    NULL,
};
static const dt_row *const alloc_rows[] = {
#define DT_PTQ_ALLOCATOR(name) &dt_ptq_alloc_##name.row,
#include "ptq/allocators.def"
#undef DT_PTQ_ALLOCATOR
    NULL,
};
const dt_table dt_ptq_resources = { "resource", resource_rows };
const dt_table dt_ptq_allocators = { "allocator", alloc_rows };

static int choice(const dt_ptq_mixed *m, const int *chosen, int i)
{
    return chosen ? chosen[i] : m->layer[i].chosen;
}

int64_t dt_ptq_cost(const dt_ptq_mixed *m, const dt_ptq_resource *r, const int *chosen)
{
    int64_t sum = 0;
    for (int i = 0; i < m->count; i++)
        if (!m->layer[i].fixed) sum += r->cost(&m->layer[i], m->width[choice(m, chosen, i)]);
    return sum;
}

/* What the layer does together with those before it. */
static double beside(const dt_ptq_mixed *m, const int *chosen, int i)
{
    const size_t n = (size_t)m->count * (size_t)m->widths;
    double sum = 0;
    for (int j = 0; m->pair && j < i; j++)
        if (!m->layer[j].fixed)
            sum += m->pair[((size_t)i * (size_t)m->widths + (size_t)choice(m, chosen, i)) * n +
                           (size_t)j * (size_t)m->widths + (size_t)choice(m, chosen, j)];
    return sum;
}

double dt_ptq_damage(const dt_ptq_mixed *m, const int *chosen)
{
    double sum = 0;
    for (int i = 0; i < m->count; i++)
        if (!m->layer[i].fixed)
            sum += m->layer[i].damage[choice(m, chosen, i)] + beside(m, chosen, i);
    return sum;
}

dt_status dt_ptq_check_budget(const dt_ptq_mixed *m, const dt_ptq_resource *r, int64_t budget,
                              dt_error *err)
{
    int64_t least = 0, weights = 0;
    for (int i = 0; i < m->count; i++) {
        const dt_ptq_mixed_layer *l = &m->layer[i];
        int64_t cheapest = INT64_MAX;
        for (int k = 0; k < m->widths; k++)
            if (r->cost(l, m->width[k]) < cheapest) cheapest = r->cost(l, m->width[k]);
        if (l->fixed) continue;
        least += cheapest;
        weights += l->weights;
    }
    if (weights == 0)
        return dt_fail(err, DT_ERR_NOT_FOUND, &(dt_where){ .key = "budget" },
                       "no layer's bits may change: the first and the last one stay");
    if (budget >= least) return DT_OK;
    double scale = r->per_unit > 0 ? r->per_unit : (double)weights;
    return dt_fail(err, DT_ERR_RANGE, &(dt_where){ .key = "budget" },
                   "%.6g %s is below the least possible, %.6g, of all layers at %d bits",
                   (double)budget / scale, r->unit, (double)least / scale, m->width[0]);
}
