/* The output of a convolution of codes as it is kept for a batch norm: exact sums of 16 bits, half
 * the memory of real numbers. In memory: the center, a scale for each channel, the sums.
 *
 *   y[i] = (real)(sum[i] + center) * scale[channel of i] */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_SUMS_H
#define DT_AUTOGRAD_SUMS_H

#include <stddef.h>
#include <stdint.h>

#include "core/compiler.h"
#include "core/shape.h"

typedef struct dt_sums {
    int32_t *center;
    real *scale;  /* [C] */
    int16_t *sum; /* [..., C] */
} dt_sums;

static inline size_t dt_sums_bytes(const dt_shape *shape)
{
    size_t C = (size_t)shape->dim[shape->rank - 1];
    return DT_ALIGN + dt_aligned(C * sizeof(real)) +
           (size_t)dt_shape_count(shape) * sizeof(int16_t);
}

/* The parts of a value at `memory` with C channels. */
static inline dt_sums dt_sums_at(void *memory, int64_t C)
{
    unsigned char *at = memory;
    dt_sums s = { .center = memory, .scale = (real *)(void *)(at + DT_ALIGN) };
    s.sum = (int16_t *)(void *)(at + DT_ALIGN + dt_aligned((size_t)C * sizeof(real)));
    return s;
}

#endif
