/* LayerNormalization over the last dimension; where it was written as several nodes, over any one.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_layernorm.h"

#include "exchange/onnx/reader/onnx_order.h"

/* Input i [C] as a parameter, or `otherwise` where it is left out. -1: refused. */
static dt_status parameter(dt_ox_walk *w, int i, const char *part, int64_t C, float otherwise,
                           int *out)
{
    const dt_ox_tensor *t;
    const dt_value kind = { .kind = DT_VALUE_PARAM, .role = DT_ROLE_NORM };
    DT_TRY(dt_ox_reals(w, i, &t));
    int axis = 0;
    while (t && axis + 1 < t->rank && t->dim[axis] != C)
        axis++;
    if (t && (t->count != C || t->rank < 1))
        return dt_ox_refuse(w, "input %d has not %lld elements", i, (long long)C);
    if (!t) {
        dt_ox_tensor *fill = dt_ox_make(w, false, 1, &C);
        DT_TRY(dt_ox_made(w, fill));
        for (int64_t c = 0; c < C; c++)
            fill->x[c] = otherwise;
        t = fill;
    }
    *out = dt_ox_param_of(w, w->layer, part, t, &axis, 1, kind);
    return DT_OK;
}

/* Input 0, whose dimension `axis` is the engine's last. */
static dt_status need_last(dt_ox_walk *w, int axis, const dt_ox_value **x)
{
    DT_TRY(dt_ox_need_value(w, 0, x));
    bool last = (*x)->axis[axis] == dt_ox_shape(w, *x)->rank - 1;
    return last ? DT_OK : dt_ox_settle(w, w->node->in[0], axis, x);
}

static dt_status build(dt_ox_walk *w)
{
    const dt_ox_value *x;
    int axis, in[DT_LN_INPUTS];
    DT_TRY(dt_ox_need(w, 0, &x));
    DT_TRY(dt_ox_axis(w, dt_ox_int(w->node, "axis", -1), x->rank, &axis));
    bool one = dt_ox_int(w->node, "one_axis", 0) != 0;
    if (axis != x->rank - 1 && !one)
        return dt_ox_refuse(w, "it is over %d dimensions; over the last one is read",
                            x->rank - axis);
    if (w->node->out_count > 1)
        return dt_ox_refuse(w, "it gives mean and deviation, which are not read");
    if (axis == x->rank - 1)
        DT_TRY(dt_ox_need_rows(w, 0, &x));
    else
        DT_TRY(need_last(w, axis, &x));
    in[DT_LN_X] = x->value;
    int64_t C = x->dim[axis];
    DT_TRY(parameter(w, 1, "weight", C, 1, &in[DT_LN_GAMMA]));
    DT_TRY(parameter(w, 2, "bias", C, 0, &in[DT_LN_BETA]));
    const dt_layernorm_conf c = { (double)dt_ox_float(w->node, "epsilon", 1e-5f) };
    return dt_ox_set_like(w, dt_part_node(w->b, "layernorm", w->layer, &c, in, DT_LN_INPUTS), x);
}

const dt_ox_op dt_ox_op_LayerNormalization = {
    .name = "LayerNormalization", .in_min = 1, .in_max = 3, .build = build
};
