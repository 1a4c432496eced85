/* Convolution on codes, AVX-512 with VNNI. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/conv_int_depth.h"
#include "kernels/conv_int_impl.h"

static size_t workspace(const dt_conv_shape *s, int threads)
{
    return is_depthwise(s) ? depth_workspace(s, threads) : direct_workspace(s, threads);
}

static void forward(const dt_conv_int_call *c, void *work, int threads)
{
    if (is_depthwise(&c->shape))
        depth_forward(c, work, threads);
    else
        direct_forward((job){ .c = c }, work, threads);
}

void dt_conv_int_vnni(dt_conv_int_kernels *k)
{
    *k = (dt_conv_int_kernels){ "vnni", workspace, forward };
}
