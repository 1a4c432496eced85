/* Dimensions and axes of values: what changes no element. */
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

bool dt_ox_reshape(const dt_ox_value *v, int rank, const int64_t *dim, dt_ox_value *out)
{
    int at = 0;
    bool taken[DT_OX_RANK + DT_MAX_RANK] = { false };
    dt_ox_value r = *v;
    r.rank = rank;
    for (int i = 0; i < rank; i++) {
        r.dim[i] = dim[i];
        r.axis[i] = -1;
        if (dim[i] == 1) continue;
        while (at < v->rank && v->dim[at] == 1)
            at++;
        if (at == v->rank || v->dim[at] != dim[i]) return false;
        r.axis[i] = v->axis[at++];
        if (r.axis[i] >= 0) taken[r.axis[i]] = true;
    }
    for (; at < v->rank; at++)
        if (v->dim[at] != 1) return false;
    /* The batch stays first; other axes of one element may stand for any. */
    if (rank > 0 && dim[0] == 1) r.axis[0] = 0;
    taken[0] = true;
    for (int i = 1; i < rank; i++)
        for (int k = 0; r.axis[i] < 0 && k < v->rank; k++)
            if (v->dim[k] == 1 && v->axis[k] > 0 && !taken[v->axis[k]]) {
                r.axis[i] = v->axis[k];
                taken[r.axis[i]] = true;
            }
    *out = r;
    return true;
}
