/* From codes to values, for kernels that read codes; compiled by every tier with its flags. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_DECODE_H
#define DT_KERNELS_DECODE_H

#include <stdint.h>

#include "core/compiler.h"

/* y = (c - zero_point) * scale */
DT_INLINE void dt_decode(int64_t n, const uint8_t *restrict c, int zero_point, real scale,
                         real *restrict y)
{
    for (int64_t j = 0; j < n; j++)
        y[j] = (real)((int)c[j] - zero_point) * scale;
}

#endif
