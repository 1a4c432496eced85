/* Gemm and MatMul of rows with a constant weight; rows are whatever lies in front of the last
 * dimension. Of the pixels of a picture it is a convolution of 1x1. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_conv2d.h"
#include "exchange/onnx/reader/onnx_attention.h"

/* The weight as one of a convolution [O,1,1,I]; turn[] are the axes of O and I. */
static int pixel_weight(dt_ox_walk *w, const dt_ox_tensor *weight, const int *turn)
{
    const int places[] = { turn[0], 2, 3, turn[1] };
    const dt_value kind = { .kind = DT_VALUE_PARAM,
                            .layout = DT_LAYOUT_OIHW,
                            .init = DT_INIT_KAIMING,
                            .fan_in = weight->dim[turn[1]] };
    dt_ox_tensor *t = dt_arena_get(w->file->arena, sizeof *t);
    if (!t) return dt_builder_fail(w->b, dt_ox_no_memory(w));
    *t = *weight; /* the same elements */
    t->rank = 4;
    t->dim[2] = t->dim[3] = 1;
    return dt_ox_param_of(w, w->layer, "weight", t, places, 4, kind);
}

static dt_status add_node(dt_ox_walk *w, const dt_ox_value *x, const dt_ox_tensor *weight,
                          bool transposed, const dt_ox_tensor *bias)
{
    static const int as_is[] = { 0, 1 }, turned[] = { 1, 0 };
    const int *turn = transposed ? as_is : turned;
    int64_t O = weight->dim[turn[0]], I = weight->dim[turn[1]];
    const dt_value rows = { .kind = DT_VALUE_PARAM, .init = DT_INIT_KAIMING, .fan_in = I };
    const dt_value shift = { .kind = DT_VALUE_PARAM, .role = DT_ROLE_BIAS };
    if (bias && bias->count != O)
        return dt_ox_refuse(w, "its bias has not %lld elements", (long long)O);
    const dt_shape *s = dt_ox_shape(w, x);
    if (s->dim[s->rank - 1] != I)
        return dt_ox_refuse(w, "its input has %lld columns, its weight %lld rows",
                            (long long)s->dim[s->rank - 1], (long long)I);
    int in[3] = { x->value };
    bool pixels = s->rank == 4;
    in[1] = pixels ? pixel_weight(w, weight, turn)
                   : dt_ox_param_of(w, w->layer, "weight", weight, turn, 2, rows);
    int last[] = { bias && bias->rank > 0 ? bias->rank - 1 : 0 };
    if (!bias) bias = dt_ox_bias_behind(w, O, 1, last);
    if (bias) in[2] = dt_ox_param_of(w, w->layer, "bias", bias, last, 1, shift);
    const dt_conv2d_conf one = { .stride_h = 1, .stride_w = 1, .groups = 1 };
    int y = dt_part_node(w->b, pixels ? "conv2d" : "linear", w->layer, pixels ? &one : NULL, in,
                         bias ? 3 : 2);
    return dt_ox_set_rows(w, y, x);
}

static dt_status build(dt_ox_walk *w, bool transposed, const dt_ox_tensor *bias)
{
    const dt_ox_value *x;
    const dt_ox_tensor *weight;
    DT_TRY(dt_ox_reals(w, 1, &weight));
    DT_TRY(dt_ox_need_rows(w, 0, &x));
    if (!weight || weight->rank != 2 || weight->count == 0)
        return dt_ox_refuse(w, "its second operand is no weight of 2 dimensions");
    return add_node(w, x, weight, transposed, bias);
}

static dt_status build_gemm(dt_ox_walk *w)
{
    const dt_ox_tensor *bias;
    if (dt_ox_int(w->node, "transA", 0) || dt_ox_float(w->node, "alpha", 1) != 1 ||
        dt_ox_float(w->node, "beta", 1) != 1)
        return dt_ox_refuse(w, "transA 0, alpha 1 and beta 1 are read");
    DT_TRY(dt_ox_reals(w, 2, &bias));
    if (bias && bias->count != (bias->rank ? bias->dim[bias->rank - 1] : 1))
        return dt_ox_refuse(w, "its bias is no row");
    return build(w, dt_ox_int(w->node, "transB", 0) != 0, bias);
}

static dt_status build_matmul(dt_ox_walk *w)
{
    const dt_ox_value *a, *b;
    DT_TRY(dt_ox_need(w, 0, &a));
    DT_TRY(dt_ox_need(w, 1, &b));
    if (!a->constant && !b->constant) return dt_ox_build_product(w);
    return build(w, false, NULL);
}

const dt_ox_op dt_ox_op_Gemm = { .name = "Gemm", .in_min = 2, .in_max = 3, .build = build_gemm };
const dt_ox_op dt_ox_op_MatMul = {
    .name = "MatMul", .in_min = 2, .in_max = 2, .build = build_matmul
};
