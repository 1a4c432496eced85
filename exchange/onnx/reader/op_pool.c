/* GlobalAveragePool, ReduceMean over rows and columns, AveragePool of the whole picture; MaxPool.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_window.h"

/* [N,C,H,W] -> [N,C], which the file has with `rank` dimensions. */
static dt_status mean(dt_ox_walk *w, const dt_ox_value *x, int rank)
{
    return dt_ox_set_picture(w, dt_layer_gap(w->b, w->layer, x->value), rank);
}

static dt_status need_picture(dt_ox_walk *w, const dt_ox_value **x)
{
    DT_TRY(dt_ox_need_value(w, 0, x));
    if (dt_ox_is_picture(w, *x)) return DT_OK;
    return dt_ox_refuse(w, "its input is no picture [N,C,H,W]");
}

static dt_status build_global(dt_ox_walk *w)
{
    const dt_ox_value *x;
    DT_TRY(need_picture(w, &x));
    return mean(w, x, 4);
}

static dt_status build_reduce(dt_ox_walk *w)
{
    const dt_ox_value *x;
    int axis[DT_OX_RANK], count;
    bool over[DT_OX_RANK] = { false };
    DT_TRY(need_picture(w, &x));
    DT_TRY(dt_ox_axes(w, "axes", 1, x->rank, axis, &count));
    for (int k = 0; k < count; k++)
        over[axis[k]] = true;
    if (over[0] || over[1] || !over[2] || !over[3])
        return dt_ox_refuse(w, "means over rows and columns together are read");
    return mean(w, x, dt_ox_int(w->node, "keepdims", 1) ? 4 : 2);
}

static dt_status build_average(dt_ox_walk *w)
{
    const dt_ox_value *x;
    dt_ox_view o;
    DT_TRY(need_picture(w, &x));
    DT_TRY(dt_ox_view_of(w, x, NULL, &o));
    if (o.kernel[0] == x->dim[2] && o.kernel[1] == x->dim[3] && !o.pad[0] && !o.pad[1] &&
        !o.pad[2] && !o.pad[3])
        return mean(w, x, 4);
    return dt_ox_refuse(w, "windows of %dx%d; the mean of the whole picture is read", o.kernel[0],
                        o.kernel[1]);
}

static dt_status build_max(dt_ox_walk *w)
{
    const dt_ox_value *x;
    dt_ox_view o;
    DT_TRY(need_picture(w, &x));
    DT_TRY(dt_ox_view_of(w, x, NULL, &o));
    bool square = o.kernel[0] == o.kernel[1] && o.stride[0] == o.stride[1];
    for (int i = 1; i < 4; i++)
        square = square && o.pad[i] == o.pad[0];
    if (!square || o.dilation[0] != 1 || o.dilation[1] != 1 || dt_ox_int(w->node, "ceil_mode", 0))
        return dt_ox_refuse(w, "square windows without dilation and ceil_mode, padded alike on all "
                               "sides, are read");
    int y = dt_layer_maxpool(w->b, w->layer, x->value, o.kernel[0], o.stride[0], o.pad[0]);
    return dt_ox_set_picture(w, y, 4);
}

const dt_ox_op dt_ox_op_GlobalAveragePool = {
    .name = "GlobalAveragePool", .in_min = 1, .in_max = 1, .build = build_global
};
const dt_ox_op dt_ox_op_ReduceMean = {
    .name = "ReduceMean", .in_min = 1, .in_max = 2, .build = build_reduce
};
const dt_ox_op dt_ox_op_AveragePool = {
    .name = "AveragePool", .in_min = 1, .in_max = 1, .build = build_average
};
const dt_ox_op dt_ox_op_MaxPool = {
    .name = "MaxPool", .in_min = 1, .in_max = 1, .build = build_max
};
