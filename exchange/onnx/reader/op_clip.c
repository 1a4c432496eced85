/* Relu, and Clip where it is a ReLU or a ReLU6. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "autograd/op_relu6.h"
#include "exchange/onnx/reader/onnx_ops.h"

static dt_status build_relu(dt_ox_walk *w)
{
    const dt_ox_value *v;
    DT_TRY(dt_ox_need_value(w, 0, &v));
    return dt_ox_set_like(w, dt_layer_relu(w->b, w->layer, v->value), v);
}

static dt_status build_clip(dt_ox_walk *w)
{
    const dt_ox_value *v;
    float low, high;
    DT_TRY(dt_ox_need_value(w, 0, &v));
    DT_TRY(dt_ox_number(w, "min", 1, -INFINITY, &low));
    DT_TRY(dt_ox_number(w, "max", 2, INFINITY, &high));
    if (low == 0 && high >= 3e38f) return build_relu(w);
    if (low != 0 || high != (float)DT_RELU6_HIGH)
        return dt_ox_refuse(w, "limits %g..%g; 0 without an upper limit, or 0..6 is read",
                            (double)low, (double)high);
    return dt_ox_set_like(w, dt_layer_relu6(w->b, w->layer, v->value), v);
}

const dt_ox_op dt_ox_op_Relu = { .name = "Relu", .in_min = 1, .in_max = 1, .build = build_relu };
const dt_ox_op dt_ox_op_Clip = { .name = "Clip", .in_min = 1, .in_max = 3, .build = build_clip };
