/* Convolution, AVX-512: 32 vector registers, so 8 x 2 and 16 (24) x 1 accumulators. 7 and 14 are
 * for the rows of pictures of 224; the sizes between are left out: they would double the build's
 * longest compilations and win nothing. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/conv_tile.h"
#include "kernels/conv_winograd_tile.h"

FORWARD_TILE(block_1x1, narrow_1x1, 1, 1)
FORWARD_TILE(block_2x1, narrow_2x1, 2, 1)
FORWARD_TILE(block_4x1, narrow_4x1, 4, 1)
FORWARD_TILE(block_7x1, narrow_7x1, 7, 1)
FORWARD_TILE(block_8x1, narrow_8x1, 8, 1)
FORWARD_TILE(block_14x1, narrow_14x1, 14, 1)
FORWARD_TILE(block_16x1, narrow_16x1, 16, 1)
FORWARD_TILE(block_1x2, narrow_1x2, 1, 2)
FORWARD_TILE(block_2x2, narrow_2x2, 2, 2)
FORWARD_TILE(block_4x2, narrow_4x2, 4, 2)
FORWARD_TILE(block_7x2, narrow_7x2, 7, 2)
FORWARD_TILE(block_8x2, narrow_8x2, 8, 2)
WEIGHT_TILE(weight_1x1, 1, 1)
WEIGHT_TILE(weight_2x1, 2, 1)
WEIGHT_TILE(weight_4x1, 4, 1)
WEIGHT_TILE(weight_8x1, 8, 1)
WEIGHT_TILE(weight_9x1, 9, 1)
WEIGHT_TILE(weight_16x1, 16, 1)
WEIGHT_TILE(weight_24x1, 24, 1)
WEIGHT_TILE(weight_1x2, 1, 2)
WEIGHT_TILE(weight_2x2, 2, 2)
WEIGHT_TILE(weight_4x2, 4, 2)
WEIGHT_TILE(weight_8x2, 8, 2)
WEIGHT_TILE(weight_12x2, 12, 2)
DEPTH_TILE(depth_1, 1)
DEPTH_TILE(depth_2, 2)
DEPTH_TILE(depth_4, 4)
DEPTH_TILE(depth_7, 7)
DEPTH_TILE(depth_8, 8)
DEPTH_TILE(depth_14, 14)
DEPTH_TILE(depth_16, 16)
DEPTH_WEIGHT_TILE(depth_weight_1, 1)
DEPTH_WEIGHT_TILE(depth_weight_2, 2)
DEPTH_WEIGHT_TILE(depth_weight_3, 3)
DEPTH_WEIGHT_TILE(depth_weight_5, 5)
DEPTH_WEIGHT_TILE(depth_weight_7, 7)

/* Index: size - 1. */
static const dt_conv_tiles tiles = {
    .vec = VEC,
    .max_pixels = { 16, 8 },
    .max_inputs = { 24, 12 },
    .block = { { [0] = block_1x1,
                 [1] = block_2x1,
                 [3] = block_4x1,
                 [6] = block_7x1,
                 [7] = block_8x1,
                 [13] = block_14x1,
                 [15] = block_16x1 },
               { [0] = block_1x2,
                 [1] = block_2x2,
                 [3] = block_4x2,
                 [6] = block_7x2,
                 [7] = block_8x2 } },
    .narrow = { { [0] = narrow_1x1,
                  [1] = narrow_2x1,
                  [3] = narrow_4x1,
                  [6] = narrow_7x1,
                  [7] = narrow_8x1,
                  [13] = narrow_14x1,
                  [15] = narrow_16x1 },
                { [0] = narrow_1x2,
                  [1] = narrow_2x2,
                  [3] = narrow_4x2,
                  [6] = narrow_7x2,
                  [7] = narrow_8x2 } },
    .weight = { { [0] = weight_1x1,
                  [1] = weight_2x1,
                  [3] = weight_4x1,
                  [7] = weight_8x1,
                  [8] = weight_9x1,
                  [15] = weight_16x1,
                  [23] = weight_24x1 },
                { [0] = weight_1x2,
                  [1] = weight_2x2,
                  [3] = weight_4x2,
                  [7] = weight_8x2,
                  [11] = weight_12x2 } },
    .decode = decode,
    .winograd = &winograd_loops,
    .max_taps = 7,
    .depth = { [0] = depth_1,
               [1] = depth_2,
               [3] = depth_4,
               [6] = depth_7,
               [7] = depth_8,
               [13] = depth_14,
               [15] = depth_16 },
    .depth_weight = { [0] = depth_weight_1,
                      [1] = depth_weight_2,
                      [2] = depth_weight_3,
                      [4] = depth_weight_5,
                      [6] = depth_weight_7 },
};

CONV_MEMBERS(tiles)

void dt_conv_avx512(dt_conv_kernels *k)
{
    *k = (dt_conv_kernels){ .workspace = workspace,
                            .forward = forward,
                            .dgrad = dgrad,
                            .wgrad = wgrad,
                            .backward = backward };
}
