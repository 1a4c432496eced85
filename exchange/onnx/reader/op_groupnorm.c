/* GroupNormalization, whose factors are a group's at opset 18 and a channel's from 21 on, and
 * InstanceNormalization, of pictures. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_groupnorm.h"

#include "exchange/onnx/reader/onnx_fold.h"

enum { BY_CHANNEL = 21 }; /* opset */

/* Input i [C] as a parameter; [groups] is repeated for the channels of each. */
static dt_status parameter(dt_ox_walk *w, int i, const char *part, int64_t C, int64_t groups,
                           int *out)
{
    const dt_value kind = { .kind = DT_VALUE_PARAM, .role = DT_ROLE_NORM };
    const dt_ox_tensor *t;
    int axis = 0;
    DT_TRY(dt_ox_reals(w, i, &t));
    bool few = t && t->count == groups && t->count != C && w->file->opset < BY_CHANNEL;
    if (!t || t->rank < 1 || (t->count != C && !few))
        return dt_ox_refuse(w, "input %d has %lld elements, not one for each of %lld channels", i,
                            t ? (long long)t->count : 0LL, (long long)C);
    if (few) {
        dt_ox_tensor *each = dt_ox_make(w, false, 1, &C);
        DT_TRY(dt_ox_made(w, each));
        for (int64_t c = 0; c < C; c++)
            each->x[c] = t->x[c / (C / groups)];
        t = each;
    }
    while (axis + 1 < t->rank && t->dim[axis] != C)
        axis++;
    *out = dt_ox_param_of(w, w->layer, part, t, &axis, 1, kind);
    return DT_OK;
}

static dt_status build(dt_ox_walk *w, int64_t groups)
{
    const dt_ox_value *x;
    int in[DT_GN_INPUTS];
    DT_TRY(dt_ox_need_picture(w, 0, &x));
    if (!dt_ox_is_picture(w, x)) return dt_ox_refuse(w, "its input is no picture [N,C,H,W]");
    int64_t C = x->dim[1];
    if (groups == 0) groups = C;
    if (groups < 1 || groups > C || C % groups)
        return dt_ox_refuse(w, "%lld channels are not %lld groups", (long long)C,
                            (long long)groups);
    in[DT_GN_X] = x->value;
    DT_TRY(parameter(w, 1, "weight", C, groups, &in[DT_GN_GAMMA]));
    DT_TRY(parameter(w, 2, "bias", C, groups, &in[DT_GN_BETA]));
    const dt_groupnorm_conf c = { (int)groups, (double)dt_ox_float(w->node, "epsilon", 1e-5f) };
    return dt_ox_set_like(w, dt_part_node(w->b, "groupnorm", w->layer, &c, in, DT_GN_INPUTS), x);
}

static dt_status build_group(dt_ox_walk *w)
{
    int64_t groups = dt_ox_int(w->node, "num_groups", -1);
    return build(w, groups ? groups : -1);
}

static dt_status build_instance(dt_ox_walk *w)
{
    return build(w, 0);
}

const dt_ox_op dt_ox_op_GroupNormalization = {
    .name = "GroupNormalization", .in_min = 3, .in_max = 3, .build = build_group
};
const dt_ox_op dt_ox_op_InstanceNormalization = {
    .name = "InstanceNormalization", .in_min = 3, .in_max = 3, .build = build_instance
};
