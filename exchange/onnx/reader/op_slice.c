/* Slice: starts, ends, axes and steps as inputs, or as attributes before opset 10. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_fold.h"
#include "exchange/onnx/reader/onnx_remap.h"

static int64_t within(int64_t v, int64_t low, int64_t high)
{
    return v < low ? low : v > high ? high : v;
}

/* start..end of an axis of `size` elements, as the format counts them. */
static void range(int64_t size, int64_t start, int64_t end, int64_t step, int64_t *out_first,
                  int64_t *out_count)
{
    int64_t low = step > 0 ? 0 : -1, high = step > 0 ? size : size - 1;
    if (start < 0) start = start < -size ? -1 - size : start + size;
    if (end < 0) end = end < -size ? -1 - size : end + size;
    start = within(start, step > 0 ? 0 : -1, high);
    end = within(end, low, high);
    int64_t span = step > 0 ? end - start : start - end, stride = step > 0 ? step : -step;
    *out_first = start;
    *out_count = span > 0 ? (span - 1) / stride + 1 : 0;
}

/* The window of something of `rank` and `dim`. */
static dt_status window(dt_ox_walk *w, int rank, const int64_t *dim, dt_ox_window *cut)
{
    const int64_t *start, *end, *step;
    int starts, ends, steps, axis[DT_OX_RANK], axes;
    DT_TRY(dt_ox_list(w, "starts", 1, &start, &starts));
    DT_TRY(dt_ox_list(w, "ends", 2, &end, &ends));
    DT_TRY(dt_ox_axes(w, "axes", 3, rank, axis, &axes));
    DT_TRY(dt_ox_list(w, "steps", 4, &step, &steps));
    if (starts < 0 || starts != ends || starts > rank || (axes >= 0 && axes != starts) ||
        (steps >= 0 && steps != starts))
        return dt_ox_refuse(w, "starts, ends, axes and steps are not of one length");
    for (int i = 0; i < rank; i++) {
        cut->first[i] = 0;
        cut->step[i] = 1;
        cut->count[i] = dim[i];
    }
    for (int k = 0; k < starts; k++) {
        int i = axes >= 0 ? axis[k] : k;
        int64_t by = steps >= 0 ? step[k] : 1;
        if (by == 0 || by == INT64_MIN) return dt_ox_refuse(w, "a step is 0");
        range(dim[i], start[k], end[k], by, &cut->first[i], &cut->count[i]);
        cut->step[i] = cut->count[i] > 1 ? by : 1;
        if (cut->count[i] == 0) cut->first[i] = 0;
    }
    return DT_OK;
}

static dt_status fold(dt_ox_walk *w, dt_ox_tensor **out)
{
    const dt_ox_tensor *t = dt_ox_input(w, 0)->constant;
    dt_ox_window cut;
    DT_TRY(window(w, t->rank, t->dim, &cut));
    return dt_ox_cut(w, t, &cut, NULL, out);
}

/* A window that goes backwards along a dimension. */
static dt_status build_backwards(dt_ox_walk *w, const dt_ox_value *v, const dt_ox_window *cut)
{
    dt_remap_axis rule[DT_OX_RANK] = { { 0 } };
    dt_ox_value out;
    for (int i = 0; i < v->rank; i++) {
        bool whole = cut->count[i] == v->dim[i] && cut->step[i] == 1;
        if (cut->count[i] < 1) return dt_ox_refuse(w, "it leaves nothing of dimension %d", i);
        if (!whole) rule[i] = (dt_remap_axis){ cut->count[i], cut->step[i], cut->first[i], 1, 0 };
    }
    DT_TRY(dt_ox_remap(w, v, rule, w->layer, &out));
    return dt_ox_set(w, 0, &out);
}

static dt_status build(dt_ox_walk *w)
{
    const dt_ox_value *v;
    dt_ox_window cut;
    DT_TRY(dt_ox_need(w, 0, &v));
    if (v->padded) DT_TRY(dt_ox_need_value(w, 0, &v));
    DT_TRY(window(w, v->rank, v->dim, &cut));
    for (int i = 0; i < v->rank; i++)
        if (cut.step[i] < 0 && cut.count[i] > 0) return build_backwards(w, v, &cut);
    return dt_ox_set_cut(w, 0, &cut);
}

const dt_ox_op dt_ox_op_Slice = {
    .name = "Slice", .in_min = 1, .in_max = 5, .fold = fold, .build = build, .moves = true
};
