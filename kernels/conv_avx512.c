/* Convolution, AVX-512: 32 vector registers, so 14 x 2 and 16 (24) x 1 accumulators. */
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
FORWARD_TILE(block_13x1, narrow_13x1, 13, 1)
FORWARD_TILE(block_14x1, narrow_14x1, 14, 1)
FORWARD_TILE(block_15x1, narrow_15x1, 15, 1)
FORWARD_TILE(block_16x1, narrow_16x1, 16, 1)
FORWARD_TILE(block_1x2, narrow_1x2, 1, 2)
FORWARD_TILE(block_2x2, narrow_2x2, 2, 2)
FORWARD_TILE(block_3x2, narrow_3x2, 3, 2)
FORWARD_TILE(block_4x2, narrow_4x2, 4, 2)
FORWARD_TILE(block_5x2, narrow_5x2, 5, 2)
FORWARD_TILE(block_6x2, narrow_6x2, 6, 2)
FORWARD_TILE(block_7x2, narrow_7x2, 7, 2)
FORWARD_TILE(block_8x2, narrow_8x2, 8, 2)
FORWARD_TILE(block_9x2, narrow_9x2, 9, 2)
FORWARD_TILE(block_10x2, narrow_10x2, 10, 2)
FORWARD_TILE(block_11x2, narrow_11x2, 11, 2)
FORWARD_TILE(block_12x2, narrow_12x2, 12, 2)
FORWARD_TILE(block_13x2, narrow_13x2, 13, 2)
FORWARD_TILE(block_14x2, narrow_14x2, 14, 2)
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
WEIGHT_TILE(weight_13x1, 13, 1)
WEIGHT_TILE(weight_14x1, 14, 1)
WEIGHT_TILE(weight_15x1, 15, 1)
WEIGHT_TILE(weight_16x1, 16, 1)
WEIGHT_TILE(weight_17x1, 17, 1)
WEIGHT_TILE(weight_18x1, 18, 1)
WEIGHT_TILE(weight_19x1, 19, 1)
WEIGHT_TILE(weight_20x1, 20, 1)
WEIGHT_TILE(weight_21x1, 21, 1)
WEIGHT_TILE(weight_22x1, 22, 1)
WEIGHT_TILE(weight_23x1, 23, 1)
WEIGHT_TILE(weight_24x1, 24, 1)
WEIGHT_TILE(weight_1x2, 1, 2)
WEIGHT_TILE(weight_2x2, 2, 2)
WEIGHT_TILE(weight_3x2, 3, 2)
WEIGHT_TILE(weight_4x2, 4, 2)
WEIGHT_TILE(weight_5x2, 5, 2)
WEIGHT_TILE(weight_6x2, 6, 2)
WEIGHT_TILE(weight_7x2, 7, 2)
WEIGHT_TILE(weight_8x2, 8, 2)
WEIGHT_TILE(weight_9x2, 9, 2)
WEIGHT_TILE(weight_10x2, 10, 2)
WEIGHT_TILE(weight_11x2, 11, 2)
WEIGHT_TILE(weight_12x2, 12, 2)
WEIGHT_TILE(weight_13x2, 13, 2)
WEIGHT_TILE(weight_14x2, 14, 2)
DEPTH_TILE(depth_1, 1)
DEPTH_TILE(depth_2, 2)
DEPTH_TILE(depth_3, 3)
DEPTH_TILE(depth_4, 4)
DEPTH_TILE(depth_5, 5)
DEPTH_TILE(depth_6, 6)
DEPTH_TILE(depth_7, 7)
DEPTH_TILE(depth_8, 8)
DEPTH_TILE(depth_9, 9)
DEPTH_TILE(depth_10, 10)
DEPTH_TILE(depth_11, 11)
DEPTH_TILE(depth_12, 12)
DEPTH_TILE(depth_13, 13)
DEPTH_TILE(depth_14, 14)
DEPTH_TILE(depth_15, 15)
DEPTH_TILE(depth_16, 16)
DEPTH_WEIGHT_TILE(depth_weight_1, 1)
DEPTH_WEIGHT_TILE(depth_weight_2, 2)
DEPTH_WEIGHT_TILE(depth_weight_3, 3)
DEPTH_WEIGHT_TILE(depth_weight_4, 4)
DEPTH_WEIGHT_TILE(depth_weight_5, 5)
DEPTH_WEIGHT_TILE(depth_weight_6, 6)
DEPTH_WEIGHT_TILE(depth_weight_7, 7)

static const dt_conv_tiles tiles = {
    .vec = VEC,
    .max_pixels = { 16, 14 },
    .max_inputs = { 24, 14 },
    .block = {
        { block_1x1, block_2x1, block_3x1, block_4x1, block_5x1, block_6x1, block_7x1, block_8x1, block_9x1, block_10x1, block_11x1, block_12x1, block_13x1, block_14x1, block_15x1, block_16x1 },
        { block_1x2, block_2x2, block_3x2, block_4x2, block_5x2, block_6x2, block_7x2, block_8x2, block_9x2, block_10x2, block_11x2, block_12x2, block_13x2, block_14x2 },
    },
    .narrow = {
        { narrow_1x1, narrow_2x1, narrow_3x1, narrow_4x1, narrow_5x1, narrow_6x1, narrow_7x1, narrow_8x1, narrow_9x1, narrow_10x1, narrow_11x1, narrow_12x1, narrow_13x1, narrow_14x1, narrow_15x1, narrow_16x1 },
        { narrow_1x2, narrow_2x2, narrow_3x2, narrow_4x2, narrow_5x2, narrow_6x2, narrow_7x2, narrow_8x2, narrow_9x2, narrow_10x2, narrow_11x2, narrow_12x2, narrow_13x2, narrow_14x2 },
    },
    .weight = {
        { weight_1x1, weight_2x1, weight_3x1, weight_4x1, weight_5x1, weight_6x1, weight_7x1, weight_8x1, weight_9x1, weight_10x1, weight_11x1, weight_12x1, weight_13x1, weight_14x1, weight_15x1, weight_16x1, weight_17x1, weight_18x1, weight_19x1, weight_20x1, weight_21x1, weight_22x1, weight_23x1, weight_24x1 },
        { weight_1x2, weight_2x2, weight_3x2, weight_4x2, weight_5x2, weight_6x2, weight_7x2, weight_8x2, weight_9x2, weight_10x2, weight_11x2, weight_12x2, weight_13x2, weight_14x2 },
    },
    .max_taps = 7,
    .depth = { depth_1, depth_2, depth_3, depth_4, depth_5, depth_6, depth_7, depth_8, depth_9, depth_10, depth_11, depth_12, depth_13, depth_14, depth_15, depth_16 },
    .depth_weight = { depth_weight_1, depth_weight_2, depth_weight_3, depth_weight_4, depth_weight_5, depth_weight_6, depth_weight_7 },
};

CONV_MEMBERS(tiles)

void dt_conv_avx512(dt_conv_kernels *k)
{
    *k = (dt_conv_kernels){
        .workspace = workspace, .forward = forward, .dgrad = dgrad, .wgrad = wgrad
    };
}
