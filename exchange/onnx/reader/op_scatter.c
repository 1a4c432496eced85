/* CumSum, Tile, ScatterND of constants: positions, and masks of windows. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "exchange/onnx/reader/onnx_fold.h"

/* ---- CumSum ---- */

/* Sums along an axis, from its end on where `reverse`, without the element itself where
 * `exclusive`.
 */
static dt_status fold_cumsum(dt_ox_walk *w, dt_ox_tensor **out)
{
    const dt_ox_tensor *t = dt_ox_input(w, 0)->constant, *at;
    bool reverse = dt_ox_int(w->node, "reverse", 0) != 0;
    bool exclusive = dt_ox_int(w->node, "exclusive", 0) != 0;
    int axis;
    DT_TRY(dt_ox_wholes(w, 1, &at));
    if (!at || at->count != 1) return dt_ox_refuse(w, "its axis is not one number");
    DT_TRY(dt_ox_axis(w, at->n[0], t->rank, &axis));
    out[0] = dt_ox_make(w, t->whole, t->rank, t->dim);
    DT_TRY(dt_ox_made(w, out[0]));
    int64_t inner = dt_ox_inner(t, axis), size = t->dim[axis];
    for (int64_t row = 0; size > 0 && row < t->count / size; row++) {
        uint64_t wholes = 0; /* wraps, as two's complement does */
        double reals = 0;
        for (int64_t k = 0; k < size; k++) {
            int64_t i =
                row / inner * size * inner + (reverse ? size - 1 - k : k) * inner + row % inner;
            if (exclusive && t->whole) out[0]->n[i] = (int64_t)wholes;
            if (exclusive && !t->whole) out[0]->x[i] = (float)reals;
            wholes += t->whole ? (uint64_t)t->n[i] : 0;
            reals += t->whole ? 0 : (double)t->x[i];
            if (!exclusive && t->whole) out[0]->n[i] = (int64_t)wholes;
            if (!exclusive && !t->whole) out[0]->x[i] = (float)reals;
        }
    }
    return DT_OK;
}

/* ---- Tile ---- */

static dt_status fold_tile(dt_ox_walk *w, dt_ox_tensor **out)
{
    const dt_ox_tensor *t = dt_ox_input(w, 0)->constant, *times;
    int64_t dim[DT_OX_RANK];
    DT_TRY(dt_ox_wholes(w, 1, &times));
    if (!times || times->rank != 1 || times->count != t->rank)
        return dt_ox_refuse(w, "its repeats are not one number for each of %d dimensions", t->rank);
    for (int i = 0; i < t->rank; i++) {
        if (times->n[i] < 0 || (t->dim[i] > 0 && times->n[i] > DT_OX_FOLDED / t->dim[i]))
            return dt_ox_refuse(w, "it repeats %lld times", (long long)times->n[i]);
        dim[i] = t->dim[i] * times->n[i];
    }
    out[0] = dt_ox_make(w, t->whole, t->rank, dim);
    DT_TRY(dt_ox_made(w, out[0]));
    for (int64_t i = 0; i < out[0]->count; i++) {
        int64_t left = i, from = 0;
        for (int k = t->rank; k-- > 0;) {
            from += left % dim[k] % t->dim[k] * dt_ox_inner(t, k);
            left /= dim[k];
        }
        dt_ox_move(t, from, out[0], i);
    }
    return DT_OK;
}

/* ---- ScatterND ---- */

/* Where the slice begins that indices[row] names; -1: outside of t. */
static int64_t slice_at(const dt_ox_tensor *t, const dt_ox_tensor *indices, int64_t row, int depth)
{
    int64_t from = 0;
    for (int k = 0; k < depth; k++) {
        int64_t i = indices->n[row * depth + k];
        if (i < 0) i += t->dim[k];
        if (i < 0 || i >= t->dim[k]) return -1;
        from += i * dt_ox_inner(t, k);
    }
    return from;
}

static dt_status fold_scatter(dt_ox_walk *w, dt_ox_tensor **out)
{
    const dt_ox_tensor *t = dt_ox_input(w, 0)->constant, *indices;
    const dt_ox_tensor *updates = dt_ox_input(w, 2)->constant;
    const char *how = dt_ox_text(w->node, "reduction", "none");
    DT_TRY(dt_ox_wholes(w, 1, &indices));
    if (strcmp(how, "none") != 0) return dt_ox_refuse(w, "reduction '%.40s'; none is read", how);
    if (!indices || indices->rank < 1 || updates->whole != t->whole)
        return dt_ox_refuse(w, "its operands are of types that are not read");
    int64_t depth = indices->dim[indices->rank - 1];
    if (depth < 1 || depth > t->rank)
        return dt_ox_refuse(w, "its indices have %lld numbers for %d dimensions", (long long)depth,
                            t->rank);
    int64_t each = dt_ox_inner(t, (int)depth - 1), rows = indices->count / depth;
    if (each == 0 || updates->count % each || updates->count / each != rows)
        return dt_ox_refuse(w, "its updates do not fit its indices");
    out[0] = dt_ox_make(w, t->whole, t->rank, t->dim);
    DT_TRY(dt_ox_made(w, out[0]));
    for (int64_t i = 0; i < t->count; i++)
        dt_ox_move(t, i, out[0], i);
    for (int64_t row = 0; row < rows; row++) {
        int64_t to = slice_at(t, indices, row, (int)depth);
        if (to < 0) return dt_ox_refuse(w, "an index is outside of its dimension");
        for (int64_t i = 0; i < each; i++)
            dt_ox_move(updates, row * each + i, out[0], to + i);
    }
    return DT_OK;
}

const dt_ox_op dt_ox_op_CumSum = {
    .name = "CumSum", .in_min = 2, .in_max = 2, .fold = fold_cumsum
};
const dt_ox_op dt_ox_op_ScatterND = {
    .name = "ScatterND", .in_min = 3, .in_max = 3, .fold = fold_scatter
};
const dt_ox_op dt_ox_op_Tile = { .name = "Tile", .in_min = 2, .in_max = 2, .fold = fold_tile };
