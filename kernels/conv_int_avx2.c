/* Convolution on codes, AVX2. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/conv_int_bytes.h"
#include "kernels/conv_int_depth.h"
#include "kernels/conv_int_impl.h"

static size_t workspace(const dt_conv_shape *s, int threads)
{
    if (is_depthwise(s)) return depth_workspace(s, threads);
    size_t pairs = direct_workspace(s, threads), bytes = dt_conv_int_bytes_workspace(s, threads);
    return pairs > bytes ? pairs : bytes;
}

static void forward(const dt_conv_int_call *c, void *work, int threads)
{
    if (is_depthwise(&c->shape))
        depth_forward(c, work, threads);
    else if (!dt_conv_int_bytes_forward(c, work, threads))
        direct_forward((job){ .c = c }, work, threads);
}

void dt_conv_int_avx2(dt_conv_int_kernels *k)
{
    *k = (dt_conv_int_kernels){ "avx2", workspace, forward };
}
