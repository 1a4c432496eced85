/* Convolution on codes with 8-bit multiply-adds of AVX2, for codes so small that the sums of 16
 * bits cannot saturate: inputs of 0..most and weights of at most m in amount give 2 * most * m a
 * step, and so 32767 / (2 * most * m) steps before sums are widened (136 for 4 bits). Common zero
 * bits at the end of all weights, as an exporter's gain leaves, do not count. Internal to kernels/.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_CONV_INT_BYTES_H
#define DT_KERNELS_CONV_INT_BYTES_H

#include "kernels/conv_int.h"

/* As the members of dt_conv_int_kernels. False: nothing was done, codes are too large for it or
 * channels are by themselves. */
size_t dt_conv_int_bytes_workspace(const dt_conv_shape *s, int threads);
bool dt_conv_int_bytes_forward(const dt_conv_int_call *c, void *workspace, int threads);

#endif
