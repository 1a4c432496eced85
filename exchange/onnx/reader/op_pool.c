/* AveragePool, MaxPool; of the whole picture GlobalAveragePool, GlobalMaxPool, ReduceMean,
 * ReduceMax.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_avgpool.h"
#include "autograd/op_maxpool.h"
#include "exchange/onnx/reader/onnx_mean.h"
#include "exchange/onnx/reader/onnx_names.h"
#include "exchange/onnx/reader/onnx_window.h"

/* [N,C,H,W] -> [N,C], which the file has with `rank` dimensions. */
static dt_status mean(dt_ox_walk *w, const dt_ox_value *x, int rank)
{
    return dt_ox_set_picture(w, dt_layer_gap(w->b, w->layer, x->value), rank);
}

static dt_status need_picture(dt_ox_walk *w, const dt_ox_value **x)
{
    DT_TRY(dt_ox_need_pixels(w, 0, x));
    if (dt_ox_is_picture(w, *x)) return DT_OK;
    return dt_ox_refuse(w, "its input is no picture [N,C,H,W]");
}

static dt_status build_global(dt_ox_walk *w)
{
    const dt_ox_value *x;
    DT_TRY(need_picture(w, &x));
    return mean(w, x, 4);
}

static dt_status reduce(dt_ox_walk *w, bool of_greatest)
{
    const dt_ox_value *x;
    int axis[DT_OX_RANK], count;
    bool over[DT_OX_RANK] = { false };
    DT_TRY(dt_ox_need(w, 0, &x));
    DT_TRY(dt_ox_axes(w, "axes", 1, x->rank, axis, &count));
    if (count < 1) return dt_ox_refuse(w, "its axes are not there; the batch is not among them");
    for (int k = 0; k < count; k++)
        over[axis[k]] = true;
    return dt_ox_build_mean(w, over, dt_ox_int(w->node, "keepdims", 1) != 0, of_greatest);
}

static dt_status build_reduce(dt_ox_walk *w)
{
    return reduce(w, false);
}

/* The windows of pooling, and how far the last ones reach beyond all padding: ceil_mode counts what
 * begins inside of the picture or in front of it. */
static dt_status windows(dt_ox_walk *w, const dt_ox_value *x, dt_window *o, int over[2])
{
    dt_ox_view v;
    int more[2];
    DT_TRY(dt_ox_view_of(w, x, NULL, &v));
    if (v.dilation[0] != 1 || v.dilation[1] != 1)
        return dt_ox_refuse(w, "dilations of %d and %d are not read; 1 is", v.dilation[0],
                            v.dilation[1]);
    bool up = dt_ox_int(w->node, "ceil_mode", 0) != 0;
    for (int i = 0; i < 2; i++) {
        int64_t in = x->dim[2 + i], first = v.pad[i]; /* where windows still begin in ceil_mode */
        if (x->padded) in -= x->pad[i] + x->pad[2 + i], first += x->pad[2 + i];
        if (v.pad[i] >= v.kernel[i] || v.pad[2 + i] >= v.kernel[i])
            return dt_ox_refuse(w, "it pads %d and %d, no less than its window of %d", v.pad[i],
                                v.pad[2 + i], v.kernel[i]);
        int64_t all = in + v.pad[i] + v.pad[2 + i] - v.kernel[i], end;
        if (all < 0 && !(up && all > -v.stride[i]))
            return dt_ox_refuse(w, "its window of %dx%d is larger than its input", v.kernel[0],
                                v.kernel[1]);
        int64_t count = (up ? all + v.stride[i] - 1 : all) / v.stride[i] + 1;
        if (up && count > 1 && (count - 1) * v.stride[i] >= in + first) count--;
        end = (count - 1) * v.stride[i] + v.kernel[i] - in - v.pad[i];
        over[i] = end > v.pad[2 + i] ? (int)(end - v.pad[2 + i]) : 0;
        more[i] = v.pad[2 + i] + over[i] - v.pad[i];
    }
    *o = (dt_window){ v.kernel[0], v.kernel[1], v.stride[0], v.stride[1],
                      v.pad[0],    v.pad[1],    more[0],     more[1] };
    return DT_OK;
}

static bool is_whole(const dt_ox_value *x, const dt_window *o)
{
    return o->kernel_h == x->dim[2] && o->kernel_w == x->dim[3] && !o->pad_h && !o->pad_w &&
           !o->more_h && !o->more_w;
}

/* Do windows have padding of their own beside that of a Pad? */
static bool has_pads(const dt_ox_value *x, const dt_window *o, const int over[2])
{
    return o->pad_h != x->pad[0] || o->pad_w != x->pad[1] ||
           o->pad_h + o->more_h - over[0] != x->pad[2] ||
           o->pad_w + o->more_w - over[1] != x->pad[3];
}

/* A picture, whose padding the windows take in, or which gets it. */
static dt_status need_padded(dt_ox_walk *w, bool takes_in, const dt_ox_value **x)
{
    DT_TRY(dt_ox_need(w, 0, x));
    if (!(*x)->padded || !takes_in) return need_picture(w, x);
    return dt_ox_is_picture(w, *x) ? DT_OK : dt_ox_refuse(w, "its input is no picture [N,C,H,W]");
}

static dt_status build_average(dt_ox_walk *w)
{
    const dt_ox_value *x;
    dt_avgpool_conf c = { .count_pad = dt_ox_int(w->node, "count_include_pad", 0) != 0 };
    int over[2];
    DT_TRY(need_padded(w, true, &x));
    if (x->lowest) return dt_ox_refuse(w, "its input is padded with -inf; 0 is read");
    DT_TRY(windows(w, x, &c.window, over));
    if (x->padded && !c.count_pad && has_pads(x, &c.window, over)) {
        /* The zeros of the Pad count, its own padding does not. */
        DT_TRY(need_padded(w, false, &x));
        DT_TRY(windows(w, x, &c.window, over));
    }
    c.count_pad = c.count_pad || x->padded;
    if (is_whole(x, &c.window)) return mean(w, x, 4);
    c.over_h = over[0], c.over_w = over[1];
    return dt_ox_set_picture(w, dt_part_node(w->b, "avgpool", w->layer, &c, &x->value, 1), 4);
}

static dt_status build_max(dt_ox_walk *w)
{
    const dt_ox_value *x;
    dt_maxpool_conf c;
    int over[2];
    DT_TRY(dt_ox_need(w, 0, &x));
    /* Its zeros are more than what is negative, unlike the padding of windows. */
    bool least = x->lowest || (!x->constant && w->b->graph->value[x->value].nonneg);
    DT_TRY(need_padded(w, least, &x));
    if (w->node->out_count > 1 && *w->node->out[1])
        return dt_ox_refuse(w, "its second output, where the maxima were, is not read");
    DT_TRY(windows(w, x, &c.window, over));
    return dt_ox_set_picture(w, dt_part_node(w->b, "maxpool", w->layer, &c, &x->value, 1), 4);
}

/* The greatest of the whole picture: a window of its size, then the mean of the one pixel. */
static dt_status greatest(dt_ox_walk *w, const dt_ox_value *x, int rank)
{
    const dt_maxpool_conf c = {
        { (int)x->dim[2], (int)x->dim[3], 1, 1, 0, 0, 0, 0 },
    };
    const char *name = dt_ox_part_name(w, "pixel");
    if (!name) return dt_ox_no_memory(w);
    int y = dt_part_node(w->b, "maxpool", w->layer, &c, &x->value, 1);
    return dt_ox_set_picture(w, dt_layer_gap(w->b, name, y), rank);
}

static dt_status build_global_max(dt_ox_walk *w)
{
    const dt_ox_value *x;
    DT_TRY(need_picture(w, &x));
    return greatest(w, x, 4);
}

static dt_status build_reduce_max(dt_ox_walk *w)
{
    return reduce(w, true);
}

const dt_ox_op dt_ox_op_GlobalAveragePool = {
    .name = "GlobalAveragePool", .in_min = 1, .in_max = 1, .build = build_global
};
const dt_ox_op dt_ox_op_GlobalMaxPool = {
    .name = "GlobalMaxPool", .in_min = 1, .in_max = 1, .build = build_global_max, .moves = true
};
const dt_ox_op dt_ox_op_ReduceMax = {
    .name = "ReduceMax", .in_min = 1, .in_max = 2, .build = build_reduce_max
};
const dt_ox_op dt_ox_op_ReduceMean = {
    .name = "ReduceMean", .in_min = 1, .in_max = 2, .build = build_reduce
};
const dt_ox_op dt_ox_op_AveragePool = {
    .name = "AveragePool", .in_min = 1, .in_max = 1, .build = build_average
};
const dt_ox_op dt_ox_op_MaxPool = {
    .name = "MaxPool", .in_min = 1, .in_max = 1, .build = build_max, .moves = true
};
