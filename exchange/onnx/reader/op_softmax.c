/* Softmax behind everything else: the loss has one, and the order of classes is the same. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "exchange/onnx/reader/onnx_ops.h"

static dt_status build(dt_ox_walk *w)
{
    const dt_ox_value *v;
    int axis;
    DT_TRY(dt_ox_need_value(w, 0, &v));
    DT_TRY(dt_ox_axis(w, dt_ox_int(w->node, "axis", w->file->opset < 13 ? 1 : -1), v->rank, &axis));
    bool last = w->node->out_count == 1 && strcmp(w->node->out[0], w->file->out[0].name) == 0;
    if (!last || !dt_ox_is_rows(w, v) || axis != 1)
        return dt_ox_refuse(w, "it is read as the last node, over classes, where it is left out");
    return dt_ox_set(w, 0, v);
}

const dt_ox_op dt_ox_op_Softmax = { .name = "Softmax", .in_min = 1, .in_max = 1, .build = build };
