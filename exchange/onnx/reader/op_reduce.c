/* Sums of a dimension, and what is made of them: means times how many they are. Max and Min of a
 * value and a number, which limit it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "exchange/onnx/reader/onnx_steps.h"

/* ReduceMean of x times the elements that it is over, as `out`. */
static dt_status sum(dt_ox_walk *w, const char *x, const char *out)
{
    const dt_ox_value *v = dt_ox_named_value(w, x);
    const char *mean = dt_ox_between(w, "mean"), *count = dt_ox_between(w, "count");
    int axis[DT_OX_RANK], axes;
    int64_t list[DT_OX_RANK], all = 1;
    DT_TRY(dt_ox_axes(w, "axes", 1, v->rank, axis, &axes));
    if (axes < 1) return dt_ox_refuse(w, "its axes are not there; the batch is not summed");
    for (int k = 0; k < axes; k++) {
        list[k] = axis[k];
        all *= v->dim[axis[k]];
    }
    const dt_ox_attr attr[] = { dt_ox_attr_ints("axes", list, axes),
                                dt_ox_attr_int("keepdims", dt_ox_int(w->node, "keepdims", 1)) };
    if (!mean || !count) return dt_ox_no_memory(w);
    DT_TRY(dt_ox_step(w, "ReduceMean", (const char *[]){ x, NULL }, mean, attr, 2));
    DT_TRY(dt_ox_between_reals(w, count, 1, &(float){ (float)all }));
    return dt_ox_step(w, "Mul", (const char *[]){ mean, count, NULL }, out, NULL, 0);
}

static dt_status sum_of_squares(dt_ox_walk *w, const char *out)
{
    const char *two = dt_ox_between(w, "two"), *square = dt_ox_between(w, "square");
    if (!two || !square) return dt_ox_no_memory(w);
    DT_TRY(dt_ox_between_reals(w, two, 1, &(float){ 2 }));
    DT_TRY(dt_ox_step(w, "Pow", (const char *[]){ w->node->in[0], two, NULL }, square, NULL, 0));
    return sum(w, square, out);
}

static dt_status build_sum(dt_ox_walk *w)
{
    return sum(w, w->node->in[0], w->node->out[0]);
}

static dt_status build_squares(dt_ox_walk *w)
{
    return sum_of_squares(w, w->node->out[0]);
}

static dt_status build_length(dt_ox_walk *w)
{
    const char *squares = dt_ox_between(w, "squares");
    if (!squares) return dt_ox_no_memory(w);
    DT_TRY(sum_of_squares(w, squares));
    return dt_ox_step(w, "Sqrt", (const char *[]){ squares, NULL }, w->node->out[0], NULL, 0);
}

/* A limit on one side: Clip. */
static dt_status limit(dt_ox_walk *w, bool low)
{
    const dt_ox_value *a = dt_ox_input(w, 0);
    const int k = a && a->constant ? 1 : 0; /* the value */
    const dt_ox_tensor *t;
    if (w->node->in_count != 2) return dt_ox_refuse(w, "of a value and a number it is read");
    DT_TRY(dt_ox_reals(w, 1 - k, &t));
    if (!t || t->count != 1 || !isfinite(t->x[0]))
        return dt_ox_refuse(w, "of a value and a number it is read");
    const char *x = w->node->in[k], *by = w->node->in[1 - k], *out = w->node->out[0];
    if (low) return dt_ox_step(w, "Clip", (const char *[]){ x, by, NULL }, out, NULL, 0);
    return dt_ox_step(w, "Clip", (const char *[]){ x, "", by, NULL }, out, NULL, 0);
}

static dt_status build_max(dt_ox_walk *w)
{
    return limit(w, true);
}

static dt_status build_min(dt_ox_walk *w)
{
    return limit(w, false);
}

const dt_ox_op dt_ox_op_ReduceSum = {
    .name = "ReduceSum", .in_min = 1, .in_max = 2, .build = build_sum
};
const dt_ox_op dt_ox_op_ReduceSumSquare = {
    .name = "ReduceSumSquare", .in_min = 1, .in_max = 2, .build = build_squares
};
const dt_ox_op dt_ox_op_ReduceL2 = {
    .name = "ReduceL2", .in_min = 1, .in_max = 2, .build = build_length
};
const dt_ox_op dt_ox_op_Max = { .name = "Max", .in_min = 1, .build = build_max };
const dt_ox_op dt_ox_op_Min = { .name = "Min", .in_min = 1, .build = build_min };
