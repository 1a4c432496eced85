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

/* A function by two expressions, its value and its slope at x; `Conf`: type of its options, *c, or
 * void. Makes <id>_forward and <id>_backward. */
#define DT_FUNCTION(id, Conf, value, slope)                                                        \
    static void id##_values(const void *options, int64_t n, const real *in, real *y)               \
    {                                                                                              \
        const Conf *c = options;                                                                   \
        (void)c;                                                                                   \
        for (int64_t i = 0; i < n; i++) {                                                          \
            const real x = in[i];                                                                  \
            y[i] = value;                                                                          \
        }                                                                                          \
    }                                                                                              \
    static void id##_slopes(const void *options, int64_t n, const real *in, real *d)               \
    {                                                                                              \
        const Conf *c = options;                                                                   \
        (void)c;                                                                                   \
        for (int64_t i = 0; i < n; i++) {                                                          \
            const real x = in[i];                                                                  \
            (void)x;                                                                               \
            d[i] = slope;                                                                          \
        }                                                                                          \
    }                                                                                              \
    static void id##_forward(const dt_op_run *r)                                                   \
    {                                                                                              \
        dt_function_forward(r, id##_values);                                                       \
    }                                                                                              \
    static void id##_backward(const dt_op_run *r)                                                  \
    {                                                                                              \
        dt_function_backward(r, id##_slopes);                                                      \
    }
/* What the descriptors of all of them say; `check`: dt_infer_same, or one that also looks at the
 * options. */
#define DT_FUNCTION_FACTS_IF(id, check)                                                            \
    .name = #id, .in_min = 1, .in_max = 1, .out_count = 1, .grads = 1, .reads_in = 1,              \
    .accumulates = 1, .grad_inplace = true, .function = true, .infer = check,                      \
    .forward = id##_forward, .backward = id##_backward
#define DT_FUNCTION_FACTS(id) DT_FUNCTION_FACTS_IF(id, dt_infer_same)

/* An example of any shape for the gradient test, without a configuration. */
extern const dt_op_example dt_function_examples[];

#endif
