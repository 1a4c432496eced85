/* BatchNormalization, in either mode: statistics are those of the file until training moves them.
 * Its momentum is the share of the old ones, the engine's that of the new. Statistics are of all
 * but the channels, so rows [N T,C], which are tokens of each sample, are [N,T,C] here. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_batchnorm.h"
#include "exchange/onnx/reader/onnx_order.h"

/* Input 0, whose channels, dimension 1 of the file, are the engine's last axis. */
static dt_status need_channels(dt_ox_walk *w, const dt_ox_value **x)
{
    DT_TRY(dt_ox_need(w, 0, x));
    if ((*x)->rank == 2) return dt_ox_need_rows(w, 0, x);
    DT_TRY(dt_ox_need_picture(w, 0, x));
    if ((*x)->rank == 3 && (*x)->axis[1] != dt_ox_shape(w, *x)->rank - 1)
        DT_TRY(dt_ox_settle(w, w->node->in[0], 1, x));
    bool last = (*x)->rank > 1 && (*x)->axis[1] == dt_ox_shape(w, *x)->rank - 1;
    if (last || dt_ox_is_picture(w, *x) || dt_ox_is_rows(w, *x)) return DT_OK;
    return dt_ox_refuse(w, "its input is no picture [N,C,H,W], no [N,C,L] and no rows");
}

static dt_status build(dt_ox_walk *w)
{
    static const char *const part[] = { [DT_BN_GAMMA] = "weight",
                                        [DT_BN_BETA] = "bias",
                                        [DT_BN_MEAN] = "running_mean",
                                        [DT_BN_VAR] = "running_var" };
    static const int place[] = { DT_BN_X, DT_BN_GAMMA, DT_BN_BETA, DT_BN_MEAN, DT_BN_VAR };
    static const int same[] = { 0 };
    const dt_ox_value *x;
    int in[DT_BN_VAR + 1];
    DT_TRY(need_channels(w, &x));
    in[DT_BN_X] = x->value;
    for (int i = 1; i < 5; i++) {
        const dt_ox_tensor *t;
        DT_TRY(dt_ox_reals(w, i, &t));
        if (!t || t->rank != 1 || t->count != x->dim[1])
            return dt_ox_refuse(w, "input %d has not %lld elements", i, (long long)x->dim[1]);
        bool kept = place[i] == DT_BN_MEAN || place[i] == DT_BN_VAR;
        const dt_value kind = { .kind = kept ? DT_VALUE_BUFFER : DT_VALUE_PARAM,
                                .role = DT_ROLE_NORM,
                                .nonneg = place[i] == DT_BN_VAR };
        in[place[i]] = dt_ox_param_of(w, w->layer, part[place[i]], t, same, 1, kind);
    }
    const dt_batchnorm_conf conf = { .eps = (double)dt_ox_float(w->node, "epsilon", 1e-5f),
                                     .momentum =
                                         1 - (double)dt_ox_float(w->node, "momentum", 0.9f) };
    return dt_ox_set_like(w, dt_part_node(w->b, "batchnorm", w->layer, &conf, in, 5), x);
}

const dt_ox_op dt_ox_op_BatchNormalization = {
    .name = "BatchNormalization", .in_min = 5, .in_max = 5, .build = build
};
