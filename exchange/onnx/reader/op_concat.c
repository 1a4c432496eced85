/* Concat of constants; of values along their channels. */
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

/* The axis that is the engine's last, of values that fit beside each other. */
static dt_status check_value(dt_ox_walk *w, int axis, const dt_ox_value *first,
                             const dt_ox_value *v)
{
    int last = dt_ox_shape(w, v)->rank - 1;
    bool fits = v->rank == first->rank && v->axis[axis] == last;
    for (int i = 0; fits && i < v->rank; i++)
        fits = i == axis || (v->dim[i] == first->dim[i] && v->axis[i] == first->axis[i]);
    if (fits) return DT_OK;
    return dt_ox_refuse(w, "values are put together along their channels, which are equal in all "
                           "else");
}

static dt_status build(dt_ox_walk *w)
{
    const dt_ox_value *first, *v;
    int in[DT_OP_MAX_IN], axis;
    if (w->node->in_count > DT_OP_MAX_IN)
        return dt_ox_refuse(w, "%d values; up to %d are read", w->node->in_count, DT_OP_MAX_IN);
    DT_TRY(dt_ox_need_value(w, 0, &first));
    DT_TRY(dt_ox_axis(w, dt_ox_int(w->node, "axis", 1), first->rank, &axis));
    dt_ox_value out = *first;
    out.dim[axis] = 0;
    for (int k = 0; k < w->node->in_count; k++) {
        DT_TRY(dt_ox_need_value(w, k, &v));
        DT_TRY(check_value(w, axis, first, v));
        out.dim[axis] += v->dim[axis];
        in[k] = v->value;
    }
    if (w->node->in_count == 1) return dt_ox_set(w, 0, first);
    int y = dt_part_node(w->b, "concat", w->layer, NULL, in, w->node->in_count);
    return dt_ox_set_like(w, y, &out);
}

const dt_ox_op dt_ox_op_Concat = { .name = "Concat", .in_min = 1, .fold = fold, .build = build };
