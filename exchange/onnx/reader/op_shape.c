/* Shape: known when the graph is built, with a batch of one. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_fold.h"

static int64_t within(int64_t v, int64_t high)
{
    if (v < 0) v += high;
    return v < 0 ? 0 : v > high ? high : v;
}

static dt_status build(dt_ox_walk *w)
{
    const dt_ox_value *v;
    DT_TRY(dt_ox_need(w, 0, &v));
    int64_t first = within(dt_ox_int(w->node, "start", 0), v->rank);
    int64_t end = within(dt_ox_int(w->node, "end", v->rank), v->rank);
    int64_t count = end > first ? end - first : 0;
    dt_ox_tensor *t = dt_ox_make(w, true, 1, &count);
    DT_TRY(dt_ox_made(w, t));
    for (int64_t i = 0; i < count; i++)
        t->n[i] = v->dim[first + i];
    return dt_ox_set_constant(w, 0, t);
}

const dt_ox_op dt_ox_op_Shape = {
    .name = "Shape", .in_min = 1, .in_max = 1, .build = build, .sees_constants = true
};
