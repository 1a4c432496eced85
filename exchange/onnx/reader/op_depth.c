/* DepthToSpace, SpaceToDepth: channels that are pixels, which other orders of elements say. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "exchange/onnx/reader/onnx_order.h"

enum { SPLIT = 6 }; /* dimensions between the two reshapes */

/* Elements as `split` dimensions, dimension turn[i] of them as the i-th, and joined to `dim`. */
static dt_status set_turned(dt_ox_walk *w, const dt_ox_value *v, const int64_t *split,
                            const int *turn, const int64_t *dim)
{
    dt_ox_order o = dt_ox_order_of(w, v), to;
    if (dt_ox_order_reshape(&o, SPLIT, split)) {
        int parts = 0;
        to = o;
        for (int i = 0; i < SPLIT; i++)
            for (int k = 0; k < o.parts; k++)
                if (o.part[k].dim == turn[i]) {
                    to.part[parts] = o.part[k];
                    to.part[parts++].dim = i;
                }
        if (dt_ox_order_reshape(&to, 4, dim)) return dt_ox_set_order(w, 0, v, &to, 4, dim);
    }
    return dt_ox_refuse(w, "its input is in an order of too many parts");
}

/* Its input, and how many pixels a block is wide. */
static dt_status need(dt_ox_walk *w, const dt_ox_value **v, int64_t *out_block)
{
    *out_block = dt_ox_int(w->node, "blocksize", 0);
    DT_TRY(dt_ox_need_value(w, 0, v));
    if ((*v)->rank != 4 || *out_block < 1 || *out_block > 1 << 10)
        return dt_ox_refuse(w, "its input is no [N,C,H,W], or its blocks are %lld pixels wide",
                            (long long)*out_block);
    return DT_OK;
}

static dt_status build_to_space(dt_ox_walk *w)
{
    static const int depth_first[] = { 0, 3, 4, 1, 5, 2 }, channels_first[] = { 0, 1, 4, 2, 5, 3 };
    const dt_ox_value *v;
    int64_t b;
    DT_TRY(need(w, &v, &b));
    const char *mode = dt_ox_text(w->node, "mode", "DCR");
    bool depth = strcmp(mode, "DCR") == 0;
    if (!depth && strcmp(mode, "CRD") != 0)
        return dt_ox_refuse(w, "mode '%.40s' is not read; DCR and CRD are", mode);
    int64_t C = v->dim[1] / (b * b), H = v->dim[2], W = v->dim[3];
    if (C * b * b != v->dim[1])
        return dt_ox_refuse(w, "%lld channels are no blocks of %lld", (long long)v->dim[1],
                            (long long)(b * b));
    const int64_t deep[] = { 1, b, b, C, H, W }, wide[] = { 1, C, b, b, H, W },
                  dim[] = { 1, C, H * b, W * b };
    return set_turned(w, v, depth ? deep : wide, depth ? depth_first : channels_first, dim);
}

static dt_status build_to_depth(dt_ox_walk *w)
{
    static const int turn[] = { 0, 3, 5, 1, 2, 4 };
    const dt_ox_value *v;
    int64_t b;
    DT_TRY(need(w, &v, &b));
    int64_t C = v->dim[1], H = v->dim[2] / b, W = v->dim[3] / b;
    if (H * b != v->dim[2] || W * b != v->dim[3])
        return dt_ox_refuse(w, "%lldx%lld pixels are no blocks of %lld", (long long)v->dim[2],
                            (long long)v->dim[3], (long long)b);
    const int64_t split[] = { 1, C, H, b, W, b }, dim[] = { 1, C * b * b, H, W };
    return set_turned(w, v, split, turn, dim);
}

const dt_ox_op dt_ox_op_DepthToSpace = {
    .name = "DepthToSpace", .in_min = 1, .in_max = 1, .build = build_to_space
};
const dt_ox_op dt_ox_op_SpaceToDepth = {
    .name = "SpaceToDepth", .in_min = 1, .in_max = 1, .build = build_to_depth
};
