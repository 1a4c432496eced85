/* Concat of constants. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_fold.h"

static dt_status sizes(dt_ox_walk *w, int axis, int64_t *dim)
{
    const dt_ox_tensor *first = dt_ox_input(w, 0)->constant;
    for (int i = 0; i < first->rank; i++)
        dim[i] = first->dim[i];
    for (int k = 1; k < w->node->in_count; k++) {
        const dt_ox_tensor *t = dt_ox_input(w, k)->constant;
        bool fits = t->rank == first->rank && t->whole == first->whole;
        for (int i = 0; fits && i < t->rank; i++)
            fits = i == axis || t->dim[i] == dim[i];
        if (!fits) return dt_ox_refuse(w, "its operands do not fit together");
        dim[axis] += t->dim[axis];
    }
    return DT_OK;
}

static dt_status fold(dt_ox_walk *w, dt_ox_tensor **out)
{
    int axis;
    int64_t dim[DT_OX_RANK] = { 0 }, before = 0;
    for (int k = 0; k < w->node->in_count; k++)
        if (!dt_ox_input(w, k)) return dt_ox_refuse(w, "input %d is not there", k);
    const dt_ox_tensor *first = dt_ox_input(w, 0)->constant;
    DT_TRY(dt_ox_axis(w, dt_ox_int(w->node, "axis", 0), first->rank, &axis));
    DT_TRY(sizes(w, axis, dim));
    out[0] = dt_ox_make(w, first->whole, first->rank, dim);
    DT_TRY(dt_ox_made(w, out[0]));
    for (int k = 0; k < w->node->in_count; k++) {
        const dt_ox_tensor *t = dt_ox_input(w, k)->constant;
        int64_t run = t->dim[axis] * dt_ox_inner(t, axis);
        int64_t whole = dim[axis] * dt_ox_inner(t, axis);
        for (int64_t i = 0; i < t->count; i++)
            dt_ox_move(t, i, out[0], i / run * whole + before + i % run);
        before += run;
    }
    return DT_OK;
}

const dt_ox_op dt_ox_op_Concat = { .name = "Concat", .in_min = 1, .fold = fold };
