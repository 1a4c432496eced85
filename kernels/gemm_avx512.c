/* Dense products, AVX-512: 32 vector registers, so tiles of 14 x 2. */
/* SPDX-License-Identifier: Apache-2.0 */
enum { GEMM_ROWS = 14 };
#define GEMM_TILES(T) T(1) T(2) T(3) T(4) T(5) T(6) T(7) T(8) T(9) T(10) T(11) T(12) T(13) T(14)
#include "kernels/gemm_impl.h"

void dt_gemm_avx512(dt_gemm_kernels *k)
{
    *k = (dt_gemm_kernels){ .work = work, .part = part, .task_rows = task_rows };
}
