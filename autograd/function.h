/* Element-wise operations of one input: what they share. A file gives loops over a run of elements;
 * here they are cut into tasks by shape. In the integer model such an operation is a table of 256
 * codes, in ONNX the operators of dt_op.onnx; no operation says more of itself than this. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_FUNCTION_H
#define DT_AUTOGRAD_FUNCTION_H

#include "autograd/op.h"

/* y[i] = f(x[i]); y may be x. */
typedef void dt_function_values(const void *conf, int64_t n, const real *x, real *y);
/* d[i] = f'(x[i]). */
typedef void dt_function_slopes(const void *conf, int64_t n, const real *x, real *d);

/* What `forward` and `backward` of such an operation do; backward reads its input. */
void dt_function_forward(const dt_op_run *r, dt_function_values *values);
void dt_function_backward(const dt_op_run *r, dt_function_slopes *slopes);

/* An example of any shape for the gradient test, without a configuration. */
extern const dt_op_example dt_function_examples[];

#endif
