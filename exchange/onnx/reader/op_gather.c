/* Gather: from constants; one index, or adjacent ones, of a value. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_order.h"

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

/* Indices of an axis of `size` that go on by one step; a single one takes the dimension away. */
static dt_status window(dt_ox_walk *w, const dt_ox_tensor *index, int64_t size, int64_t *first,
                        int64_t *step)
{
    int64_t n = index->count;
    *first = index->count ? index->n[0] + (index->n[0] < 0 ? size : 0) : -1;
    *step = n > 1 ? index->n[1] + (index->n[1] < 0 ? size : 0) - *first : 1;
    bool fits = *first >= 0 && *first < size && index->rank < 2 && *step > 0 && *step < size + 1;
    for (int64_t k = 1; fits && k < n; k++) {
        int64_t i = index->n[k] + (index->n[k] < 0 ? size : 0);
        fits = i == *first + k * *step && i < size;
    }
    return fits ? DT_OK
                : dt_ox_refuse(w, "of values one element of an axis, or some that are equally far "
                                  "from each other, are read");
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
    if (!index) return dt_ox_refuse(w, "its indices are not there");
    for (int i = 0; i < v->rank; i++) {
        cut.first[i] = 0;
        cut.step[i] = 1;
        cut.count[i] = v->dim[i];
    }
    DT_TRY(window(w, index, v->dim[axis], &cut.first[axis], &cut.step[axis]));
    cut.count[axis] = index->count;
    DT_TRY(dt_ox_set_cut(w, 0, &cut));
    return index->rank ? DT_OK : dt_ox_drop(w, 0, axis);
}

const dt_ox_op dt_ox_op_Gather = {
    .name = "Gather", .in_min = 2, .in_max = 2, .fold = fold, .build = build
};
