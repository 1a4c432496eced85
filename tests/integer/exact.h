/* Exact numbers m 2^e, and what rounding to float32 or to an integer makes of them, in integers of
 * 128 bits: the contracts' definitions without the processor's arithmetic. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TESTS_INTEGER_EXACT_H
#define DT_TESTS_INTEGER_EXACT_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

__extension__ typedef __int128 wide;

typedef struct number {
    wide m;
    int e;
} number;

static inline number exact_of(double x)
{
    int e;
    double f = frexp(x, &e);
    return (number){ (wide)ldexp(f, 53), e - 53 };
}

static inline number exact_int(int64_t x)
{
    return (number){ x, 0 };
}

/* No factor of two in m. */
static inline number exact_trim(number x)
{
    while (x.m != 0 && x.m % 2 == 0) {
        x.m /= 2;
        x.e++;
    }
    return x;
}

static inline number exact_times(number a, number b)
{
    a = exact_trim(a), b = exact_trim(b);
    return (number){ a.m * b.m, a.e + b.e };
}

static inline wide wide_power(int e)
{
    if (e < 0 || e > 120) abort(); /* no test's number is so large */
    return (wide)1 << e;
}

static inline number exact_plus(number a, number b)
{
    a = exact_trim(a), b = exact_trim(b);
    if (a.m == 0) return b;
    if (b.m == 0) return a;
    int e = a.e < b.e ? a.e : b.e;
    return (number){ a.m * wide_power(a.e - e) + b.m * wide_power(b.e - e), e };
}

static inline number exact_minus(number a)
{
    a.m = -a.m;
    return a;
}

/* floor(n / d), d > 0 */
static inline wide wide_floor(wide n, wide d)
{
    return n / d - (n % d < 0);
}

/* The nearest whole number to n / d, d > 0; ties to even, up, or away from zero. */
typedef enum tie { TIE_EVEN, TIE_UP, TIE_AWAY } tie;
static inline wide wide_nearest(wide n, wide d, tie t)
{
    wide low = wide_floor(n, d), twice = 2 * (n - low * d);
    if (twice != d) return twice > d ? low + 1 : low;
    if (t == TIE_EVEN) return low % 2 == 0 ? low : low + 1;
    return t == TIE_UP || n > 0 ? low + 1 : low;
}

static inline wide exact_floor(number x)
{
    x = exact_trim(x);
    return x.e >= 0 ? x.m * wide_power(x.e) : wide_floor(x.m, wide_power(-x.e));
}

static inline wide exact_nearest(number x, tie t)
{
    x = exact_trim(x);
    return x.e >= 0 ? x.m * wide_power(x.e) : wide_nearest(x.m, wide_power(-x.e), t);
}

/* n / d to 24 bits, ties to even: a float32's number, of any exponent. */
static inline number exact_ratio24(number n, number d)
{
    n = exact_trim(n), d = exact_trim(d);
    if (n.m == 0) return n;
    if (d.m < 0) n.m = -n.m, d.m = -d.m;
    int e = 0;
    wide a = n.m < 0 ? -n.m : n.m, top = d.m;
    while (a >= top * wide_power(24))
        top *= 2, e++;
    while (a < top * wide_power(23))
        a *= 2, e--;
    wide m = wide_nearest(a, top, TIE_EVEN);
    return (number){ n.m < 0 ? -m : m, n.e - d.e + e };
}

static inline number exact_round24(number x)
{
    return exact_ratio24(x, exact_int(1));
}

static inline int64_t exact_clamp(wide v, int64_t low, int64_t high)
{
    return v < low ? low : v > high ? high : (int64_t)v;
}

#endif
