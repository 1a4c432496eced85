/* Elementary functions by range reduction and short series; only + - * / and exact scaling. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/mathx.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

double dt_exp(double x)
{
    if (isnan(x)) return x;
    if (x > 709.0) return INFINITY;
    if (x < -745.0) return 0.0;
    /* x = k ln2 + r with |r| <= ln2 / 2; ln2 in two parts so that k * high is exact. */
    static const double ln2_high = 0x1.62e42fee00000p-1, ln2_low = 0x1.a39ef35793c76p-33;
    double k = rint(x * 1.4426950408889634), r = (x - k * ln2_high) - k * ln2_low;
    double sum = 1.0;
    for (int n = 14; n > 0; n--)
        sum = 1.0 + r / n * sum; /* Taylor, remainder < 1e-17 */
    return ldexp(sum, (int)k);
}

double dt_log(double x)
{
    if (isnan(x) || x < 0.0) return NAN;
    if (x == 0.0) return -INFINITY;
    if (isinf(x)) return x;
    int e;
    double m = frexp(x, &e); /* [0.5, 1) */
    if (m < 0.70710678118654752) {
        m *= 2.0;
        e--;
    }
    /* log m = 2 atanh(t), t = (m-1)/(m+1), |t| < 0.172 */
    double t = (m - 1.0) / (m + 1.0), t2 = t * t, sum = 0.0;
    for (int n = 21; n > 0; n -= 2)
        sum = 1.0 / n + t2 * sum;
    return e * 0.69314718055994531 + 2.0 * t * sum;
}

/* (1 - E) / (1 + E) with E = exp(-2|x|): a Taylor series at x / 32, squared six times. Where the
 * series is poor E is below 1e-6. No division but the last, for whole tensors go through here. */
double dt_tanh(double x)
{
    double a = fabs(x), y = a < 24.0 ? -a / 32.0 : -24.0 / 32.0, E = 1.0;
    E = 1.0 + y * (1.0 / 10);
    E = 1.0 + y * (1.0 / 9) * E;
    E = 1.0 + y * (1.0 / 8) * E;
    E = 1.0 + y * (1.0 / 7) * E;
    E = 1.0 + y * (1.0 / 6) * E;
    E = 1.0 + y * (1.0 / 5) * E;
    E = 1.0 + y * (1.0 / 4) * E;
    E = 1.0 + y * (1.0 / 3) * E;
    E = 1.0 + y * (1.0 / 2) * E;
    E = 1.0 + y * E;
    for (int i = 0; i < 6; i++)
        E *= E;
    double t = (1.0 - E) / (1.0 + E);
    return isnan(x) ? x : x < 0.0 ? -t : t;
}

/* cos(pi x) for |x| <= 1/4 and sin(pi x) likewise: Taylor to 1e-17. */
static double cos_small(double x)
{
    double y = 3.14159265358979324 * x, y2 = y * y, sum = 1.0;
    for (int n = 16; n > 0; n -= 2)
        sum = 1.0 - y2 / (n * (n - 1.0)) * sum;
    return sum;
}

static double sin_small(double x)
{
    double y = 3.14159265358979324 * x, y2 = y * y, sum = 1.0;
    for (int n = 17; n > 1; n -= 2)
        sum = 1.0 - y2 / (n * (n - 1.0)) * sum;
    return y * sum;
}

double dt_cospi(double x)
{
    if (!isfinite(x)) return NAN;
    x = fabs(x - 2.0 * rint(0.5 * x)); /* [0, 1], exact */
    if (x <= 0.25) return cos_small(x);
    if (x <= 0.75) return sin_small(0.5 - x);
    return -cos_small(1.0 - x);
}
