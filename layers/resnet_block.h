/* The blocks that residual networks are made of (He, Zhang, Ren, Sun 2016, arXiv:1512.03385), under
 * torchvision's names. Functions return a value or -1, as those of builder.h. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_LAYERS_RESNET_BLOCK_H
#define DT_LAYERS_RESNET_BLOCK_H

#include "layers/builder.h"

/* Where a block changes the shape: zero channels (option A), or a 1x1 conv and batch norm (B). */
typedef enum dt_shortcut { DT_SHORTCUT_PAD, DT_SHORTCUT_CONV } dt_shortcut;

enum { DT_BOTTLENECK_EXPANSION = 4 };

/* x [N,H,W,C] -> [N,H/stride,W/stride,out]: two 3x3 convs, "<name>.conv1", ".bn1", ... */
int dt_block_basic(dt_builder *b, const char *name, dt_shortcut shortcut, int x, int64_t out,
                   int stride);
/* The same: 1x1 to out/4 channels, 3x3 with the stride, 1x1. */
int dt_block_bottleneck(dt_builder *b, const char *name, dt_shortcut shortcut, int x, int64_t out,
                        int stride);

#endif
