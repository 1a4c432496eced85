/* Dimensions and axes of values. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "exchange/onnx/reader/onnx_ops.h"

const dt_shape *dt_ox_shape(const dt_ox_walk *w, const dt_ox_value *v)
{
    return &w->b->graph->value[v->value].shape;
}

bool dt_ox_is_picture(const dt_ox_walk *w, const dt_ox_value *v)
{
    static const int order[] = { 0, 3, 1, 2 };
    if (v->rank != 4 || dt_ox_shape(w, v)->rank != 4) return false;
    for (int i = 0; i < 4; i++)
        if (v->axis[i] != order[i] && v->dim[i] != 1) return false;
    return true;
}

bool dt_ox_is_rows(const dt_ox_walk *w, const dt_ox_value *v)
{
    if (v->rank < 2 || dt_ox_shape(w, v)->rank != 2) return false;
    for (int i = 2; i < v->rank; i++)
        if (v->dim[i] != 1) return false;
    return v->axis[1] == 1 || v->dim[1] == 1;
}

bool dt_ox_is_alike(const dt_ox_walk *w, const dt_ox_value *a, const dt_ox_value *b)
{
    if (a->rank != b->rank || a->padded || b->padded) return false;
    if (!dt_shape_equal(dt_ox_shape(w, a), dt_ox_shape(w, b))) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i] || (a->axis[i] != b->axis[i] && a->dim[i] != 1)) return false;
    return true;
}
