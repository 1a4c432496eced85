/* ConvTranspose: zeros between the pixels, then a convolution with the kernel turned round, which
 * is the same sum of the same products. The parameter is that convolution's. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_conv2d.h"
#include "exchange/onnx/reader/onnx_fold.h"
#include "exchange/onnx/reader/onnx_remap.h"
#include "exchange/onnx/reader/onnx_window.h"

enum { MOST = 1 << 12 };

/* [I,O / groups,KH,KW] as [O,I / groups,KH,KW] turned round. */
static dt_ox_tensor *turned(dt_ox_walk *w, const dt_ox_tensor *t, int64_t groups)
{
    const int64_t I = t->dim[0] / groups, O = t->dim[1], K = t->dim[2] * t->dim[3];
    const int64_t dim[] = { O * groups, I, t->dim[2], t->dim[3] };
    dt_ox_tensor *to = dt_ox_make(w, false, 4, dim);
    for (int64_t k = 0; to && k < t->count; k++) {
        int64_t o = k / K % O, i = k / K / O, group = i / I;
        to->x[((group * O + o) * I + i % I) * K + K - 1 - k % K] = t->x[k];
    }
    return to;
}

/* Zeros in front of and behind rows and columns of the picture with zeros between, from which the
 * windows make what the node is said to give; by side, and rows below that come on top. */
static dt_status pads_of(dt_ox_walk *w, const dt_ox_value *v, const dt_ox_view *o, int64_t *pad)
{
    const int64_t *extra, *shape;
    int extras, shapes;
    const char *automatic = dt_ox_text(w->node, "auto_pad", "NOTSET");
    DT_TRY(dt_ox_list(w, "output_padding", -1, &extra, &extras));
    DT_TRY(dt_ox_list(w, "output_shape", -1, &shape, &shapes));
    if (*automatic && automatic[0] != 'N' && automatic[0] != 'V')
        return dt_ox_refuse(w, "auto_pad '%.40s' is not read", automatic);
    if (shapes >= 0 || (extras >= 0 && extras != 2))
        return dt_ox_refuse(w, "it has an output_shape, or no two numbers of output_padding");
    for (int i = 0; i < 2; i++) {
        int64_t reach = (int64_t)(o->kernel[i] - 1) * o->dilation[i];
        int64_t more = extras == 2 ? extra[i] : 0;
        pad[i] = reach - o->pad[i];
        pad[2 + i] = reach - o->pad[2 + i] + more;
        int64_t rows = (v->dim[2 + i] - 1) * o->stride[i] + 1 + pad[i] + pad[2 + i];
        if (more < 0 || more > MOST || o->pad[i] > MOST || rows <= reach || reach > MOST ||
            o->stride[i] > MOST)
            return dt_ox_refuse(w, "it gives nothing, or its window is wider than %d", MOST);
    }
    return DT_OK;
}

/* Zeros between and around. */
static dt_status spread(dt_ox_walk *w, const dt_ox_value *v, const dt_ox_view *o,
                        const int64_t *pad, dt_ox_value *out)
{
    dt_remap_axis rule[DT_OX_RANK] = { { 0 } };
    *out = *v;
    bool any = false;
    for (int i = 0; i < 2; i++) {
        int64_t size = (v->dim[2 + i] - 1) * o->stride[i] + 1 + pad[i] + pad[2 + i];
        if (size == v->dim[2 + i] && !pad[i]) continue;
        rule[2 + i] = (dt_remap_axis){ size, 1, -pad[i], o->stride[i], DT_REMAP_FILL };
        any = true;
    }
    return any ? dt_ox_remap(w, v, rule, dt_layer_name(w->b, "%s.spread", w->layer), out) : DT_OK;
}

static dt_status build(dt_ox_walk *w)
{
    static const int to_ohwi[] = { 0, 2, 3, 1 }, same[] = { 0 };
    const dt_ox_value *x;
    const dt_ox_tensor *weight, *bias;
    dt_ox_view o;
    dt_ox_value wide;
    int64_t groups = dt_ox_int(w->node, "group", 1), pad[4];
    DT_TRY(dt_ox_need_pixels(w, 0, &x));
    DT_TRY(dt_ox_reals(w, 1, &weight));
    DT_TRY(dt_ox_reals(w, 2, &bias));
    if (!weight || weight->rank != 4 || weight->count == 0 || !dt_ox_is_picture(w, x))
        return dt_ox_refuse(w, "its weight has no 4 dimensions, or its input is no picture");
    if (groups < 1 || weight->dim[0] % groups || weight->dim[0] != x->dim[1] ||
        (bias && (bias->rank != 1 || bias->count != weight->dim[1] * groups)))
        return dt_ox_refuse(w, "its groups or its bias do not fit its weight");
    DT_TRY(dt_ox_view_of(w, x, &weight->dim[2], &o));
    DT_TRY(pads_of(w, x, &o, pad));
    DT_TRY(spread(w, x, &o, pad, &wide));
    dt_ox_tensor *kernel = turned(w, weight, groups);
    DT_TRY(dt_ox_made(w, kernel));
    const dt_value of_kernel = { .kind = DT_VALUE_PARAM,
                                 .layout = DT_LAYOUT_OIHW,
                                 .init = DT_INIT_KAIMING,
                                 .fan_in = kernel->count / kernel->dim[0] };
    const dt_value shift = { .kind = DT_VALUE_PARAM, .role = DT_ROLE_BIAS };
    const dt_conv2d_conf conf = { .stride_h = 1,
                                  .stride_w = 1,
                                  .groups = (int)groups,
                                  .skip_h = o.dilation[0] - 1,
                                  .skip_w = o.dilation[1] - 1 };
    int in[3] = { wide.value };
    in[1] = dt_ox_param_of(w, w->layer, "weight", kernel, to_ohwi, 4, of_kernel);
    if (bias) in[2] = dt_ox_param_of(w, w->layer, "bias", bias, same, 1, shift);
    return dt_ox_set_picture(w, dt_part_node(w->b, "conv2d", w->layer, &conf, in, bias ? 3 : 2), 4);
}

const dt_ox_op dt_ox_op_ConvTranspose = {
    .name = "ConvTranspose", .in_min = 2, .in_max = 3, .build = build
};
