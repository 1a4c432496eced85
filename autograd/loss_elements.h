/* Losses that look at each output by itself: of a sample the mean over its K outputs. The file of
 * such a loss gives value and slope of one element. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_LOSS_ELEMENTS_H
#define DT_AUTOGRAD_LOSS_ELEMENTS_H

#include "autograd/loss.h"

/* Of output y, wanted t. */
typedef double (*dt_element_fn)(const void *conf, double y, double t);

dt_status dt_elements_infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                            dt_error *err);
void dt_elements_memory(const dt_op_run *r, dt_op_memory *out);
void dt_elements_forward(const dt_op_run *r, dt_element_fn value);
void dt_elements_backward(const dt_op_run *r, dt_element_fn slope);
double dt_elements_of(const void *conf, const real *y, const void *answer, int64_t K,
                      dt_element_fn value);

/* The functions that such a file's descriptors name, of its value and slope, and what the
 * descriptors of the operations say alike. */
#define DT_ELEMENTS(value, slope)                                                                  \
    static void forward(const dt_op_run *r)                                                        \
    {                                                                                              \
        dt_elements_forward(r, value);                                                             \
    }                                                                                              \
    static void backward(const dt_op_run *r)                                                       \
    {                                                                                              \
        dt_elements_backward(r, slope);                                                            \
    }                                                                                              \
    static double of(const void *options, const real *y, const void *answer, int64_t K)            \
    {                                                                                              \
        return dt_elements_of(options, y, answer, K, value);                                       \
    }
#define DT_ELEMENTS_FACTS(id)                                                                      \
    .name = id, .in_min = 2, .in_max = 2, .out_count = 1, .grads = 1, .reads_in = 3,               \
    .infer = dt_elements_infer, .memory = dt_elements_memory, .forward = forward,                  \
    .backward = backward

/* Rows of the gradient test. */
extern const dt_op_example dt_elements_examples[];

#endif
