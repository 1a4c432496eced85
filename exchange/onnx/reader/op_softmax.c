/* Softmax: over any dimension; behind everything else it is left out, for the loss has one,
 * and the order of classes is the same. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "exchange/onnx/reader/onnx_steps.h"

/* Over another dimension than the last: that one and the last change places around it. */
static dt_status over(dt_ox_walk *w, const dt_ox_value *v, int axis)
{
    int64_t perm[DT_OX_RANK];
    const char *a = dt_ox_between(w, "turned"), *b = dt_ox_between(w, "shares");
    if (w->file->opset < 13)
        return dt_ox_refuse(w, "opset %d joins dimensions from %d on; over the last one it is read",
                            w->file->opset, axis);
    if (!a || !b) return dt_ox_no_memory(w);
    for (int i = 0; i < v->rank; i++)
        perm[i] = i == axis ? v->rank - 1 : i == v->rank - 1 ? axis : i;
    const dt_ox_attr turn = dt_ox_attr_ints("perm", perm, v->rank),
                     last = dt_ox_attr_int("axis", -1);
    DT_TRY(dt_ox_step(w, "Transpose", (const char *[]){ w->node->in[0], NULL }, a, &turn, 1));
    DT_TRY(dt_ox_step(w, "Softmax", (const char *[]){ a, NULL }, b, &last, 1));
    return dt_ox_step(w, "Transpose", (const char *[]){ b, NULL }, w->node->out[0], &turn, 1);
}

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
    if (axis != v->rank - 1) return over(w, v, axis);
    DT_TRY(dt_ox_need_rows(w, 0, &v));
    return dt_ox_set_like(w, dt_part_node(w->b, "softmax", w->layer, NULL, &v->value, 1), v);
}

const dt_ox_op dt_ox_op_Softmax = { .name = "Softmax", .in_min = 1, .in_max = 1, .build = build };
