/* Where slots lie in the arena. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "autograd/plan.h"

static int larger_first(const void *a, const void *b)
{
    const dt_slot *x = *(dt_slot *const *)a, *y = *(dt_slot *const *)b;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    return x < y ? -1 : x > y;
}

/* Lowest offset that is free for the whole lifetime of `s` among the first `n` placed slots. */
static size_t lowest_free(dt_slot *const *placed, int n, const dt_slot *s)
{
    size_t offset = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (int i = 0; i < n; i++) {
            const dt_slot *q = placed[i];
            bool apart = q->last < s->first || s->last < q->first ||
                         q->offset >= offset + s->bytes || offset >= q->offset + q->bytes;
            if (apart) continue;
            offset = q->offset + q->bytes;
            moved = true;
        }
    }
    return offset;
}

dt_status dt_slots_place(dt_slot *slot, int count, dt_arena *arena, size_t *out_bytes,
                         dt_error *err)
{
    dt_slot **order = dt_arena_get(arena, sizeof *order * (size_t)(count + 1));
    if (!order) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a plan");
    for (int i = 0; i < count; i++)
        order[i] = &slot[i];
    qsort(order, (size_t)count, sizeof *order, larger_first);
    *out_bytes = 0;
    for (int i = 0; i < count; i++) {
        dt_slot *s = order[i];
        s->offset = lowest_free(order, i, s);
        if (s->offset + s->bytes > *out_bytes) *out_bytes = s->offset + s->bytes;
    }
    return DT_OK;
}
