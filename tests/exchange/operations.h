/* Small nets around one operation each: the rows of docs/operators.md. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TESTS_EXCHANGE_OPERATIONS_H
#define DT_TESTS_EXCHANGE_OPERATIONS_H

#include "autograd/op_arrange.h"
#include "autograd/op_avgpool.h"
#include "autograd/op_conv2d.h"
#include "autograd/op_gelu.h"
#include "autograd/op_groupnorm.h"
#include "autograd/op_hard.h"
#include "autograd/op_layernorm.h"
#include "autograd/op_maxpool.h"
#include "autograd/op_powers.h"
#include "autograd/op_remap.h"
#include "autograd/op_resample.h"
#include "layers/models.h"
#include "layers/nodes.h"

/* A net: a conv, what `add` adds, mean over the pixels, linear. */
typedef struct operation {
    const char *name;                 /* of the operation that it is about */
    int (*add)(dt_builder *b, int x); /* NULL: a node of that name */
    const void *conf;
} operation;

static inline int operation_node(dt_builder *b, const char *op, const void *conf, int x)
{
    return dt_part_node(b, op, "op", conf, &x, 1);
}

static const dt_affine_conf operation_affine = { -0.8, 0.3 };
static const dt_power_conf operation_power = { 3 };
static const dt_clip_conf operation_clip = { -0.4, 0.7 };
static const dt_elu_conf operation_elu = { 0.8 };
static const dt_gelu_conf operation_gelu = { false };
static const dt_hard_sigmoid_conf operation_hard_sigmoid = { 1.0 / 6, 0.5 };
static const dt_leaky_relu_conf operation_leaky_relu = { 0.1 };
static const dt_resample_conf operation_resample = { 24, 18, DT_RESAMPLE_CENTERS, false, 0 };

/* A conv within limits, the value that it reads, a function: three inputs of one grid, which has
 * codes below 0, then a table. */
static inline int operation_concat(dt_builder *b, int x)
{
    x = dt_layer_stream(b, "stem", dt_layer_relu(b, "relu", x));
    int y = dt_layer_conv2d(b, "branch", DT_LAYER_BODY, x, 5, 3, 1, 1, 1);
    y = dt_layer_relu6(b, "branch_relu", y);
    int z = operation_node(b, "silu", NULL, x);
    y = dt_part_node(b, "concat", "joined", NULL, (int[]){ y, x, z }, 3);
    y = dt_layer_conv2d(b, "behind", DT_LAYER_BODY, y, 6, 1, 1, 0, 1);
    return dt_layer_residual(b, "block", dt_layer_batchnorm(b, "behind_norm", y), x);
}

/* Squeeze and excitation, and two pictures. */
static inline int operation_mul(dt_builder *b, int x)
{
    x = dt_layer_stream(b, "stem", dt_layer_relu(b, "relu", x));
    int s = dt_layer_linear(b, "squeeze", DT_LAYER_BODY, dt_layer_gap(b, "squeeze_pool", x), 3);
    s = dt_layer_linear(b, "excite", DT_LAYER_BODY, dt_layer_relu(b, "squeeze_relu", s), 6);
    s = operation_node(b, "sigmoid", NULL, s);
    int y = dt_part_node(b, "mul", "scale", NULL, (int[]){ x, s }, 2);
    y = dt_layer_conv2d(b, "behind", DT_LAYER_BODY, y, 6, 1, 1, 0, 1);
    return dt_part_node(b, "mul", "pair", NULL, (int[]){ y, x }, 2);
}

/* A parameter for each channel. */
static inline int operation_channels(dt_builder *b, const char *op, int x)
{
    int64_t C = b->graph->value[x].shape.dim[3];
    int each = dt_part_value(b, "op", "each",
                             (dt_value){ .kind = DT_VALUE_PARAM,
                                         .shape = DT_SHAPE(C),
                                         .role = DT_ROLE_BIAS,
                                         .init = DT_INIT_SMALL });
    return dt_part_node(b, op, "op", NULL, (int[]){ x, each }, 2);
}

static inline int operation_prelu(dt_builder *b, int x)
{
    return operation_channels(b, "prelu", x);
}

static inline int operation_scale(dt_builder *b, int x)
{
    return operation_channels(b, "scale", x);
}

static inline int operation_shift(dt_builder *b, int x)
{
    return operation_channels(b, "shift", x);
}

/* A norm with a factor and a shift for each channel. */
static inline int operation_norm(dt_builder *b, const char *op, const void *conf, int x)
{
    const int64_t C = b->graph->value[x].shape.dim[3];
    const dt_value each = {
        .kind = DT_VALUE_PARAM, .shape = DT_SHAPE(C), .role = DT_ROLE_NORM, .init = DT_INIT_ONE
    };
    int gamma = dt_part_value(b, "op", "weight", each), beta = dt_part_value(b, "op", "bias", each);
    return dt_part_node(b, op, "op", conf, (int[]){ x, gamma, beta }, 3);
}

static inline int operation_groupnorm(dt_builder *b, int x)
{
    return operation_norm(b, "groupnorm", &(dt_groupnorm_conf){ 2, 1e-5 }, x);
}

static inline int operation_layernorm(dt_builder *b, int x)
{
    return operation_norm(b, "layernorm", &(dt_layernorm_conf){ 1e-5 }, x);
}

/* Filters whose taps lie apart: of all channels, of groups, of each channel. */
static inline int operation_dilated(dt_builder *b, int x)
{
    static const dt_conv2d_conf conf[] = {
        { 1, 1, 2, 3, 1, .skip_h = 1, .skip_w = 2 },
        { 2, 2, 2, 2, 2, .more_h = 1, .skip_h = 1, .skip_w = 1 },
        { 1, 1, 1, 1, 6, .skip_h = 2, .skip_w = 0 },
    };
    static const char *const names[] = { "whole", "grouped", "op" }, *const relus[] = {
        "relu", "whole_relu", "grouped_relu"
    };
    for (int i = 0; i < 3; i++) {
        const dt_value w = { .kind = DT_VALUE_PARAM,
                             .shape = DT_SHAPE(6, 3, 3, 6 / conf[i].groups),
                             .layout = DT_LAYOUT_OIHW,
                             .init = DT_INIT_KAIMING,
                             .fan_in = 9 * (6 / conf[i].groups) };
        x = dt_layer_relu(b, relus[i], x);
        x = dt_part_node(b, "conv2d", names[i], &conf[i],
                         (int[]){ x, dt_part_value(b, names[i], "weight", w) }, 2);
    }
    return x;
}

/* A ReLU, and what is in every net: conv, batch norm, mean, linear. */
static inline int operation_always(dt_builder *b, int x)
{
    return dt_layer_relu(b, "relu", x);
}

/* Norms of what is no product's: of a stream, and of values beside each other. */
static inline int operation_norm_alone(dt_builder *b, int x)
{
    x = dt_layer_stream(b, "stem", dt_layer_relu(b, "relu", x));
    int y = dt_layer_relu(b, "op_relu", dt_layer_batchnorm(b, "op", x));
    y = dt_layer_conv2d(b, "branch", DT_LAYER_BODY, y, 5, 3, 1, 1, 1);
    y = dt_part_node(b, "concat", "joined", NULL, (int[]){ y, x }, 2);
    return dt_layer_batchnorm(b, "joined_norm", y);
}

static inline int operation_add(dt_builder *b, int x)
{
    x = dt_layer_stream(b, "stem", dt_layer_relu(b, "relu", x));
    int y = dt_layer_conv2d(b, "branch", DT_LAYER_BODY, x, 6, 3, 1, 1, 1);
    return dt_layer_residual(b, "block", dt_layer_batchnorm(b, "branch_norm", y), x);
}

static inline int operation_maxpool(dt_builder *b, int x)
{
    const dt_maxpool_conf sided = { { 2, 3, 1, 2, 0, 2, 1, -1 } };
    x = dt_layer_maxpool(b, "square", dt_layer_relu(b, "relu", x), 3, 2, 1);
    return operation_node(b, "maxpool", &sided, x);
}

static inline int operation_pad_channels(dt_builder *b, int x)
{
    x = dt_layer_stream(b, "stem", dt_layer_relu(b, "relu", x));
    int y = dt_layer_conv2d(b, "branch", DT_LAYER_BODY, x, 9, 3, 2, 1, 1);
    return dt_layer_add(b, "sum", y, dt_layer_pad_shortcut(b, "op", x, 9, 2));
}

static inline int operation_sqrt(dt_builder *b, int x)
{
    return operation_node(b, "sqrt", NULL, dt_layer_relu(b, "relu", x));
}

static inline int operation_gelu_tanh(dt_builder *b, int x)
{
    return operation_node(b, "gelu", &(dt_gelu_conf){ true }, x);
}

/* Windows that halve the picture, then some with padding that counts. */
static inline int operation_avgpool(dt_builder *b, int x)
{
    const dt_avgpool_conf half = { .window = { 2, 2, 2, 2, 0, 0, 0, 0 } };
    const dt_avgpool_conf padded = { { 3, 3, 1, 1, 1, 1, 0, 0 }, .count_pad = true };
    x = dt_part_node(b, "avgpool", "half", &half, (int[]){ dt_layer_relu(b, "relu", x) }, 1);
    return operation_node(b, "avgpool", &padded, x);
}

static inline int operation_avgpool_uneven(dt_builder *b, int x)
{
    const dt_avgpool_conf uneven = { .window = { 3, 3, 1, 1, 1, 1, 0, 0 } };
    return operation_node(b, "avgpool", &uneven, dt_layer_relu(b, "relu", x));
}

/* Half of the channels, a shuffle of all of them, every second row, column and channel; put
 * together they are rows in the order of other tools, and what a linear layer makes of them is a
 * pixel. */
static inline int operation_arrange(dt_builder *b, int x)
{
    const dt_arrange_conf half = {
        4, 3, { 0, 0, 0, 3 }, { { 1, 1, 12, 1 }, { 2, 2, 12, 1 }, { 3, 3, 3, 1 } }
    };
    const dt_arrange_conf shuffled = {
        4, 4, { 0 }, { { 1, 1, 12, 1 }, { 2, 2, 12, 1 }, { 3, 3, 3, 1 }, { 3, 3, 2, 3 } }
    };
    const dt_arrange_conf second = {
        4, 3, { 0, 1, 0, 1 }, { { 1, 1, 6, 2 }, { 2, 2, 6, 2 }, { 3, 3, 3, 2 } }
    };
    const dt_arrange_conf flat = {
        2, 3, { 0 }, { { 3, 1, 15, 1 }, { 1, 1, 6, 1 }, { 2, 1, 6, 1 } }
    };
    const dt_arrange_conf pixel = { 4, 1, { 0 }, { { 1, 3, 8, 1 } } };
    x = dt_layer_stream(b, "stem", dt_layer_relu(b, "relu", x));
    int y = dt_part_node(b, "arrange", "half", &half, &x, 1);
    y = dt_layer_conv2d(b, "branch", DT_LAYER_BODY, y, 6, 3, 1, 1, 1);
    int z = dt_part_node(b, "arrange", "shuffled", &shuffled, &x, 1);
    y = dt_part_node(b, "concat", "joined", NULL, (int[]){ y, z }, 2);
    y = dt_layer_maxpool(b, "pooled", y, 2, 2, 0);
    z = dt_part_node(b, "arrange", "second", &second, &x, 1);
    y = dt_part_node(b, "concat", "all", NULL, (int[]){ y, z }, 2);
    y = dt_layer_linear(b, "rows", DT_LAYER_BODY, dt_part_node(b, "arrange", "flat", &flat, &y, 1),
                        8);
    return dt_part_node(b, "arrange", "pixel", &pixel, &y, 1);
}

/* Zeros around; twice as large; a mirror, a roll and channels turned round; 7 rows of 18;
 * zeros between, as a transposed convolution has them: of values below 0, whose codes move. */
static inline int operation_remap(dt_builder *b, int x)
{
    const dt_remap_conf padded = {
        { { 0 }, { 15, 1, -1, 1, 0 }, { 16, 1, -2, 1, 0 }, { 8, 1, -1, 1, 0 } }
    };
    const dt_remap_conf doubled = { { { 0 }, { 16, 1, 0, 2, 1 }, { 16, 1, 0, 2, 1 } } };
    const dt_remap_conf moved = { { { 0 },
                                    { 18, 1, -1, 1, DT_REMAP_REFLECT },
                                    { 16, 1, 3, 1, DT_REMAP_WRAP },
                                    { 6, -1, 5, 1, 0 } } };
    const dt_remap_conf spread = { { { 0 }, { 15, 1, -1, 2, 0 }, { 17, 1, 0, 2, 0 } } };
    const dt_remap_conf fewer = {
        { { 0 }, { 7, 18, 0, 7, DT_REMAP_EDGE }, { 9, 1, -1, 1, DT_REMAP_EDGE } }
    };
    x = dt_layer_stream(b, "stem", dt_layer_relu(b, "relu", x));
    int y = dt_part_node(b, "remap", "padded", &padded, &x, 1);
    y = dt_layer_conv2d(b, "branch", DT_LAYER_BODY, y, 6, 3, 2, 1, 1);
    y = dt_part_node(b, "remap", "doubled", &doubled, &y, 1);
    y = operation_node(b, "remap", &moved, dt_layer_relu6(b, "branch_relu", y));
    y = dt_part_node(b, "remap", "fewer", &fewer, &y, 1);
    y = dt_part_node(b, "remap", "spread", &spread, &y, 1);
    return dt_layer_conv2d(b, "behind", DT_LAYER_BODY, y, 5, 3, 1, 1, 1);
}

static const operation operations[] = {
    { "abs", NULL, NULL },
    { "add", operation_add, NULL },
    { "affine", NULL, &operation_affine },
    { "arrange", operation_arrange, NULL },
    { "avgpool", operation_avgpool, NULL },
    { "avgpool, padding left out", operation_avgpool_uneven, NULL },
    { "batchnorm", operation_always, NULL },
    { "batchnorm, alone", operation_norm_alone, NULL },
    { "clip", NULL, &operation_clip },
    { "concat", operation_concat, NULL },
    { "conv2d", operation_always, NULL },
    { "conv2d, dilated", operation_dilated, NULL },
    { "elu", NULL, &operation_elu },
    { "exp", NULL, NULL },
    { "gap", operation_always, NULL },
    { "gelu", NULL, &operation_gelu },
    { "gelu, by tanh", operation_gelu_tanh, NULL },
    { "groupnorm", operation_groupnorm, NULL },
    { "hard_sigmoid", NULL, &operation_hard_sigmoid },
    { "hard_swish", NULL, NULL },
    { "layernorm", operation_layernorm, NULL },
    { "leaky_relu", NULL, &operation_leaky_relu },
    { "linear", operation_always, NULL },
    { "maxpool", operation_maxpool, NULL },
    { "mish", NULL, NULL },
    { "mul", operation_mul, NULL },
    { "neg", NULL, NULL },
    { "pad_channels", operation_pad_channels, NULL },
    { "power", NULL, &operation_power },
    { "prelu", operation_prelu, NULL },
    { "relu", NULL, NULL },
    { "relu6", NULL, NULL },
    { "remap", operation_remap, NULL },
    { "resample", NULL, &operation_resample },
    { "scale", operation_scale, NULL },
    { "shift", operation_shift, NULL },
    { "sigmoid", NULL, NULL },
    { "silu", NULL, NULL },
    { "softplus", NULL, NULL },
    { "sqrt", operation_sqrt, NULL },
    { "tanh", NULL, NULL },
};

static const operation *operation_current; /* of the net that is built */

static inline int operation_build(dt_builder *b, const void *conf, int classes, int x)
{
    (void)conf;
    x = dt_layer_conv2d(b, "first", DT_LAYER_FIRST, x, 6, 3, 1, 1, 1);
    x = dt_layer_batchnorm(b, "first_norm", x);
    x = operation_current->add
            ? operation_current->add(b, x)
            : operation_node(b, operation_current->name, operation_current->conf, x);
    x = dt_layer_gap(b, "pool", x);
    return dt_layer_linear(b, "fc", DT_LAYER_LAST, x, classes);
}
static const dt_model operation_model = { .row = { "operators", "for tests", NULL, 0 },
                                          .build = operation_build };

#endif
