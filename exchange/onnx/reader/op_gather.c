/* Gather: from constants; one index, or some that follow a rule, of a value. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_remap.h"
#include "exchange/onnx/reader/onnx_steps.h"

static dt_status fold(dt_ox_walk *w, dt_ox_tensor **out)
{
    const dt_ox_tensor *t = dt_ox_input(w, 0)->constant, *index;
    int axis, rank = 0;
    int64_t dim[2 * DT_OX_RANK];
    DT_TRY(dt_ox_wholes(w, 1, &index));
    DT_TRY(dt_ox_axis(w, dt_ox_int(w->node, "axis", 0), t->rank, &axis));
    if (!index || t->rank - 1 + index->rank > DT_OX_RANK)
        return dt_ox_refuse(w, "its result has more than 8 dimensions");
    for (int i = 0; i < axis; i++)
        dim[rank++] = t->dim[i];
    for (int i = 0; i < index->rank; i++)
        dim[rank++] = index->dim[i];
    for (int i = axis + 1; i < t->rank; i++)
        dim[rank++] = t->dim[i];
    out[0] = dt_ox_make(w, t->whole, rank, dim);
    DT_TRY(dt_ox_made(w, out[0]));
    int64_t inner = dt_ox_inner(t, axis), at = 0;
    for (int64_t o = 0; o < dt_ox_outer(t, axis); o++)
        for (int64_t k = 0; k < index->count; k++) {
            int64_t i = index->n[k] < 0 ? index->n[k] + t->dim[axis] : index->n[k];
            if (i < 0 || i >= t->dim[axis])
                return dt_ox_refuse(w, "index %lld is outside of %lld elements",
                                    (long long)index->n[k], (long long)t->dim[axis]);
            for (int64_t j = 0; j < inner; j++)
                dt_ox_move(t, (o * t->dim[axis] + i) * inner + j, out[0], at++);
        }
    return DT_OK;
}

/* Do the indices of an axis of `size` go on by one step? */
static bool window(const dt_ox_tensor *index, int64_t size, int64_t *first, int64_t *step)
{
    int64_t n = index->count;
    *first = index->count ? index->n[0] + (index->n[0] < 0 ? size : 0) : -1;
    *step = n > 1 ? index->n[1] + (index->n[1] < 0 ? size : 0) - *first : 1;
    bool fits = *first >= 0 && *first<size && * step> 0 && *step < size + 1;
    for (int64_t k = 1; fits && k < n; k++) {
        int64_t i = index->n[k] + (index->n[k] < 0 ? size : 0);
        fits = i == *first + k * *step && i < size;
    }
    return fits;
}

/* Other indices. */
static dt_status by_rule(dt_ox_walk *w, const dt_ox_value *v, int axis, const dt_ox_tensor *index)
{
    enum { MOST = 1 << 16 };
    if (index->count < 1 || index->count > MOST)
        return dt_ox_refuse(w, "it takes %lld elements; 1 to %d are read", (long long)index->count,
                            MOST);
    int64_t *at = dt_arena_get(w->file->arena, (size_t)index->count * sizeof *at);
    if (!at) return dt_ox_no_memory(w);
    for (int64_t k = 0; k < index->count; k++) {
        at[k] = index->n[k] + (index->n[k] < 0 ? v->dim[axis] : 0);
        if (at[k] < 0 || at[k] >= v->dim[axis])
            return dt_ox_refuse(w, "index %lld is outside of %lld elements", (long long)index->n[k],
                                (long long)v->dim[axis]);
    }
    return dt_ox_set_indices(w, 0, v, axis, at, index->count);
}

/* The dimension of a list of indices becomes the dimensions of a table of them. */
static dt_status split(dt_ox_walk *w, int axis, const dt_ox_tensor *index)
{
    const char *shape = dt_ox_between(w, "shape"), *out = w->node->out[0];
    const dt_ox_value *v = dt_ox_named_value(w, out);
    int64_t dim[2 * DT_OX_RANK];
    int rank = 0;
    for (int i = 0; i < v->rank; i++)
        for (int k = 0; k < (i == axis ? index->rank : 1); k++)
            dim[rank++] = i == axis ? index->dim[k] : v->dim[i];
    if (!shape) return dt_ox_no_memory(w);
    if (rank > DT_OX_RANK) return dt_ox_refuse(w, "its result has more than 8 dimensions");
    DT_TRY(dt_ox_between_list(w, shape, rank, dim));
    return dt_ox_step(w, "Reshape", (const char *[]){ out, shape, NULL }, out, NULL, 0);
}

static dt_status build(dt_ox_walk *w)
{
    const dt_ox_value *v;
    const dt_ox_tensor *index;
    dt_ox_window cut;
    int axis;
    DT_TRY(dt_ox_need(w, 0, &v));
    if (v->constant || v->padded) DT_TRY(dt_ox_need_value(w, 0, &v));
    DT_TRY(dt_ox_wholes(w, 1, &index));
    DT_TRY(dt_ox_axis(w, dt_ox_int(w->node, "axis", 0), v->rank, &axis));
    if (!index || index->count < 1) return dt_ox_refuse(w, "its indices are not there");
    for (int i = 0; i < v->rank; i++) {
        cut.first[i] = 0;
        cut.step[i] = 1;
        cut.count[i] = v->dim[i];
    }
    cut.count[axis] = index->count;
    if (window(index, v->dim[axis], &cut.first[axis], &cut.step[axis]))
        DT_TRY(dt_ox_set_cut(w, 0, &cut));
    else
        DT_TRY(by_rule(w, v, axis, index));
    return index->rank == 0   ? dt_ox_drop(w, 0, axis)
           : index->rank == 1 ? DT_OK
                              : split(w, axis, index);
}

const dt_ox_op dt_ox_op_Gather = {
    .name = "Gather", .in_min = 2, .in_max = 2, .fold = fold, .build = build
};
