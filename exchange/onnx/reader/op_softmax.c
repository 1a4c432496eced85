/* Softmax: over the last dimension; behind everything else it is left out, for the loss has one,
 * and the order of classes is the same. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "exchange/onnx/reader/onnx_order.h"

static dt_status build(dt_ox_walk *w)
{
    const dt_ox_value *v;
    int axis;
    DT_TRY(dt_ox_need(w, 0, &v));
    DT_TRY(dt_ox_axis(w, dt_ox_int(w->node, "axis", w->file->opset < 13 ? 1 : -1), v->rank, &axis));
    bool last = w->node->out_count == 1 && strcmp(w->node->out[0], w->file->out[0].name) == 0;
    if (last) {
        DT_TRY(dt_ox_need_value(w, 0, &v));
        if (!dt_ox_is_rows(w, v) || axis != 1)
            return dt_ox_refuse(w, "as the last node it is read over classes");
        return dt_ox_set(w, 0, v);
    }
    if (axis != v->rank - 1)
        return dt_ox_refuse(w, "it is over dimension %d of %d; over the last one it is read", axis,
                            v->rank);
    DT_TRY(dt_ox_need_rows(w, 0, &v));
    return dt_ox_set_like(w, dt_part_node(w->b, "softmax", w->layer, NULL, &v->value, 1), v);
}

const dt_ox_op dt_ox_op_Softmax = { .name = "Softmax", .in_min = 1, .in_max = 1, .build = build };
