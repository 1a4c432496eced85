/* Convolution, AVX2 and FMA: 16 vector registers, so 6 x 2 and 12 x 1 accumulators. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/conv_tile.h"

FORWARD_TILE(block_1x1, narrow_1x1, 1, 1)
FORWARD_TILE(block_2x1, narrow_2x1, 2, 1)
FORWARD_TILE(block_3x1, narrow_3x1, 3, 1)
FORWARD_TILE(block_4x1, narrow_4x1, 4, 1)
FORWARD_TILE(block_5x1, narrow_5x1, 5, 1)
FORWARD_TILE(block_6x1, narrow_6x1, 6, 1)
FORWARD_TILE(block_7x1, narrow_7x1, 7, 1)
FORWARD_TILE(block_8x1, narrow_8x1, 8, 1)
FORWARD_TILE(block_9x1, narrow_9x1, 9, 1)
FORWARD_TILE(block_10x1, narrow_10x1, 10, 1)
FORWARD_TILE(block_11x1, narrow_11x1, 11, 1)
FORWARD_TILE(block_12x1, narrow_12x1, 12, 1)
FORWARD_TILE(block_1x2, narrow_1x2, 1, 2)
FORWARD_TILE(block_2x2, narrow_2x2, 2, 2)
FORWARD_TILE(block_3x2, narrow_3x2, 3, 2)
FORWARD_TILE(block_4x2, narrow_4x2, 4, 2)
FORWARD_TILE(block_5x2, narrow_5x2, 5, 2)
FORWARD_TILE(block_6x2, narrow_6x2, 6, 2)
WEIGHT_TILE(weight_1x1, 1, 1)
WEIGHT_TILE(weight_2x1, 2, 1)
WEIGHT_TILE(weight_3x1, 3, 1)
WEIGHT_TILE(weight_4x1, 4, 1)
WEIGHT_TILE(weight_5x1, 5, 1)
WEIGHT_TILE(weight_6x1, 6, 1)
WEIGHT_TILE(weight_7x1, 7, 1)
WEIGHT_TILE(weight_8x1, 8, 1)
WEIGHT_TILE(weight_9x1, 9, 1)
WEIGHT_TILE(weight_10x1, 10, 1)
WEIGHT_TILE(weight_11x1, 11, 1)
WEIGHT_TILE(weight_12x1, 12, 1)
WEIGHT_TILE(weight_1x2, 1, 2)
WEIGHT_TILE(weight_2x2, 2, 2)
WEIGHT_TILE(weight_3x2, 3, 2)
WEIGHT_TILE(weight_4x2, 4, 2)
WEIGHT_TILE(weight_5x2, 5, 2)
WEIGHT_TILE(weight_6x2, 6, 2)
DEPTH_TILE(depth_1, 1)
DEPTH_TILE(depth_2, 2)
DEPTH_TILE(depth_3, 3)
DEPTH_TILE(depth_4, 4)
DEPTH_TILE(depth_5, 5)
DEPTH_TILE(depth_6, 6)
DEPTH_WEIGHT_TILE(depth_weight_1, 1)
DEPTH_WEIGHT_TILE(depth_weight_2, 2)
DEPTH_WEIGHT_TILE(depth_weight_3, 3)
DEPTH_WEIGHT_TILE(depth_weight_4, 4)
DEPTH_WEIGHT_TILE(depth_weight_5, 5)
DEPTH_WEIGHT_TILE(depth_weight_6, 6)

static const dt_conv_tiles tiles = {
    .vec = VEC,
    .max_pixels = { 12, 6 },
    .max_inputs = { 12, 6 },
    .block = {
        { block_1x1, block_2x1, block_3x1, block_4x1, block_5x1, block_6x1, block_7x1, block_8x1, block_9x1, block_10x1, block_11x1, block_12x1 },
        { block_1x2, block_2x2, block_3x2, block_4x2, block_5x2, block_6x2 },
    },
    .narrow = {
        { narrow_1x1, narrow_2x1, narrow_3x1, narrow_4x1, narrow_5x1, narrow_6x1, narrow_7x1, narrow_8x1, narrow_9x1, narrow_10x1, narrow_11x1, narrow_12x1 },
        { narrow_1x2, narrow_2x2, narrow_3x2, narrow_4x2, narrow_5x2, narrow_6x2 },
    },
    .weight = {
        { weight_1x1, weight_2x1, weight_3x1, weight_4x1, weight_5x1, weight_6x1, weight_7x1, weight_8x1, weight_9x1, weight_10x1, weight_11x1, weight_12x1 },
        { weight_1x2, weight_2x2, weight_3x2, weight_4x2, weight_5x2, weight_6x2 },
    },
    .max_taps = 6,
    .depth = { depth_1, depth_2, depth_3, depth_4, depth_5, depth_6 },
    .depth_weight = { depth_weight_1, depth_weight_2, depth_weight_3, depth_weight_4, depth_weight_5, depth_weight_6 },
};

CONV_MEMBERS(tiles)

void dt_conv_avx2(dt_conv_kernels *k)
{
    *k = (dt_conv_kernels){
        .workspace = workspace, .forward = forward, .dgrad = dgrad, .wgrad = wgrad
    };
}
