/* Constant, ConstantOfShape, Range. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "exchange/onnx/reader/onnx_fold.h"

static dt_ox_tensor *of_ints(dt_ox_walk *w, const int64_t *list, int64_t count, int rank)
{
    dt_ox_tensor *t = dt_ox_make(w, true, rank, &count);
    for (int64_t i = 0; t && i < count; i++)
        t->n[i] = list[i];
    return t;
}

static dt_ox_tensor *of_floats(dt_ox_walk *w, const float *list, int64_t count, int rank)
{
    dt_ox_tensor *t = dt_ox_make(w, false, rank, &count);
    for (int64_t i = 0; t && i < count; i++)
        t->x[i] = list[i];
    return t;
}

static dt_status fold_constant(dt_ox_walk *w, dt_ox_tensor **out)
{
    const dt_ox_attr *a;
    if ((a = dt_ox_attr_of(w->node, "value")) && a->tensor)
        out[0] = a->tensor;
    else if ((a = dt_ox_attr_of(w->node, "value_int")))
        out[0] = of_ints(w, &a->i, 1, 0);
    else if ((a = dt_ox_attr_of(w->node, "value_ints")))
        out[0] = of_ints(w, a->ints, (int64_t)a->int_count, 1);
    else if ((a = dt_ox_attr_of(w->node, "value_float")))
        out[0] = of_floats(w, &a->f, 1, 0);
    else if ((a = dt_ox_attr_of(w->node, "value_floats")))
        out[0] = of_floats(w, a->floats, (int64_t)a->float_count, 1);
    else
        return dt_ox_refuse(w, "only numbers are read");
    return dt_ox_made(w, out[0]);
}

static dt_status fold_of_shape(dt_ox_walk *w, dt_ox_tensor **out)
{
    const dt_ox_attr *value = dt_ox_attr_of(w->node, "value");
    const dt_ox_tensor *shape, *fill = value ? value->tensor : NULL;
    DT_TRY(dt_ox_wholes(w, 0, &shape));
    if (!shape || shape->rank != 1 || shape->count > DT_OX_RANK)
        return dt_ox_refuse(w, "its shape is no list of at most 8");
    if (fill && fill->count != 1) return dt_ox_refuse(w, "its value is not one number");
    out[0] = dt_ox_make(w, fill && fill->whole, (int)shape->count, shape->n);
    DT_TRY(dt_ox_made(w, out[0]));
    for (int64_t i = 0; fill && i < out[0]->count; i++) {
        if (fill->whole)
            out[0]->n[i] = fill->n[0];
        else
            out[0]->x[i] = fill->x[0];
    }
    return DT_OK;
}

static dt_status fold_range(dt_ox_walk *w, dt_ox_tensor **out)
{
    const dt_ox_tensor *t[3];
    for (int i = 0; i < 3; i++) {
        DT_TRY(dt_ox_wholes(w, i, &t[i]));
        if (!t[i] || t[i]->count != 1) return dt_ox_refuse(w, "it is read of three whole numbers");
    }
    double first = (double)t[0]->n[0], end = (double)t[1]->n[0], step = (double)t[2]->n[0];
    if (step == 0) return dt_ox_refuse(w, "its step is 0");
    double steps = ceil((end - first) / step);
    int64_t count = steps > 0 && steps < DT_OX_FOLDED ? (int64_t)steps : steps > 0 ? INT64_MAX : 0;
    out[0] = dt_ox_make(w, true, 1, &count);
    DT_TRY(dt_ox_made(w, out[0]));
    for (int64_t i = 0; i < count; i++)
        out[0]->n[i] = t[0]->n[0] + i * t[2]->n[0];
    return DT_OK;
}

const dt_ox_op dt_ox_op_Constant = { .name = "Constant", .fold = fold_constant };
const dt_ox_op dt_ox_op_ConstantOfShape = {
    .name = "ConstantOfShape", .in_min = 1, .in_max = 1, .fold = fold_of_shape
};
const dt_ox_op dt_ox_op_Range = { .name = "Range", .in_min = 3, .in_max = 3, .fold = fold_range };
