/* ResNet for 32x32 pictures (He, Zhang, Ren, Sun 2016, arXiv:1512.03385, section 4.2): a 3x3 conv,
 * three stages of n blocks with 16, 32 and 64 channels, global average pool, linear; 6n+2 layers.
 * Shortcuts between stages are subsampling with zero channels (the paper's option A), or a 1x1 conv
 * with batch norm. Parameter names are torchvision's; the head is called `linear` or `fc`, as both
 * are in use for these nets. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/models.h"

enum { SHORTCUT_PAD, SHORTCUT_CONV };
enum { HEAD_LINEAR, HEAD_FC };

typedef struct conf {
    int shortcut, head;
} conf;

static const dt_opt opts[] = {
    DT_OPT_ENUM(conf, shortcut, SHORTCUT_PAD, "pad|conv",
                "between stages: zero channels (option A) or 1x1 conv and batch norm"),
    DT_OPT_ENUM(conf, head, HEAD_LINEAR, "linear|fc", "name of the last layer"),
    DT_OPT_END,
};

static int conv_bn(dt_builder *b, const char *block, int which, int x, int64_t out, int stride)
{
    x = dt_layer_conv2d(b, dt_layer_name(b, "%s.conv%d", block, which), DT_LAYER_BODY, x, out, 3,
                        stride, 1, 1);
    return dt_layer_batchnorm(b, dt_layer_name(b, "%s.bn%d", block, which), x);
}

static int shortcut(dt_builder *b, const conf *c, const char *block, int x, int64_t out, int stride)
{
    if (c->shortcut == SHORTCUT_PAD)
        return dt_layer_pad_shortcut(b, dt_layer_name(b, "%s.shortcut", block), x, out, stride);
    x = dt_layer_conv2d(b, dt_layer_name(b, "%s.downsample.0", block), DT_LAYER_SHORTCUT, x, out, 1,
                        stride, 0, 1);
    return dt_layer_batchnorm(b, dt_layer_name(b, "%s.downsample.1", block), x);
}

static int block(dt_builder *b, const conf *c, const char *name, int x, int64_t out, int stride)
{
    int y = conv_bn(b, name, 1, x, out, stride);
    y = dt_layer_relu(b, dt_layer_name(b, "%s.relu1", name), y);
    y = conv_bn(b, name, 2, y, out, 1);
    int skip = stride == 1 ? x : shortcut(b, c, name, x, out, stride);
    return dt_layer_residual(b, name, y, skip);
}

static int build(dt_builder *b, const void *options, int classes, int x, int blocks)
{
    const conf *c = options;
    x = dt_layer_conv2d(b, "conv1", DT_LAYER_FIRST, x, 16, 3, 1, 1, 1);
    x = dt_layer_relu(b, "relu", dt_layer_batchnorm(b, "bn1", x));
    x = dt_layer_stream(b, "stem", x);
    for (int stage = 0; stage < 3; stage++)
        for (int i = 0; i < blocks; i++)
            x = block(b, c, dt_layer_name(b, "layer%d.%d", stage + 1, i), x, 16 << stage,
                      stage > 0 && i == 0 ? 2 : 1);
    x = dt_layer_gap(b, "avgpool", x);
    return dt_layer_linear(b, c->head == HEAD_FC ? "fc" : "linear", DT_LAYER_LAST, x, classes);
}

#define RESNET(layers)                                                                             \
    static int build##layers(dt_builder *b, const void *c, int classes, int x)                     \
    {                                                                                              \
        return build(b, c, classes, x, ((layers)-2) / 6);                                          \
    }                                                                                              \
    const dt_model dt_model_resnet##layers = {                                                     \
        .row = { "resnet" #layers, "He 2016, arXiv:1512.03385, section 4.2", opts, sizeof(conf) }, \
        .build = build##layers,                                                                    \
    }

RESNET(20);
RESNET(32);
RESNET(44);
RESNET(56);
