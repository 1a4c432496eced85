/* MobileNetV2 (Sandler, Howard, Zhu, Zhmoginov, Chen 2018, arXiv:1801.04381, table 2), with
 * torchvision's names. A block expands the channels by a 1x1 conv, filters each by itself, and
 * projects to few channels without a rectifier; it has a shortcut where the shape stays. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "layers/models.h"

enum { STEM_IMAGENET, STEM_CIFAR };
enum { STEM_CHANNELS = 32, LAST_CHANNELS = 1280, DIVISOR = 8 };

typedef struct conf {
    double width;
    int stem;
} conf;

static const dt_opt opts[] = {
    DT_OPT_FLOAT(conf, width, 1.0, 0.1, 4.0, "multiplies the channels of all layers"),
    DT_OPT_ENUM(conf, stem, STEM_IMAGENET, "imagenet|cifar",
                "cifar: stem and second stage keep the size, for pictures of 32x32"),
    DT_OPT_END,
};

/* Table 2: t, c, n, s. */
static const struct {
    int expansion, channels, blocks, stride;
} stages[] = {
    { 1, 16, 1, 1 }, { 6, 24, 2, 2 },  { 6, 32, 3, 2 },  { 6, 64, 4, 2 },
    { 6, 96, 3, 1 }, { 6, 160, 3, 2 }, { 6, 320, 1, 1 },
};

/* channels * width as a multiple of 8, and not less than nine tenths of it. */
static int64_t scaled(double channels, double width)
{
    double want = channels * width;
    int64_t n = (int64_t)floor(want + DIVISOR / 2.0) / DIVISOR * DIVISOR;
    if (n < DIVISOR) n = DIVISOR;
    return (double)n < 0.9 * want ? n + DIVISOR : n;
}

/* A conv, batch norm and ReLU6 called "<name>.0" and "<name>.1". */
static int conv_bn_relu(dt_builder *b, const char *name, dt_layer_role role, int x, int64_t out,
                        int kernel, int stride, bool depthwise)
{
    if (b->status != DT_OK || x < 0) return -1;
    int groups = depthwise ? (int)out : 1;
    x = dt_layer_conv2d(b, dt_layer_name(b, "%s.0", name), role, x, out, kernel, stride, kernel / 2,
                        groups);
    x = dt_layer_batchnorm(b, dt_layer_name(b, "%s.1", name), x);
    return dt_layer_relu6(b, dt_layer_name(b, "%s.2", name), x);
}

/* "features.<index>". */
static int block(dt_builder *b, int index, int x, int64_t out, int expansion, int stride)
{
    if (b->status != DT_OK || x < 0) return -1;
    const char *name = dt_layer_name(b, "features.%d", index);
    int64_t in = b->graph->value[x].shape.dim[3], hidden = in * expansion;
    bool adds = stride == 1 && in == out;
    if (adds) x = dt_layer_stream(b, dt_layer_name(b, "features.%d", index - 1), x);
    int y = x, part = 0;
    if (expansion != 1)
        y = conv_bn_relu(b, dt_layer_name(b, "%s.conv.%d", name, part++), DT_LAYER_BODY, y, hidden,
                         1, 1, false);
    y = conv_bn_relu(b, dt_layer_name(b, "%s.conv.%d", name, part++), DT_LAYER_BODY, y, hidden, 3,
                     stride, true);
    y = dt_layer_conv2d(b, dt_layer_name(b, "%s.conv.%d", name, part), DT_LAYER_BODY, y, out, 1, 1,
                        0, 1);
    y = dt_layer_batchnorm(b, dt_layer_name(b, "%s.conv.%d", name, part + 1), y);
    return adds ? dt_layer_add(b, name, y, x) : y;
}

static int build(dt_builder *b, const void *options, int classes, int x)
{
    const conf *c = options;
    bool small = c->stem == STEM_CIFAR;
    int count = 1;
    x = conv_bn_relu(b, "features.0", DT_LAYER_FIRST, x, scaled(STEM_CHANNELS, c->width), 3,
                     small ? 1 : 2, false);
    for (int stage = 0; stage < (int)DT_ARRAY_LEN(stages); stage++)
        for (int i = 0; i < stages[stage].blocks; i++, count++) {
            int stride = i > 0 || (small && stage == 1) ? 1 : stages[stage].stride;
            x = block(b, count, x, scaled(stages[stage].channels, c->width),
                      stages[stage].expansion, stride);
        }
    x = conv_bn_relu(b, dt_layer_name(b, "features.%d", count), DT_LAYER_BODY, x,
                     scaled(LAST_CHANNELS, c->width > 1 ? c->width : 1), 1, 1, false);
    x = dt_layer_gap(b, "avgpool", x);
    return dt_layer_linear(b, "classifier.1", DT_LAYER_LAST, x, classes);
}

const dt_model dt_model_mobilenet_v2 = {
    .row = { "mobilenet_v2", "Sandler 2018, arXiv:1801.04381, table 2", opts, sizeof(conf) },
    .build = build,
};
