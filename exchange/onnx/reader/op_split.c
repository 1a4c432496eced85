/* Split: of constants, of values. Sizes as an attribute before opset 13, then as input 1, else
 * equal ones, of which the last may be less. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_order.h"

enum { MOST = 64 };

/* The size of every output along `axis`. */
static dt_status sizes(dt_ox_walk *w, int64_t all, int64_t *out)
{
    const int64_t *list;
    int count, outputs = w->node->out_count;
    int64_t sum = 0;
    DT_TRY(dt_ox_list(w, "split", 1, &list, &count));
    if (outputs < 1 || outputs > MOST)
        return dt_ox_refuse(w, "%d outputs; 1 to %d are read", outputs, MOST);
    if (count >= 0 && count != outputs)
        return dt_ox_refuse(w, "it has %d sizes for %d outputs", count, outputs);
    int64_t each = (all + outputs - 1) / outputs;
    for (int k = 0; k < outputs; k++) {
        out[k] = count >= 0 ? list[k] : sum + each <= all ? each : all - sum;
        if (out[k] < 1 || out[k] > all - sum)
            return dt_ox_refuse(w, "output %d has %lld of %lld elements", k, (long long)out[k],
                                (long long)all);
        sum += out[k];
    }
    return sum == all ? DT_OK
                      : dt_ox_refuse(w, "its outputs have %lld of %lld elements", (long long)sum,
                                     (long long)all);
}

/* Everything of `rank` and `dim`, of which windows are made. */
static dt_status whole(dt_ox_walk *w, int rank, const int64_t *dim, dt_ox_window *out, int *axis,
                       int64_t *size)
{
    for (int i = 0; i < rank; i++) {
        out->first[i] = 0;
        out->step[i] = 1;
        out->count[i] = dim[i];
    }
    DT_TRY(dt_ox_axis(w, dt_ox_int(w->node, "axis", 0), rank, axis));
    return sizes(w, dim[*axis], size);
}

static dt_status fold(dt_ox_walk *w, dt_ox_tensor **out)
{
    const dt_ox_tensor *t = dt_ox_input(w, 0)->constant;
    int64_t size[MOST];
    int axis;
    dt_ox_window cut;
    DT_TRY(whole(w, t->rank, t->dim, &cut, &axis, size));
    for (int k = 0; k < w->node->out_count; k++) {
        cut.count[axis] = size[k];
        DT_TRY(dt_ox_cut(w, t, &cut, NULL, &out[k]));
        cut.first[axis] += size[k];
    }
    return DT_OK;
}

static dt_status build(dt_ox_walk *w)
{
    const dt_ox_value *v;
    int64_t size[MOST];
    int axis;
    dt_ox_window cut;
    DT_TRY(dt_ox_need(w, 0, &v));
    if (v->constant || v->padded) DT_TRY(dt_ox_need_value(w, 0, &v));
    DT_TRY(whole(w, v->rank, v->dim, &cut, &axis, size));
    for (int k = 0; k < w->node->out_count; k++) {
        cut.count[axis] = size[k];
        DT_TRY(dt_ox_set_cut(w, k, &cut));
        cut.first[axis] += size[k];
    }
    return DT_OK;
}

const dt_ox_op dt_ox_op_Split = {
    .name = "Split", .in_min = 1, .in_max = 2, .fold = fold, .build = build, .moves = true
};
