/* Conv in two dimensions or one, with a bias or without; of [N,C,1,1], which is [N,C] here, a
 * linear layer. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_conv2d.h"
#include "exchange/onnx/reader/onnx_fold.h"
#include "exchange/onnx/reader/onnx_steps.h"
#include "exchange/onnx/reader/onnx_window.h"

/* Weight [O,I,KH,KW] and bias [O]. */
static dt_status weights(dt_ox_walk *w, const dt_ox_tensor **weight, const dt_ox_tensor **bias)
{
    DT_TRY(dt_ox_reals(w, 1, weight));
    DT_TRY(dt_ox_reals(w, 2, bias));
    if (!*weight || (*weight)->rank != 4 || (*weight)->count == 0)
        return dt_ox_refuse(w, "its weight has no 4 dimensions; convolutions over rows and columns "
                               "are read");
    if (*bias && ((*bias)->rank != 1 || (*bias)->count != (*weight)->dim[0]))
        return dt_ox_refuse(w, "its bias has not %lld elements", (long long)(*weight)->dim[0]);
    return DT_OK;
}

static dt_status add_node(dt_ox_walk *w, const dt_ox_value *x, const dt_conv2d_conf *conf,
                          const dt_ox_tensor *weight, const dt_ox_tensor *bias)
{
    static const int to_ohwi[] = { 0, 2, 3, 1 };
    const dt_value kernel = { .kind = DT_VALUE_PARAM,
                              .layout = DT_LAYOUT_OIHW,
                              .init = DT_INIT_KAIMING,
                              .fan_in = weight->count / weight->dim[0] };
    const dt_value shift = { .kind = DT_VALUE_PARAM, .role = DT_ROLE_BIAS };
    int in[3] = { x->value };
    in[1] = dt_ox_param_of(w, w->layer, "weight", weight, to_ohwi, 4, kernel);
    int axis[1] = { 0 };
    if (!bias) bias = dt_ox_bias_behind(w, weight->dim[0], 3, axis);
    if (bias) in[2] = dt_ox_param_of(w, w->layer, "bias", bias, axis, 1, shift);
    int y = dt_part_node(w->b, "conv2d", w->layer, conf, in, bias ? 3 : 2);
    return dt_ox_set_picture(w, y, 4);
}

/* One pixel, as squeeze and excitation has it. */
static dt_status build_rows(dt_ox_walk *w, const dt_ox_value *x, const dt_ox_tensor *weight,
                            const dt_ox_tensor *bias)
{
    static const int rows[] = { 0, 1 }, same[] = { 0 };
    const dt_value kernel = { .kind = DT_VALUE_PARAM,
                              .init = DT_INIT_KAIMING,
                              .fan_in = weight->dim[1] };
    const dt_value shift = { .kind = DT_VALUE_PARAM, .role = DT_ROLE_BIAS };
    int in[3] = { x->value };
    in[1] = dt_ox_param_of(w, w->layer, "weight", weight, rows, 2, kernel);
    if (bias) in[2] = dt_ox_param_of(w, w->layer, "bias", bias, same, 1, shift);
    return dt_ox_set_picture(w, dt_part_node(w->b, "linear", w->layer, NULL, in, bias ? 3 : 2), 4);
}

/* Numbers of an attribute behind those of a dimension of one element; `each` of them, 1 or 2. */
static dt_status widened(dt_ox_walk *w, const char *name, int each, int64_t otherwise, int64_t *out)
{
    const int64_t *list;
    int count;
    DT_TRY(dt_ox_list(w, name, -1, &list, &count));
    if (count >= 0 && count != each)
        return dt_ox_refuse(w, "'%s' has %d numbers; %d are read", name, count, each);
    for (int k = 0; k < each; k++) {
        out[2 * k] = otherwise;
        out[2 * k + 1] = count < 0 ? otherwise : list[k];
    }
    return DT_OK;
}

/* Along one dimension: the same of rows of one pixel each. */
static dt_status build_line(dt_ox_walk *w, const dt_ox_tensor *weight)
{
    int64_t stride[2], dilation[2], pads[4], kernel[] = { 1, weight->dim[2] };
    const char *axes = dt_ox_between(w, "axes"), *x = dt_ox_between(w, "rows"),
               *to = dt_ox_between(w, "kernel"), *y = dt_ox_between(w, "line");
    if (!axes || !x || !to || !y) return dt_ox_no_memory(w);
    DT_TRY(widened(w, "strides", 1, 1, stride));
    DT_TRY(widened(w, "dilations", 1, 1, dilation));
    DT_TRY(widened(w, "pads", 2, 0, pads));
    DT_TRY(dt_ox_between_list(w, axes, 1, &(int64_t){ 2 }));
    const dt_ox_attr attr[] = { dt_ox_attr_ints("kernel_shape", kernel, 2),
                                dt_ox_attr_ints("strides", stride, 2),
                                dt_ox_attr_ints("dilations", dilation, 2),
                                dt_ox_attr_ints("pads", pads, 4),
                                dt_ox_attr_int("group", dt_ox_int(w->node, "group", 1)) };
    const char *in[] = { x, to, w->node->in_count > 2 ? w->node->in[2] : NULL, NULL };
    DT_TRY(dt_ox_step(w, "Unsqueeze", (const char *[]){ w->node->in[0], axes, NULL }, x, NULL, 0));
    DT_TRY(dt_ox_step(w, "Unsqueeze", (const char *[]){ w->node->in[1], axes, NULL }, to, NULL, 0));
    DT_TRY(dt_ox_step(w, "Conv", in, y, attr, 5));
    return dt_ox_step(w, "Squeeze", (const char *[]){ y, axes, NULL }, w->node->out[0], NULL, 0);
}

static dt_status build(dt_ox_walk *w)
{
    const dt_ox_value *x;
    const dt_ox_tensor *weight, *bias;
    dt_ox_view o;
    int64_t groups = dt_ox_int(w->node, "group", 1);
    DT_TRY(dt_ox_need(w, 0, &x));
    DT_TRY(dt_ox_reals(w, 1, &weight));
    if (weight && weight->rank == 3 && x->rank == 3) return build_line(w, weight);
    if (!x->constant && !x->padded) DT_TRY(dt_ox_need_picture(w, 0, &x));
    DT_TRY(weights(w, &weight, &bias));
    bool pointwise = weight->dim[2] == 1 && weight->dim[3] == 1 && groups == 1;
    if (!x->constant && x->rank == 4 && !x->padded && dt_ox_is_rows(w, x) && pointwise)
        return build_rows(w, x, weight, bias);
    if (!x->constant && !x->padded) DT_TRY(dt_ox_need_pixels(w, 0, &x));
    if (x->constant || !dt_ox_is_picture(w, x))
        return dt_ox_refuse(w, "its input is no picture [N,C,H,W]");
    if (x->lowest) return dt_ox_refuse(w, "its input is padded with -inf; 0 is read");
    if (groups < 1 || groups > weight->dim[0]) return dt_ox_refuse(w, "its groups are not read");
    DT_TRY(dt_ox_view_of(w, x, &weight->dim[2], &o));
    const dt_conv2d_conf conf = { .stride_h = o.stride[0],
                                  .stride_w = o.stride[1],
                                  .pad_h = o.pad[0],
                                  .pad_w = o.pad[1],
                                  .groups = (int)groups,
                                  .more_h = o.pad[2] - o.pad[0],
                                  .more_w = o.pad[3] - o.pad[1],
                                  .skip_h = o.dilation[0] - 1,
                                  .skip_w = o.dilation[1] - 1 };
    return add_node(w, x, &conf, weight, bias);
}

/* One element of a convolution of constants: output o at (row, column). */
static float fold_element(const dt_ox_tensor *x, const dt_ox_tensor *weight,
                          const dt_ox_tensor *bias, const dt_ox_view *v, int64_t groups, int64_t o,
                          int64_t row, int64_t column)
{
    const int64_t H = x->dim[2], W = x->dim[3], I = weight->dim[1], KH = weight->dim[2],
                  KW = weight->dim[3], first = o / (weight->dim[0] / groups) * I;
    float sum = bias ? bias->x[o] : 0;
    for (int64_t i = 0; i < I; i++)
        for (int64_t k = 0; k < KH * KW; k++) {
            int64_t h = row * v->stride[0] - v->pad[0] + k / KW * v->dilation[0];
            int64_t c = column * v->stride[1] - v->pad[1] + k % KW * v->dilation[1];
            if (h < 0 || h >= H || c < 0 || c >= W) continue;
            sum += x->x[((first + i) * H + h) * W + c] * weight->x[(o * I + i) * KH * KW + k];
        }
    return sum;
}

/* Of a constant alone, as positions are made by some. */
static dt_status fold(dt_ox_walk *w, dt_ox_tensor **out)
{
    enum { MOST = 1 << 26 }; /* products */
    const dt_ox_value *value = dt_ox_input(w, 0);
    const dt_ox_tensor *x, *weight, *bias;
    dt_ox_view v;
    int64_t dim[4], groups = dt_ox_int(w->node, "group", 1);
    DT_TRY(dt_ox_reals(w, 0, &x));
    DT_TRY(weights(w, &weight, &bias));
    if (!x || x->rank != 4 || x->count == 0 || x->dim[0] != 1 || groups < 1 ||
        weight->dim[0] % groups || weight->dim[1] * groups != x->dim[1])
        return dt_ox_refuse(w, "its constants do not fit each other");
    DT_TRY(dt_ox_view_of(w, value, &weight->dim[2], &v));
    dim[0] = 1;
    dim[1] = weight->dim[0];
    for (int i = 0; i < 2; i++) {
        int64_t reach = (int64_t)(v.kernel[i] - 1) * v.dilation[i] + 1;
        dim[2 + i] = (x->dim[2 + i] + v.pad[i] + v.pad[2 + i] - reach) / v.stride[i] + 1;
        if (x->dim[2 + i] + v.pad[i] + v.pad[2 + i] < reach)
            return dt_ox_refuse(w, "its window is larger than its input");
    }
    const int64_t each = weight->count / weight->dim[0];
    out[0] = dt_ox_make(w, false, 4, dim);
    DT_TRY(dt_ox_made(w, out[0]));
    if (each > MOST / out[0]->count)
        return dt_ox_refuse(w, "of constants it takes too many products");
    for (int64_t e = 0; e < out[0]->count; e++)
        out[0]->x[e] = fold_element(x, weight, bias, &v, groups, e / dim[3] / dim[2],
                                    e / dim[3] % dim[2], e % dim[3]);
    return DT_OK;
}

const dt_ox_op dt_ox_op_Conv = {
    .name = "Conv", .in_min = 2, .in_max = 3, .fold = fold, .build = build
};
