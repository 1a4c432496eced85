/* Range initialisers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "fakequant/range.h"

#include <math.h>
#include <stdbool.h>

enum { SAMPLE = 65536, CANDIDATES = 100 };

double dt_range_minmax(int64_t n, const real *x, int qmin, int qmax)
{
    double low = 0, high = 0;
    for (int64_t i = 0; i < n; i++) {
        low = fmin(low, (double)x[i]);
        high = fmax(high, (double)x[i]);
    }
    double s = high / qmax;
    return qmin < 0 ? fmax(s, low / qmin) : s;
}

/* One value of each run of `stride`, at a place that a multiplicative hash chooses: at a fixed place
 * a stride that shares a factor with the channel count would see some channels only. */
static double square_error(int64_t n, int64_t stride, const real *x, double s, int qmin, int qmax)
{
    double sum = 0;
    for (int64_t start = 0; start < n; start += stride) {
        uint32_t hash = (uint32_t)(start / stride + 1) * 2654435769u;
        int64_t i = start + (int64_t)((uint64_t)hash * (uint64_t)stride >> 32);
        if (i >= n) i = start;
        double u = (double)x[i] / s, q = rint(u < qmin ? qmin : u > qmax ? qmax : u);
        double d = q * s - (double)x[i];
        sum += d * d;
    }
    return sum;
}

double dt_range_mse(int64_t n, const real *x, int qmin, int qmax)
{
    double widest = dt_range_minmax(n, x, qmin, qmax);
    if (!(widest > 0)) return 0;
    int64_t stride = (n + SAMPLE - 1) / SAMPLE;
    int best = CANDIDATES;
    double least = INFINITY;
    for (int i = 1; i <= CANDIDATES; i++) {
        double e = square_error(n, stride, x, widest * i / CANDIDATES, qmin, qmax);
        if (e >= least) continue;
        least = e;
        best = i;
    }
    /* Golden section on the two steps around the best; the error is near convex there. */
    const double ratio = 0.61803398874989485;
    double a = widest * fmax(best - 1, 0.01) / CANDIDATES, b = widest * (best + 1) / CANDIDATES;
    double c = b - ratio * (b - a), d = a + ratio * (b - a);
    for (int i = 0; i < 20; i++) {
        bool left =
            square_error(n, stride, x, c, qmin, qmax) < square_error(n, stride, x, d, qmin, qmax);
        if (left)
            b = d;
        else
            a = c;
        c = b - ratio * (b - a);
        d = a + ratio * (b - a);
    }
    double s = (a + b) / 2;
    return square_error(n, stride, x, s, qmin, qmax) < least ? s : widest * best / CANDIDATES;
}

double dt_range_lsq(int64_t n, const real *x, int qmax)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += fabs((double)x[i]);
    return n > 0 ? 2 * sum / (double)n / sqrt(qmax) : 0;
}
