/* 2-D convolution: configuration, and what its forms share; kernels/conv.h has the formula. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_OP_CONV2D_H
#define DT_AUTOGRAD_OP_CONV2D_H

#include "autograd/op.h"
#include "autograd/quantizer.h"

typedef struct dt_conv2d_conf {
    int stride_h, stride_w, pad_h, pad_w, groups; /* pad: zeros above and left */
    int more_h, more_w; /* zeros below and right beyond those; less than 0: fewer */
    int skip_h, skip_w; /* pixels left out between two taps: the dilation less 1 */
} dt_conv2d_conf;

/* The same with quantized operands, for "conv2d_codes": inputs are the codes of x, the weight on
 * its grid, the bias if there is one, then the parameters of both quantizers. */
typedef struct dt_conv2d_codes_conf {
    dt_conv2d_conf conv;            /* first: shapes are inferred from it */
    const dt_fakequant_conf *x, *w; /* both `uniform` */
    bool sums;                      /* y is DT_STORE_SUM; then it has no bias */
    int center;                     /* its sums are center - 2^15 .. center + 2^15 - 1 */
} dt_conv2d_codes_conf;

/* x [N,H,W,C], w [O,KH,KW,C/G]; inputs of both forms begin so, then the bias [O] */
dt_conv_shape dt_conv2d_shape(const dt_conv2d_conf *c, const dt_shape *x, const dt_shape *w);
/* The call of a backward pass, with x in real numbers. */
dt_conv_back dt_conv2d_back(const dt_op_run *r, const dt_conv_shape *s);
/* The gradient of the bias, which finishes dy; works in r->work, of so many bytes. */
void dt_conv2d_bias_grad(const dt_op_run *r, dt_conv_back *b);
size_t dt_conv2d_bias_work(const dt_op_run *r, const dt_conv_shape *s);
/* As the members of dt_op; `conf` starts with a dt_conv2d_conf. */
dt_status dt_conv2d_infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                          dt_error *err);
int64_t dt_conv2d_macs(const void *conf, const dt_shape *in, const dt_shape *out);

#endif
