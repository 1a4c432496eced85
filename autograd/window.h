/* Windows of poolings over [N,H,W,C]: what their configurations and their forms share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_WINDOW_H
#define DT_AUTOGRAD_WINDOW_H

#include "core/opt.h"
#include "core/shape.h"
#include "kernels/conv.h"

typedef struct dt_window {
    int kernel_h, kernel_w, stride_h, stride_w;
    int pad_h, pad_w;   /* rows above, columns left, that are outside of the picture */
    int more_h, more_w; /* those below and right beyond as many; less than 0: fewer */
} dt_window;

/* Rows of an option table of `type`, whose member `window` it is. */
#define DT_WINDOW_OPTS(type)                                                                       \
    DT_OPT_INT(type, window.kernel_h, 2, 1, 1 << 20, "rows of a window"),                          \
        DT_OPT_INT(type, window.kernel_w, 2, 1, 1 << 20, "columns of a window"),                   \
        DT_OPT_INT(type, window.stride_h, 1, 1, 1 << 20, "rows to the next"),                      \
        DT_OPT_INT(type, window.stride_w, 1, 1, 1 << 20, "columns to the next"),                   \
        DT_OPT_INT(type, window.pad_h, 0, 0, 1 << 20, "rows of padding above"),                    \
        DT_OPT_INT(type, window.pad_w, 0, 0, 1 << 20, "columns of padding left"),                  \
        DT_OPT_INT(type, window.more_h, 0, -(1 << 20), 1 << 20, "rows below beyond those above"),  \
        DT_OPT_INT(type, window.more_w, 0, -(1 << 20), 1 << 20, "columns right beyond those left")

/* x [N,H,W,C] -> out [N,OH,OW,C]. SHAPE: no picture, or a window without any pixel of it. */
dt_status dt_window_infer(const dt_window *w, const dt_shape *x, dt_shape *out,
                          dt_error *err) DT_MUST_CHECK;
/* The depthwise convolution over the same windows of one picture. */
dt_conv_shape dt_window_shape(const dt_window *w, const dt_shape *x, const dt_shape *y);
/* Does a window reach outside of the picture? */
bool dt_window_is_padded(const dt_conv_shape *s);

/* The pixels of a window that are inside: rows h0..h1-1, columns w0..w1-1. */
typedef struct dt_window_pixels {
    int64_t h0, h1, w0, w1;
} dt_window_pixels;

static inline dt_window_pixels dt_window_at(const dt_window *k, int64_t H, int64_t W, int64_t oh,
                                            int64_t ow)
{
    int64_t h = oh * k->stride_h - k->pad_h, w = ow * k->stride_w - k->pad_w;
    return (dt_window_pixels){ h < 0 ? 0 : h, h + k->kernel_h < H ? h + k->kernel_h : H,
                               w < 0 ? 0 : w, w + k->kernel_w < W ? w + k->kernel_w : W };
}

#endif
