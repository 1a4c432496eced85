/* Relu and Clip, which is a ReLU or a ReLU6 where it can be. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "autograd/op_hard.h"
#include "autograd/op_relu6.h"
#include "exchange/onnx/reader/onnx_order.h"

static const double OPEN = 1e30; /* no limit, as the operation says it */

static dt_status build_relu(dt_ox_walk *w)
{
    const dt_ox_value *v;
    DT_TRY(dt_ox_need_elements(w, 0, &v));
    return dt_ox_set_like(w, dt_layer_relu(w->b, w->layer, v->value), v);
}

static dt_status build_clip(dt_ox_walk *w)
{
    const dt_ox_value *v;
    float low, high;
    DT_TRY(dt_ox_need_elements(w, 0, &v));
    DT_TRY(dt_ox_number(w, "min", 1, -INFINITY, &low));
    DT_TRY(dt_ox_number(w, "max", 2, INFINITY, &high));
    if (low == 0 && high >= 3e38f) return build_relu(w);
    if (!(low < high)) return dt_ox_refuse(w, "limits %g..%g", (double)low, (double)high);
    if (low == 0 && high == (float)DT_RELU6_HIGH)
        return dt_ox_set_like(w, dt_layer_relu6(w->b, w->layer, v->value), v);
    const dt_clip_conf c = { low > -OPEN ? (double)low : -OPEN, high < OPEN ? (double)high : OPEN };
    return dt_ox_set_like(w, dt_part_node(w->b, "clip", w->layer, &c, &v->value, 1), v);
}

const dt_ox_op dt_ox_op_Relu = { .name = "Relu", .in_min = 1, .in_max = 1, .build = build_relu };
const dt_ox_op dt_ox_op_Clip = { .name = "Clip", .in_min = 1, .in_max = 3, .build = build_clip };
