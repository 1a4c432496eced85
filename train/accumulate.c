/* Adding up gradients. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/accumulate.h"

#include <string.h>

dt_status dt_accumulate_init(dt_accumulate *a, int batches, const dt_graph *g,
                             const dt_alloc *alloc, dt_error *err)
{
    *a = (dt_accumulate){ .batches = batches };
    if (batches == 1) return DT_OK;
    a->arena = dt_arena_new(alloc, "accumulate");
    a->sum = a->arena ? dt_arena_get(a->arena, sizeof *a->sum * (size_t)g->value_count) : NULL;
    bool full = !a->sum;
    for (int i = 0; !full && i < g->value_count; i++) {
        if (g->value[i].kind != DT_VALUE_PARAM) continue;
        size_t bytes = (size_t)dt_shape_count(&g->value[i].shape) * sizeof(real);
        a->sum[i] = dt_arena_get(a->arena, bytes);
        a->bytes += bytes;
        full = !a->sum[i];
    }
    if (!full) return DT_OK;
    dt_accumulate_fini(a);
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the sums of gradients");
}

void dt_accumulate_fini(dt_accumulate *a)
{
    dt_arena_free(a->arena);
    *a = (dt_accumulate){ 0 };
}

void dt_accumulate_add(dt_accumulate *a, dt_state *s, int index)
{
    real share = (real)1 / (real)a->batches;
    for (int i = 0; a->sum && i < s->graph->value_count; i++) {
        real *sum = a->sum[i], *grad = s->grad[i];
        if (!sum || !grad) continue;
        int64_t n = dt_shape_count(&s->graph->value[i].shape);
        for (int64_t k = 0; k < n; k++)
            sum[k] = (index ? sum[k] : 0) + share * grad[k];
        if (index == a->batches - 1) memcpy(grad, sum, (size_t)n * sizeof(real));
    }
}
