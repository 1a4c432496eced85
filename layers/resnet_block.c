/* Residual blocks. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/resnet_block.h"

/* "<block>.conv<which>" with its batch norm. */
static int conv_bn(dt_builder *b, const char *block, int which, int x, int64_t out, int kernel,
                   int stride)
{
    x = dt_layer_conv2d(b, dt_layer_name(b, "%s.conv%d", block, which), DT_LAYER_BODY, x, out,
                        kernel, stride, kernel / 2, 1);
    return dt_layer_batchnorm(b, dt_layer_name(b, "%s.bn%d", block, which), x);
}

static int relu(dt_builder *b, const char *block, int which, int x)
{
    return dt_layer_relu(b, dt_layer_name(b, "%s.relu%d", block, which), x);
}

static int skip_of(dt_builder *b, const char *block, dt_shortcut shortcut, int x, int64_t out,
                   int stride)
{
    if (b->status != DT_OK || x < 0) return -1;
    if (stride == 1 && b->graph->value[x].shape.dim[3] == out) return x;
    if (shortcut == DT_SHORTCUT_PAD)
        return dt_layer_pad_shortcut(b, dt_layer_name(b, "%s.shortcut", block), x, out, stride);
    x = dt_layer_conv2d(b, dt_layer_name(b, "%s.downsample.0", block), DT_LAYER_SHORTCUT, x, out, 1,
                        stride, 0, 1);
    return dt_layer_batchnorm(b, dt_layer_name(b, "%s.downsample.1", block), x);
}

int dt_block_basic(dt_builder *b, const char *name, dt_shortcut shortcut, int x, int64_t out,
                   int stride)
{
    int y = relu(b, name, 1, conv_bn(b, name, 1, x, out, 3, stride));
    y = conv_bn(b, name, 2, y, out, 3, 1);
    return dt_layer_residual(b, name, y, skip_of(b, name, shortcut, x, out, stride));
}

int dt_block_bottleneck(dt_builder *b, const char *name, dt_shortcut shortcut, int x, int64_t out,
                        int stride)
{
    int64_t width = out / DT_BOTTLENECK_EXPANSION;
    int y = relu(b, name, 1, conv_bn(b, name, 1, x, width, 1, 1));
    y = relu(b, name, 2, conv_bn(b, name, 2, y, width, 3, stride));
    y = conv_bn(b, name, 3, y, out, 1, 1);
    return dt_layer_residual(b, name, y, skip_of(b, name, shortcut, x, out, stride));
}
