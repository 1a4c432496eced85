/* Values by an index for each dimension. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_remap.h"

#include <string.h>

/* Has every dimension that a rule is for an axis of its own? */
static bool has_axes(const dt_ox_value *v, const dt_remap_axis *rule)
{
    for (int i = 0; i < v->rank; i++)
        if (rule[i].count && v->axis[i] < 1) return false;
    return !v->order;
}

/* A value whose dimensions are axes of the engine: channels, if there are any, are the last. */
static dt_status need_axes(dt_ox_walk *w, const dt_ox_value *v, const dt_remap_axis *rule,
                           dt_ox_value *out)
{
    int to[DT_OX_RANK], last = v->rank == 4 ? 1 : v->rank - 1, axis = 1;
    *out = *v;
    if (has_axes(v, rule)) return DT_OK;
    if (v->rank > DT_MAX_RANK)
        return dt_ox_refuse(w, "its input has %d dimensions; up to %d are read", v->rank,
                            DT_MAX_RANK);
    for (int i = 0; i < v->rank; i++)
        to[i] = i == 0 ? 0 : i == last ? v->rank - 1 : axis++;
    return dt_ox_settle_to(w, v, v->rank, to, out);
}

dt_status dt_ox_remap(dt_ox_walk *w, const dt_ox_value *v, const dt_remap_axis *rule,
                      const char *layer, dt_ox_value *out)
{
    dt_remap_conf c = { .axis = { { 0 } } };
    dt_ox_value from;
    DT_TRY(need_axes(w, v, rule, &from));
    for (int i = 0; i < from.rank; i++) {
        if (!rule[i].count) continue;
        if (from.axis[i] < 1)
            return dt_ox_refuse(w, "dimension %d is the batch, whose samples stay as they are", i);
        c.axis[from.axis[i]] = rule[i];
    }
    const char *name = dt_ox_moved_name(w, layer);
    if (!name) return dt_ox_no_memory(w);
    *out = from;
    out->value = dt_part_node(w->b, "remap", name, &c, &from.value, 1);
    DT_TRY(dt_ox_built(w));
    for (int i = 0; i < from.rank; i++)
        if (rule[i].count) out->dim[i] = rule[i].count;
    return DT_OK;
}

dt_status dt_ox_set_indices(dt_ox_walk *w, int k, const dt_ox_value *v, int dim,
                            const int64_t *index, int64_t count)
{
    dt_remap_axis rule[DT_OX_RANK] = { { 0 } };
    dt_ox_value out;
    if (!dt_remap_fit(index, count, v->dim[dim], &rule[dim]))
        return dt_ox_refuse(w,
                            "its indices of dimension %d are no rule of one slope; equal steps, "
                            "repeats and turns are read",
                            dim);
    DT_TRY(dt_ox_remap(w, v, rule, w->layer, &out));
    return dt_ox_set(w, k, &out);
}

/* The value stands for the name from now on. */
static dt_status keep(dt_ox_walk *w, const char *name, const dt_ox_value *v,
                      const dt_ox_value **out)
{
    dt_ox_value *copy = dt_arena_get(w->file->arena, sizeof *copy);
    if (!copy) return dt_ox_no_memory(w);
    *copy = *v;
    *out = copy;
    return dt_ox_map_set(&w->values, name, copy, w->err);
}

dt_status dt_ox_pad(dt_ox_walk *w, const char *name, const dt_ox_value **out)
{
    const dt_ox_value *v = dt_ox_map_find(&w->values, name);
    dt_remap_axis rule[DT_OX_RANK] = { { 0 } };
    dt_ox_value bare = *v, padded;
    if (v->lowest)
        return dt_ox_refuse(w, "its input comes from a Pad with -inf, which only poolings take in");
    bare.padded = false;
    for (int i = 2; i < 4; i++) {
        bare.dim[i] = v->dim[i] - v->pad[i - 2] - v->pad[i];
        if (v->dim[i] != bare.dim[i])
            rule[i] = (dt_remap_axis){ v->dim[i], 1, -v->pad[i - 2], 1, DT_REMAP_FILL };
    }
    DT_TRY(dt_ox_remap(w, &bare, rule, v->layer, &padded));
    return keep(w, name, &padded, out);
}

dt_status dt_ox_repeat_like(dt_ox_walk *w, const char *name, const dt_ox_value *like,
                            const char *layer, const dt_ox_value **out)
{
    const dt_ox_value *v = dt_ox_map_find(&w->values, name);
    dt_remap_axis rule[DT_OX_RANK] = { { 0 } };
    dt_ox_value turned, repeated;
    DT_TRY(dt_ox_settle_like(w, v, like, &turned));
    bool repeats = false;
    for (int i = 1; i < like->rank; i++)
        if (turned.dim[i] == 1 && like->dim[i] > 1) {
            rule[i] = (dt_remap_axis){ like->dim[i], 0, 0, 1, DT_REMAP_EDGE };
            repeats = true;
        }
    repeated = turned;
    if (repeats) DT_TRY(dt_ox_remap(w, &turned, rule, layer, &repeated));
    *out = dt_arena_get(w->file->arena, sizeof **out);
    if (!*out) return dt_ox_no_memory(w);
    memcpy((void *)(uintptr_t)*out, &repeated, sizeof repeated);
    return DT_OK;
}
