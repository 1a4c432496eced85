/* Slice of constants: starts, ends, axes and steps as inputs, or as attributes before opset 10. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_fold.h"

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

static dt_status fold(dt_ox_walk *w, dt_ox_tensor **out)
{
    const dt_ox_tensor *t = dt_ox_input(w, 0)->constant;
    const int64_t *start, *end, *step;
    int starts, ends, steps, axis[DT_OX_RANK], axes;
    dt_ox_window cut;
    DT_TRY(dt_ox_list(w, "starts", 1, &start, &starts));
    DT_TRY(dt_ox_list(w, "ends", 2, &end, &ends));
    DT_TRY(dt_ox_axes(w, "axes", 3, t->rank, axis, &axes));
    DT_TRY(dt_ox_list(w, "steps", 4, &step, &steps));
    if (starts < 0 || starts != ends || starts > t->rank || (axes >= 0 && axes != starts) ||
        (steps >= 0 && steps != starts))
        return dt_ox_refuse(w, "starts, ends, axes and steps are not of one length");
    for (int i = 0; i < t->rank; i++) {
        cut.first[i] = 0;
        cut.step[i] = 1;
        cut.count[i] = t->dim[i];
    }
    for (int k = 0; k < starts; k++) {
        int i = axes >= 0 ? axis[k] : k;
        int64_t by = steps >= 0 ? step[k] : 1;
        if (by == 0 || by == INT64_MIN) return dt_ox_refuse(w, "a step is 0");
        range(t->dim[i], start[k], end[k], by, &cut.first[i], &cut.count[i]);
        cut.step[i] = cut.count[i] > 1 ? by : 1;
        if (cut.count[i] == 0) cut.first[i] = 0;
    }
    return dt_ox_cut(w, t, &cut, NULL, out);
}

const dt_ox_op dt_ox_op_Slice = { .name = "Slice", .in_min = 1, .in_max = 5, .fold = fold };
