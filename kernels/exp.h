/* exp, tanh and log(1 + x) as polynomials and fractions, for kernels and for element-wise
 * operations: the same bits in every tier, which libm's do not have. exp is 2^k e^r with
 * |r| <= ln2 / 2. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_EXP_H
#define DT_KERNELS_EXP_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <tgmath.h>

#include "core/compiler.h"

#ifdef DT_REAL_DOUBLE
typedef int64_t dt_exp_bits;
enum { DT_EXP_BIAS = 1023, DT_EXP_SHIFT = 52 };
static const real DT_EXP_LEAST = -708, DT_EXP_MOST = 708;
#else
typedef int32_t dt_exp_bits;
enum { DT_EXP_BIAS = 127, DT_EXP_SHIFT = 23 };
static const real DT_EXP_LEAST = -87, DT_EXP_MOST = 88;
#endif

/* Taylor to a remainder of 6e-9 in float, 1e-16 in double. 0 below DT_EXP_LEAST, above
 * DT_EXP_MOST the value there. nan stays nan. */
static inline real dt_exp(real x)
{
    const real high = (real)0.693145751953125, low = (real)1.42860682030941723e-6, one = 1;
    bool zero = x < DT_EXP_LEAST;
    x = zero ? DT_EXP_LEAST : x;
    x = x > DT_EXP_MOST ? DT_EXP_MOST : x;
    real k = rint(x * (real)1.4426950408889634), r = (x - k * high) - k * low, sum;
#ifdef DT_REAL_DOUBLE
    sum = one + r / 14;
    for (int n = 13; n > 7; n--)
        sum = one + r / (real)n * sum;
    sum *= (real)(1.0 / 5040);
#else
    sum = (real)(1.0 / 5040);
#endif
    sum = sum * r + (real)(1.0 / 720);
    sum = sum * r + (real)(1.0 / 120);
    sum = sum * r + (real)(1.0 / 24);
    sum = sum * r + (real)(1.0 / 6);
    sum = sum * r + (real)0.5;
    sum = sum * r + one;
    sum = sum * r + one;
    /* nan: k goes through as 0 */
    dt_exp_bits bits = (dt_exp_bits)(k == k ? k : 0);
    bits = (dt_exp_bits)((uint64_t)(bits + DT_EXP_BIAS) << DT_EXP_SHIFT);
    real power;
    memcpy(&power, &bits, sizeof power);
    return zero ? (real)0 : sum * power;
}

/* tanh: a continued fraction where exp would lose digits (x / (1 + x^2 / (3 + x^2 / (5 + ...)))).
 */
static inline real dt_tanh(real x)
{
    const real z = x * x, a = fabs(x);
    real near = 15;
    for (int n = 13; n > 0; n -= 2)
        near = (real)n + z / near;
    real t = dt_exp(-2 * a), far = (1 - t) / (1 + t);
    return a < (real)0.625 ? x / near : x < 0 ? -far : far;
}

/* e^x - 1 for x <= 0. */
static inline real dt_expm1(real x)
{
    real t = dt_tanh((real)0.5 * x);
    return 2 * t / (1 - t);
}

/* log(1 + t), 0 <= t <= 1: 2 (s + s^3 / 3 + s^5 / 5 + ...) with s = t / (2 + t). */
static inline real dt_log1p(real t)
{
    enum { TERMS = sizeof(real) == sizeof(double) ? 17 : 8 };
    real s = t / (2 + t), z = s * s, sum = 0;
    for (int n = 2 * TERMS - 1; n > 0; n -= 2)
        sum = sum * z + 1 / (real)n;
    return 2 * s * sum;
}

#endif
