/* Kernels on codes, compiled for AVX-512: the same source, the same codes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/code_impl.h"

void dt_code_avx512(dt_code_kernels *k)
{
    *k = CODE_KERNELS;
}
