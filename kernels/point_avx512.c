/* Element-wise kernels compiled for AVX512: the scalar source, the same bits. */
/* SPDX-License-Identifier: Apache-2.0 */
#define POINT_FILL dt_point_avx512
#define TILE_FILL dt_tile_avx512
#define WEIGHT_FILL dt_weight_avx512
#include "kernels/point_impl.h"
#include "kernels/weight_impl.h"
