/* Convolution on codes, AVX-512 with VNNI. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/conv_int_impl.h"

void dt_conv_int_vnni(dt_conv_int_kernels *k)
{
    *k = (dt_conv_int_kernels){ "vnni", workspace, forward };
}
