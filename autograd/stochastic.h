/* Fake quantization that rounds at random (dt_ste_kind STOCHASTIC), for affine encoders:
 *
 *   q = floor(clip(u) + U), U uniform in [0, 1), so that the mean of q is clip(u);
 *   dy/dx is 1 inside the range and 0 outside, the residual q - u counts for the scale.
 *
 * Element i of the tensor takes number i of the stream (seed, ROUND, node, step), which backward
 * draws again; results do not depend on threads. Only training rounds so. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_STOCHASTIC_H
#define DT_AUTOGRAD_STOCHASTIC_H

#include "autograd/op.h"

/* n elements from number `at` of the tensor on. */
void dt_stochastic_encode(const dt_op_run *r, const dt_encode *e, int64_t at, int64_t n,
                          const real *x, real *y);
/* dx (NULL: not wanted; added when `sum`; may be g) and the sums; work: dt_encode_work(n). */
void dt_stochastic_back(const dt_op_run *r, const dt_encode *e, int64_t at, int64_t n,
                        const real *x, const real *g, real *dx, bool sum, dt_encode_sums *work,
                        dt_encode_sums *sums);

#endif
