/* A small plain CNN for 32x32 pictures: five 3x3 convs with batch norm and ReLU (the second and the
 * fourth halve the picture), global average pool, linear. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/models.h"

typedef struct conf {
    int width;
} conf;

static const dt_opt opts[] = {
    DT_OPT_INT(conf, width, 16, 1, 512,
               "channels of the first conv; later ones have 2 and 4 times"),
    DT_OPT_END,
};

static int build(dt_builder *b, const void *options, int classes, int x)
{
    const conf *c = options;
    static const struct {
        int width, stride;
    } layer[] = { { 1, 1 }, { 2, 2 }, { 2, 1 }, { 4, 2 }, { 4, 1 } };
    for (int i = 0; i < (int)DT_ARRAY_LEN(layer); i++) {
        x = dt_layer_conv2d(b, dt_layer_name(b, "conv%d", i + 1),
                            i ? DT_LAYER_BODY : DT_LAYER_FIRST, x,
                            (int64_t)c->width * layer[i].width, 3, layer[i].stride, 1, 1);
        x = dt_layer_batchnorm(b, dt_layer_name(b, "bn%d", i + 1), x);
        x = dt_layer_relu(b, dt_layer_name(b, "relu%d", i + 1), x);
    }
    x = dt_layer_gap(b, "avgpool", x);
    return dt_layer_linear(b, "fc", DT_LAYER_LAST, x, classes);
}

const dt_model dt_model_smallcnn = {
    .row = { "smallcnn", "five 3x3 convs, for the quickstart and tests", opts, sizeof(conf) },
    .build = build,
};
