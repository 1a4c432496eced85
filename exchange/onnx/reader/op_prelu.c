/* PRelu: a learned slope for each channel, or one for all. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_ops.h"

/* The axis of the slopes that is the value's channels; 0 where there is one slope. -1: they are
 * others. */
static int channels_of(const dt_ox_walk *w, const dt_ox_value *v, const dt_ox_tensor *slope)
{
    int last = dt_ox_shape(w, v)->rank - 1, found = -1;
    if (slope->rank < 1 || slope->rank > v->rank) return -1;
    if (slope->count == 1) return 0;
    for (int i = 0; i < slope->rank; i++) {
        int k = v->rank - slope->rank + i;
        if (v->axis[k] == last && slope->dim[i] == v->dim[k]) found = i;
    }
    return found >= 0 && slope->dim[found] == slope->count ? found : -1;
}

static dt_status build(dt_ox_walk *w)
{
    const dt_ox_value *v;
    const dt_ox_tensor *slope;
    const dt_value kind = { .kind = DT_VALUE_PARAM, .role = DT_ROLE_BIAS, .init = DT_INIT_SMALL };
    DT_TRY(dt_ox_need_value(w, 0, &v));
    DT_TRY(dt_ox_reals(w, 1, &slope));
    if (!slope) return dt_ox_refuse(w, "input 1 is not there");
    int turn[] = { channels_of(w, v, slope) };
    if (turn[0] < 0)
        return dt_ox_refuse(w, "its %lld slopes are neither one nor one for each channel",
                            (long long)slope->count);
    const int in[] = { v->value, dt_ox_param_of(w, w->layer, "weight", slope, turn, 1, kind) };
    return dt_ox_set_like(w, dt_part_node(w->b, "prelu", w->layer, NULL, in, 2), v);
}

const dt_ox_op dt_ox_op_PRelu = { .name = "PRelu", .in_min = 2, .in_max = 2, .build = build };
