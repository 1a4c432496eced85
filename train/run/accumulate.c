/* Adding up the batches of a step. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/run/accumulate.h"

#include <string.h>

static bool get_level(dt_accumulate *a, const dt_graph *g, int level)
{
    real **sum = dt_arena_get(a->arena, sizeof *sum * (size_t)g->value_count);
    for (int i = 0; sum && i < g->value_count; i++) {
        if (g->value[i].kind != DT_VALUE_PARAM) continue;
        size_t bytes = (size_t)dt_shape_count(&g->value[i].shape) * sizeof(real);
        sum[i] = dt_arena_get(a->arena, bytes);
        a->bytes += bytes;
        if (!sum[i]) return false;
    }
    a->sum[level] = sum;
    return sum != NULL;
}

static bool get_moves(dt_accumulate *a, int64_t moves)
{
    a->moves_of_batch = (size_t)moves;
    if (!moves) return true;
    const dt_share *s = &a->share;
    size_t rows = (size_t)(s->ranks == 1 ? s->batches : s->block * s->ranks);
    size_t bytes = rows * (size_t)moves * sizeof(double);
    a->moves = dt_arena_get(a->arena, bytes);
    a->bytes += bytes;
    return a->moves != NULL;
}

dt_status dt_accumulate_init(dt_accumulate *a, const dt_share *share, const dt_graph *g,
                             int64_t moves, const dt_alloc *alloc, dt_error *err)
{
    *a = (dt_accumulate){ .share = *share };
    if (share->batches == 1) return DT_OK;
    while ((int64_t)1 << a->levels < share->count)
        a->levels++;
    a->arena = dt_arena_new(alloc, "accumulate");
    bool ok = a->arena && get_moves(a, moves);
    for (int k = 0; ok && k < a->levels; k++)
        ok = get_level(a, g, k);
    if (ok) return DT_OK;
    dt_accumulate_fini(a);
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the sums of gradients");
}

void dt_accumulate_fini(dt_accumulate *a)
{
    dt_arena_free(a->arena);
    *a = (dt_accumulate){ 0 };
}

void dt_accumulate_forward(const dt_accumulate *a, dt_exec *e, int index)
{
    e->moves = a->moves ? a->moves + (size_t)index * a->moves_of_batch : NULL;
}

void dt_accumulate_move(const dt_accumulate *a, dt_exec *e)
{
    for (int i = 0; a->moves && i < a->share.batches; i++)
        dt_exec_move(e, a->moves + (size_t)i * a->moves_of_batch);
    e->moves = NULL;
}

/* The level that batch `index` leaves its sum at: as many of the lower ones are full and go into it
 * first, as a counter carries. */
static int level_of(int index)
{
    int level = 0;
    while (index >> level & 1)
        level++;
    return level;
}

/* Is level k added when number `index` of n comes? After the last one all that are full are. */
static bool takes(int n, int index, int k)
{
    return (index >> k & 1) && (k < level_of(index) || index == n - 1);
}

/* Of the share's own tree; `index` is in it. */
static void add_value(const dt_accumulate *a, int value, real *grad, int64_t n, int index)
{
    real part = (real)1 / (real)a->share.batches;
    for (int64_t i = 0; i < n; i++)
        grad[i] *= part;
    for (int k = 0; k < a->levels; k++) {
        const real *before = a->sum[k][value];
        for (int64_t i = 0; takes(a->share.count, index, k) && i < n; i++)
            grad[i] = before[i] + grad[i];
    }
    if (index < a->share.count - 1)
        memcpy(a->sum[level_of(index)][value], grad, (size_t)n * sizeof *grad);
}

void dt_accumulate_add_value(dt_accumulate *a, dt_state *s, int value, int index)
{
    if (a->share.batches > 1 && s->grad[value])
        add_value(a, value, s->grad[value], dt_shape_count(&s->graph->value[value].shape),
                  index - a->share.first);
}

void dt_accumulate_add(dt_accumulate *a, dt_state *s, int index)
{
    for (int i = 0; i < s->graph->value_count; i++)
        dt_accumulate_add_value(a, s, i, index);
}

double dt_accumulate_number(const dt_accumulate *a, double *level, int index, double x)
{
    int n = a->share.batches;
    for (int k = 0; (int64_t)1 << k < n; k++)
        if (takes(n, index, k)) x = level[k] + x;
    if (index == n - 1) return x;
    level[level_of(index)] = x;
    return 0;
}
