/* ResNet for 32x32 pictures (He, Zhang, Ren, Sun 2016, arXiv:1512.03385, section 4.2): a 3x3 conv,
 * three stages of n blocks with 16, 32 and 64 channels, global average pool, linear; 6n+2 layers.
 * Shortcuts between stages are subsampling with zero channels (the paper's option A), or a 1x1 conv
 * with batch norm. Parameter names are torchvision's; the head is called `linear` or `fc`, as both
 * are in use for these nets. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/models.h"
#include "layers/resnet_block.h"

enum { HEAD_LINEAR, HEAD_FC };

typedef struct conf {
    int shortcut, head;
} conf;

static const dt_opt opts[] = {
    DT_OPT_ENUM(conf, shortcut, DT_SHORTCUT_PAD, "pad|conv",
                "between stages: zero channels (option A) or 1x1 conv and batch norm"),
    DT_OPT_ENUM(conf, head, HEAD_LINEAR, "linear|fc", "name of the last layer"),
    DT_OPT_END,
};

static int build(dt_builder *b, const void *options, int classes, int x, int blocks)
{
    const conf *c = options;
    x = dt_layer_conv2d(b, "conv1", DT_LAYER_FIRST, x, 16, 3, 1, 1, 1);
    x = dt_layer_relu(b, "relu", dt_layer_batchnorm(b, "bn1", x));
    x = dt_layer_stream(b, "stem", x);
    for (int stage = 0; stage < 3; stage++)
        for (int i = 0; i < blocks; i++)
            x = dt_block_basic(b, dt_layer_name(b, "layer%d.%d", stage + 1, i),
                               (dt_shortcut)c->shortcut, x, 16 << stage,
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
