/* Layers with weights: conv2d and linear, as torch.nn has them. Of rows, as gap gives them, a
 * convolution with a kernel of 1 is a linear layer. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_conv2d.h"
#include "layers/layer.h"
#include "layers/nodes.h"

enum { MOST = 1 << 16, WINDOW = 1 << 10 };

typedef struct conv_conf {
    int out, kernel, kernel_h, kernel_w, stride, stride_h, stride_w, pad, pad_h, pad_w;
    int more_h, more_w, dilation, dilation_h, dilation_w, groups;
    bool bias, same;
} conv_conf;

static const dt_opt conv_opts[] = {
    DT_OPT_INT(conv_conf, out, 0, 0, MOST, "output channels, or the word classes"),
    DT_OPT_INT(conv_conf, kernel, 1, 1, WINDOW, "rows and columns of the kernel"),
    DT_OPT_INT(conv_conf, kernel_h, 0, 0, WINDOW, "rows of it; 0: kernel"),
    DT_OPT_INT(conv_conf, kernel_w, 0, 0, WINDOW, "columns of it; 0: kernel"),
    DT_OPT_INT(conv_conf, stride, 1, 1, WINDOW, "pixels to the next window"),
    DT_OPT_INT(conv_conf, stride_h, 0, 0, WINDOW, "rows to it; 0: stride"),
    DT_OPT_INT(conv_conf, stride_w, 0, 0, WINDOW, "columns to it; 0: stride"),
    DT_OPT_INT(conv_conf, pad, 0, 0, WINDOW, "zeros on every side"),
    DT_OPT_INT(conv_conf, pad_h, -1, -1, WINDOW, "above and below; -1: pad"),
    DT_OPT_INT(conv_conf, pad_w, -1, -1, WINDOW, "left and right; -1: pad"),
    DT_OPT_INT(conv_conf, more_h, 0, -WINDOW, WINDOW, "below, beyond those above"),
    DT_OPT_INT(conv_conf, more_w, 0, -WINDOW, WINDOW, "right, beyond those left"),
    DT_OPT_INT(conv_conf, dilation, 1, 1, WINDOW, "pixels from a tap to the next"),
    DT_OPT_INT(conv_conf, dilation_h, 0, 0, WINDOW, "rows to it; 0: dilation"),
    DT_OPT_INT(conv_conf, dilation_w, 0, 0, WINDOW, "columns to it; 0: dilation"),
    DT_OPT_BOOL(conv_conf, same, false,
                "as many outputs as the stride makes of the inputs, an odd zero below and right"),
    DT_OPT_INT(conv_conf, groups, 1, 1, MOST, "of channels, each by itself"),
    DT_OPT_BOOL(conv_conf, bias, true, "adds a number for each output channel"),
    DT_OPT_END,
};

typedef struct linear_conf {
    int out;
    bool bias;
} linear_conf;

static const dt_opt linear_opts[] = {
    DT_OPT_INT(linear_conf, out, 0, 0, MOST, "outputs, or the word classes"),
    DT_OPT_BOOL(linear_conf, bias, true, "adds a number for each output"),
    DT_OPT_END,
};

static int refuse(dt_builder *b, const char *name, const char *why)
{
    return dt_builder_fail(b, dt_fail(b->err, DT_ERR_SHAPE, &(dt_where){ .key = name }, "%s", why));
}

/* [out], within 1 / sqrt(fan_in) as the weight. */
static int bias_of(dt_builder *b, const char *name, int64_t out, int64_t fan_in)
{
    return dt_part_value(b, name, "bias",
                         (dt_value){ .kind = DT_VALUE_PARAM,
                                     .shape = DT_SHAPE(out),
                                     .role = DT_ROLE_BIAS,
                                     .init = DT_INIT_UNIFORM,
                                     .fan_in = fan_in });
}

/* Zeros in front of and behind `in` pixels for ceil(in / stride) windows. */
static void same_pads(int64_t in, int kernel, int stride, int *out_before, int *out_more)
{
    int64_t count = (in + stride - 1) / stride, all = (count - 1) * stride + kernel - in;
    if (all < 0) all = 0;
    *out_before = (int)(all / 2);
    *out_more = (int)(all - 2 * (all / 2));
}

static int build_linear(dt_builder *b, const char *name, const void *conf, const int *in,
                        int in_count)
{
    const linear_conf *c = conf;
    const dt_shape *x = &b->graph->value[in[0]].shape;
    int64_t fan_in = x->dim[x->rank - 1];
    (void)in_count;
    int w = dt_part_value(b, name, "weight",
                          (dt_value){ .kind = DT_VALUE_PARAM,
                                      .shape = DT_SHAPE(c->out, fan_in),
                                      .init = DT_INIT_UNIFORM,
                                      .fan_in = fan_in });
    const int inputs[] = { in[0], w, c->bias ? bias_of(b, name, c->out, fan_in) : -1 };
    return dt_part_node(b, "linear", name, NULL, inputs, c->bias ? 3 : 2);
}

static int build_conv(dt_builder *b, const char *name, const void *conf, const int *in,
                      int in_count)
{
    const conv_conf *c = conf;
    const dt_shape *x = &b->graph->value[in[0]].shape;
    int kh = c->kernel_h ? c->kernel_h : c->kernel, kw = c->kernel_w ? c->kernel_w : c->kernel;
    dt_conv2d_conf o = { .stride_h = c->stride_h ? c->stride_h : c->stride,
                         .stride_w = c->stride_w ? c->stride_w : c->stride,
                         .pad_h = c->pad_h >= 0 ? c->pad_h : c->pad,
                         .pad_w = c->pad_w >= 0 ? c->pad_w : c->pad,
                         .groups = c->groups,
                         .more_h = c->more_h,
                         .more_w = c->more_w,
                         .skip_h = (c->dilation_h ? c->dilation_h : c->dilation) - 1,
                         .skip_w = (c->dilation_w ? c->dilation_w : c->dilation) - 1 };
    bool pixel = x->rank == 2 && kh == 1 && kw == 1 && c->groups == 1;
    if (pixel) return build_linear(b, name, &(linear_conf){ c->out, c->bias }, in, in_count);
    if (x->rank != 4)
        return refuse(b, name, "takes pictures [N,H,W,C], or rows with a kernel of 1");
    if (x->dim[3] % c->groups || c->out % c->groups)
        return refuse(b, name, "has groups that do not divide its channels");
    if (c->same) {
        same_pads(x->dim[1], kh + (kh - 1) * o.skip_h, o.stride_h, &o.pad_h, &o.more_h);
        same_pads(x->dim[2], kw + (kw - 1) * o.skip_w, o.stride_w, &o.pad_w, &o.more_w);
    }
    int64_t each = x->dim[3] / c->groups, fan_in = each * kh * kw;
    int w = dt_part_value(b, name, "weight",
                          (dt_value){ .kind = DT_VALUE_PARAM,
                                      .shape = DT_SHAPE(c->out, kh, kw, each),
                                      .layout = DT_LAYOUT_OIHW,
                                      .init = DT_INIT_UNIFORM,
                                      .fan_in = fan_in });
    const int inputs[] = { in[0], w, c->bias ? bias_of(b, name, c->out, fan_in) : -1 };
    return dt_part_node(b, "conv2d", name, &o, inputs, c->bias ? 3 : 2);
}

const dt_layer dt_layer_row_conv2d = {
    .row = { "conv2d", "convolution of pictures", conv_opts, sizeof(conv_conf) },
    .in_min = 1,
    .in_max = 1,
    .build = build_conv,
};
const dt_layer dt_layer_row_linear = {
    .row = { "linear", "product of rows with a weight", linear_opts, sizeof(linear_conf) },
    .in_min = 1,
    .in_max = 1,
    .build = build_linear,
};
