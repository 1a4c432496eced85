/* Gather from constants. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_fold.h"

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

const dt_ox_op dt_ox_op_Gather = { .name = "Gather", .in_min = 2, .in_max = 2, .fold = fold };
