/* Configuration of the conv2d op; kernels/conv.h has the formula. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_OP_CONV2D_H
#define DT_AUTOGRAD_OP_CONV2D_H

typedef struct dt_conv2d_conf {
    int stride_h, stride_w, pad_h, pad_w, groups;
} dt_conv2d_conf;

#endif
