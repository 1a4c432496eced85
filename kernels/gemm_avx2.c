/* Dense products, AVX2: 16 vector registers, so tiles of 6 x 2. */
/* SPDX-License-Identifier: Apache-2.0 */
enum { GEMM_ROWS = 6 };
#define GEMM_TILES(T) T(1) T(2) T(3) T(4) T(5) T(6)
#include "kernels/gemm_impl.h"

void dt_gemm_avx2(dt_gemm_kernels *k)
{
    *k = (dt_gemm_kernels){ .work = work, .part = part, .task_rows = task_rows };
}
