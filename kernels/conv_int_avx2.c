/* Convolution on codes, AVX2. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/conv_int_impl.h"

void dt_conv_int_avx2(dt_conv_int_kernels *k)
{
    *k = (dt_conv_int_kernels){ "avx2", workspace, forward };
}
