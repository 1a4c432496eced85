/* Windows of poolings. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/window.h"

static int64_t windows(int64_t size, int kernel, int stride, int pad, int more)
{
    int64_t room = size + 2 * (int64_t)pad + more - kernel;
    return room < 0 ? 0 : room / stride + 1;
}

/* At least one pixel in every window, the last included. */
static bool covers(int64_t size, int64_t count, int kernel, int stride, int pad)
{
    return kernel > 0 && pad >= 0 && pad < kernel && count > 0 && (count - 1) * stride - pad < size;
}

dt_status dt_window_infer(const dt_window *w, const dt_shape *x, dt_shape *out, dt_error *err)
{
    char a[DT_SHAPE_TEXT];
    if (x->rank != 4 || w->stride_h < 1 || w->stride_w < 1)
        return dt_fail(err, DT_ERR_SHAPE, NULL,
                       "input %s must have 4 dimensions, strides 1 or more", dt_shape_print(x, a));
    int64_t OH = windows(x->dim[1], w->kernel_h, w->stride_h, w->pad_h, w->more_h);
    int64_t OW = windows(x->dim[2], w->kernel_w, w->stride_w, w->pad_w, w->more_w);
    if (!covers(x->dim[1], OH, w->kernel_h, w->stride_h, w->pad_h) ||
        !covers(x->dim[2], OW, w->kernel_w, w->stride_w, w->pad_w))
        return dt_fail(err, DT_ERR_SHAPE, NULL,
                       "windows of %dx%d with padding of %d and %d do not fit %s", w->kernel_h,
                       w->kernel_w, w->pad_h, w->pad_w, dt_shape_print(x, a));
    *out = DT_SHAPE(x->dim[0], OH, OW, x->dim[3]);
    return DT_OK;
}

dt_conv_shape dt_window_shape(const dt_window *w, const dt_shape *x, const dt_shape *y)
{
    return (dt_conv_shape){ .N = 1,
                            .H = x->dim[1],
                            .W = x->dim[2],
                            .C = x->dim[3],
                            .O = x->dim[3],
                            .KH = w->kernel_h,
                            .KW = w->kernel_w,
                            .SH = w->stride_h,
                            .SW = w->stride_w,
                            .PH = w->pad_h,
                            .PW = w->pad_w,
                            .G = x->dim[3],
                            .OH = y->dim[1],
                            .OW = y->dim[2] };
}

bool dt_window_is_padded(const dt_conv_shape *s)
{
    return s->PH || s->PW || (s->OH - 1) * s->SH + s->KH - s->PH > s->H ||
           (s->OW - 1) * s->SW + s->KW - s->PW > s->W;
}
