/* Convolution, AVX2 and FMA: 16 vector registers, so 6 x 2 and 12 x 1 accumulators. Most sizes
 * between are left out: they would double the build's longest compilations and win nothing. Rows of
 * 7 are 4 and 3: behind one of 6 a single pixel would be left, too few sums to hide latency. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/conv_tile.h"
#include "kernels/conv_winograd_tile.h"

FORWARD_TILE(block_1x1, narrow_1x1, 1, 1)
FORWARD_TILE(block_2x1, narrow_2x1, 2, 1)
FORWARD_TILE(block_4x1, narrow_4x1, 4, 1)
FORWARD_TILE(block_8x1, narrow_8x1, 8, 1)
FORWARD_TILE(block_12x1, narrow_12x1, 12, 1)
FORWARD_TILE(block_1x2, narrow_1x2, 1, 2)
FORWARD_TILE(block_2x2, narrow_2x2, 2, 2)
FORWARD_TILE(block_3x2, narrow_3x2, 3, 2)
FORWARD_TILE(block_4x2, narrow_4x2, 4, 2)
FORWARD_TILE(block_6x2, narrow_6x2, 6, 2)
WEIGHT_TILE(weight_1x1, 1, 1)
WEIGHT_TILE(weight_2x1, 2, 1)
WEIGHT_TILE(weight_4x1, 4, 1)
WEIGHT_TILE(weight_8x1, 8, 1)
WEIGHT_TILE(weight_12x1, 12, 1)
WEIGHT_TILE(weight_1x2, 1, 2)
WEIGHT_TILE(weight_2x2, 2, 2)
WEIGHT_TILE(weight_3x2, 3, 2)
WEIGHT_TILE(weight_4x2, 4, 2)
WEIGHT_TILE(weight_6x2, 6, 2)
DEPTH_TILE(depth_1, 1)
DEPTH_TILE(depth_2, 2)
DEPTH_TILE(depth_4, 4)
DEPTH_TILE(depth_6, 6)
DEPTH_WEIGHT_TILE(depth_weight_1, 1)
DEPTH_WEIGHT_TILE(depth_weight_2, 2)
DEPTH_WEIGHT_TILE(depth_weight_3, 3)
DEPTH_WEIGHT_TILE(depth_weight_5, 5)

/* Index: size - 1. */
static const dt_conv_tiles tiles = {
    .vec = VEC,
    .max_pixels = { 12, 6 },
    .max_inputs = { 12, 6 },
    .block = { { [0] = block_1x1,
                 [1] = block_2x1,
                 [3] = block_4x1,
                 [7] = block_8x1,
                 [11] = block_12x1 },
               { [0] = block_1x2,
                 [1] = block_2x2,
                 [2] = block_3x2,
                 [3] = block_4x2,
                 [5] = block_6x2 } },
    .narrow = { { [0] = narrow_1x1,
                  [1] = narrow_2x1,
                  [3] = narrow_4x1,
                  [7] = narrow_8x1,
                  [11] = narrow_12x1 },
                { [0] = narrow_1x2,
                  [1] = narrow_2x2,
                  [2] = narrow_3x2,
                  [3] = narrow_4x2,
                  [5] = narrow_6x2 } },
    .weight = { { [0] = weight_1x1,
                  [1] = weight_2x1,
                  [3] = weight_4x1,
                  [7] = weight_8x1,
                  [11] = weight_12x1 },
                { [0] = weight_1x2,
                  [1] = weight_2x2,
                  [2] = weight_3x2,
                  [3] = weight_4x2,
                  [5] = weight_6x2 } },
    .decode = decode,
    .winograd = &winograd_loops,
    .max_taps = 5,
    .depth = { [0] = depth_1, [1] = depth_2, [3] = depth_4, [5] = depth_6 },
    .depth_weight = { [0] = depth_weight_1,
                      [1] = depth_weight_2,
                      [2] = depth_weight_3,
                      [4] = depth_weight_5 },
};

CONV_MEMBERS(tiles)

void dt_conv_avx2(dt_conv_kernels *k)
{
    *k = (dt_conv_kernels){ .workspace = workspace,
                            .forward = forward,
                            .dgrad = dgrad,
                            .wgrad = wgrad,
                            .backward = backward };
}
