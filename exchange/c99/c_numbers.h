/* Numbers of the integer model as a C program holds them: packed weights, multipliers and additions
 * in integers only. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_C99_C_NUMBERS_H
#define DT_EXCHANGE_C99_C_NUMBERS_H

#include "integer/model.h"

/* Weights as trained (the sign of negated channels is taken back), `bits` each without gaps, from
 * the low bits of each byte up. A code is in two's complement and means code * gain; or it is an
 * index into `level`, for uneven or shifted grids. */
typedef struct dt_c_weights {
    uint8_t *bytes; /* ceil(weights * bits / 8) */
    size_t size;
    int8_t *level; /* [levels]; NULL: none */
    int levels;
} dt_c_weights;
/* `n`: a product. Errors: UNSUPPORTED (more different weights than its bits can tell), NOMEM. */
dt_status dt_c_pack(const dt_int_node *n, dt_arena *arena, dt_c_weights *out,
                    dt_error *err) DT_MUST_CHECK;

/* A multiplier as m and shift, as exchange/c99/requant_*.c.in want them; m is not negative. */
typedef struct dt_c_scale {
    int32_t m;
    int shift; /* -31..62 */
} dt_c_scale;
dt_c_scale dt_c_scale_of(const dt_multiplier *m);

/* An addition of the contracts in float or of xnnpack: a, b and fixed in units of 2^-shift. Exact:
 * float32 numbers are integers times powers of two. False: the two scales are too far apart for 64
 * bits. */
typedef struct dt_c_sum {
    int64_t a, b, fixed;
    int shift;
} dt_c_sum;
bool dt_c_sum_of(const dt_adder *adder, dt_c_sum *out) DT_MUST_CHECK;

#endif
