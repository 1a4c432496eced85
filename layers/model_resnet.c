/* ResNet for photographs (He, Zhang, Ren, Sun 2016, arXiv:1512.03385, section 4.1, table 1), with
 * torchvision's names. As there, a bottleneck's stride is that of its 3x3 conv, not of its first
 * 1x1 conv as in the paper. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/models.h"
#include "layers/resnet_block.h"

enum { STEM_IMAGENET, STEM_CIFAR };

typedef struct conf {
    int stem;
} conf;

static const dt_opt opts[] = {
    DT_OPT_ENUM(conf, stem, STEM_IMAGENET, "imagenet|cifar",
                "7x7 conv of stride 2 and max pooling, or a 3x3 conv for pictures of 32x32"),
    DT_OPT_END,
};

typedef struct net {
    int blocks[4]; /* of the stages with 64, 128, 256 and 512 channels */
    bool bottleneck;
} net;

static int stem(dt_builder *b, const conf *c, int x)
{
    bool small = c->stem == STEM_CIFAR;
    x = dt_layer_conv2d(b, "conv1", DT_LAYER_FIRST, x, 64, small ? 3 : 7, small ? 1 : 2,
                        small ? 1 : 3, 1);
    x = dt_layer_relu(b, "relu", dt_layer_batchnorm(b, "bn1", x));
    x = dt_layer_stream(b, "stem", x);
    return small ? x : dt_layer_maxpool(b, "maxpool", x, 3, 2, 1);
}

static int build(dt_builder *b, const void *options, const net *n, int classes, int x)
{
    x = stem(b, options, x);
    for (int stage = 0; stage < (int)DT_ARRAY_LEN(n->blocks); stage++)
        for (int i = 0; i < n->blocks[stage]; i++) {
            const char *name = dt_layer_name(b, "layer%d.%d", stage + 1, i);
            int stride = stage > 0 && i == 0 ? 2 : 1;
            int64_t width = (int64_t)64 << stage;
            x = n->bottleneck ? dt_block_bottleneck(b, name, DT_SHORTCUT_CONV, x,
                                                    DT_BOTTLENECK_EXPANSION * width, stride)
                              : dt_block_basic(b, name, DT_SHORTCUT_CONV, x, width, stride);
        }
    x = dt_layer_gap(b, "avgpool", x);
    return dt_layer_linear(b, "fc", DT_LAYER_LAST, x, classes);
}

static const net net18 = { { 2, 2, 2, 2 }, false }, net34 = { { 3, 4, 6, 3 }, false },
                 net50 = { { 3, 4, 6, 3 }, true };

#define RESNET(layers)                                                                             \
    static int build##layers(dt_builder *b, const void *c, int classes, int x)                     \
    {                                                                                              \
        return build(b, c, &net##layers, classes, x);                                              \
    }                                                                                              \
    const dt_model dt_model_resnet##layers = {                                                     \
        .row = { "resnet" #layers, "He 2016, arXiv:1512.03385, table 1", opts, sizeof(conf) },     \
        .build = build##layers,                                                                    \
    }

RESNET(18);
RESNET(34);
RESNET(50);
