/* The windows of convolutions and poolings: kernel, strides, dilations, padding by side. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_ONNX_READER_ONNX_WINDOW_H
#define DT_EXCHANGE_ONNX_READER_ONNX_WINDOW_H

#include "exchange/onnx/reader/onnx_ops.h"

typedef struct dt_ox_view {
    int kernel[2], stride[2], dilation[2]; /* rows, columns */
    int pad[4];                            /* above, left, below, right */
} dt_ox_view;

/* Of the node in work over picture v, whose padding it takes in; `kernel` is the weight's (0: the
 * attribute says it). */
dt_status dt_ox_view_of(dt_ox_walk *w, const dt_ox_value *v, const int64_t kernel[2],
                        dt_ox_view *out) DT_MUST_CHECK;

#endif
