/* The rules of range initialisers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "fakequant/range.h"

#include <math.h>

#include "core/alloc.h"
#include "core/mathx.h"

enum { SAMPLE = 65536, PAIR_SAMPLE = 8192, CANDIDATES = 100, LOWS = 24, HIGHS = 40, GOLDEN = 20 };
enum { LANES = 4 }; /* HIGHS is a multiple of it */
static const double golden_ratio = 0.61803398874989485;

void dt_range_ends(int64_t n, const real *x, double *out_low, double *out_high)
{
    double low = n > 0 ? (double)x[0] : 0, high = low;
    for (int64_t i = 0; i < n; i++) {
        if (isnan(x[i])) low = high = NAN; /* and stays */
        low = x[i] < low ? (double)x[i] : low;
        high = x[i] > high ? (double)x[i] : high;
    }
    *out_low = low;
    *out_high = high;
}

void dt_range_from_ends(const dt_range_call *call, double low, double high, double *out_scale,
                        double *out_offset)
{
    const int qmin = call->qmin, qmax = call->qmax;
    if (call->offset) {
        *out_scale = (high - low) / (qmax - qmin);
        *out_offset = low - qmin * *out_scale;
        return;
    }
    double s = fmax(high, 0) / qmax;
    *out_scale = qmin < 0 ? fmax(s, fmin(low, 0) / qmin) : s;
    if (isnan(low) || isnan(high)) *out_scale = NAN;
    *out_offset = 0;
}

double dt_range_minmax(int64_t n, const real *x, int qmin, int qmax)
{
    real lows[LANES] = { 0 }, highs[LANES] = { 0 };
    for (int64_t i = 0; i < n; i += LANES)
        for (int64_t k = 0; k < (n - i < LANES ? n - i : LANES); k++) {
            lows[k] = x[i + k] < lows[k] ? x[i + k] : lows[k];
            highs[k] = x[i + k] > highs[k] ? x[i + k] : highs[k];
        }
    double low = 0, high = 0;
    for (int k = 0; k < LANES; k++) {
        low = fmin(low, (double)lows[k]);
        high = fmax(high, (double)highs[k]);
    }
    double s = high / qmax;
    return qmin < 0 ? fmax(s, low / qmin) : s;
}

/* Data and grid of an error; scale and offset are what is searched. */
typedef struct problem {
    int64_t n, stride;
    const real *x;
    real *sample; /* of x, in a row; NULL: x is looked through */
    int qmin, qmax;
    double norm;
} problem;

/* One value of each run of `stride`, at a place that a multiplicative hash chooses: at a fixed
 * place a stride that shares a factor with the channel count would see some channels only. */
static real value_at(const problem *p, int64_t start)
{
    uint32_t hash = (uint32_t)(start / p->stride + 1) * 2654435769u;
    int64_t i = start + (int64_t)((uint64_t)hash * (uint64_t)p->stride >> 32);
    return p->x[i >= p->n ? start : i];
}

/* With the sample copied, for it is read a hundred times and lies far apart in large tensors. */
static problem problem_of(int64_t n, const real *x, int qmin, int qmax, double norm, int64_t sample)
{
    problem p = { n, (n + sample - 1) / sample, x, NULL, qmin, qmax, norm };
    if (p.stride > 1) p.sample = dt_get_array(NULL, (size_t)sample, sizeof *x, "range");
    if (!p.sample) return p;
    int64_t m = 0;
    for (int64_t start = 0; start < n; start += p.stride)
        p.sample[m++] = value_at(&p, start);
    p.x = p.sample;
    p.n = m;
    p.stride = 1;
    return p;
}

/* Grids that are tried together. Each has a sum of its own, in the order of the elements; side by
 * side they keep a processor busy that would wait for one of them. */
typedef struct trial {
    double scale[LANES], offset[LANES], sum[LANES];
} trial;

/* Of one value in `count` grids. */
static inline void add_errors(const problem *p, double value, int count, trial *t)
{
    const double low = p->qmin, high = p->qmax, ulp_1 = 0x1.8p52;
    for (int k = 0; k < count; k++) {
        double x = value - t->offset[k], u = x / t->scale[k];
        u = u < low ? low : u;
        u = u > high ? high : u;
        double d = ((u + ulp_1) - ulp_1) * t->scale[k] - x; /* rint(u) is a call on base x86-64 */
        if (p->norm == 2)
            t->sum[k] += d * d;
        else if (d != 0)
            t->sum[k] += dt_exp(p->norm * dt_log(fabs(d)));
    }
}

static inline void add_all(const problem *p, int count, trial *t)
{
    trial now = *t; /* in registers */
    for (int64_t start = 0; start < p->n; start += p->stride)
        add_errors(p, (double)(p->stride > 1 ? value_at(p, start) : p->x[start]), count, &now);
    *t = now;
}

/* Sums of the first `count`; grids without extent are infinitely wrong. */
static void errors_of(const problem *p, int count, trial *t)
{
    for (int k = 0; k < LANES; k++) {
        t->sum[k] = 0;
        if (k < count) continue;
        t->scale[k] = t->scale[0];
        t->offset[k] = t->offset[0];
    }
    if (count > 2 && p->norm == 2)
        add_all(p, LANES, t);
    else if (count == 2)
        add_all(p, 2, t);
    else
        for (int k = 0; k < count; k++) {
            trial one = { { t->scale[k] }, { t->offset[k] }, { 0 } };
            add_all(p, 1, &one);
            t->sum[k] = one.sum[0];
        }
    for (int k = 0; k < count; k++)
        if (!(t->scale[k] > 0)) t->sum[k] = INFINITY;
}

/* What the golden section moves: the scale, or one end of the range. */
typedef enum side { SCALE, LOW, HIGH } side;
typedef struct point {
    double scale, low, high;
} point;

/* Grid k with one of its numbers at `value`. */
static void set_grid(const problem *p, point at, side which, double value, trial *t, int k)
{
    double low = which == LOW ? value : at.low, high = which == HIGH ? value : at.high;
    t->scale[k] = which == SCALE ? value : (high - low) / (p->qmax - p->qmin);
    t->offset[k] = which == SCALE ? 0 : low - p->qmin * t->scale[k];
}

/* Golden section on a..b; the error is near convex there. */
static double golden(const problem *p, point at, side which, double a, double b)
{
    double c = b - golden_ratio * (b - a), d = a + golden_ratio * (b - a);
    for (int i = 0; i < GOLDEN; i++) {
        trial t;
        set_grid(p, at, which, c, &t, 0);
        set_grid(p, at, which, d, &t, 1);
        errors_of(p, 2, &t);
        if (t.sum[0] < t.sum[1])
            b = d;
        else
            a = c;
        c = b - golden_ratio * (b - a);
        d = a + golden_ratio * (b - a);
    }
    return (a + b) / 2;
}

/* Of the scales first * widest / CANDIDATES and on; the least one's number, of equal ones the
 * first. */
static int best_scale(const problem *p, double widest, double *out_least)
{
    int best = CANDIDATES;
    *out_least = INFINITY;
    for (int first = 1; first <= CANDIDATES; first += LANES) {
        const int count = CANDIDATES + 1 - first < LANES ? CANDIDATES + 1 - first : LANES;
        trial t;
        for (int k = 0; k < count; k++)
            set_grid(p, (point){ 0 }, SCALE, widest * (first + k) / CANDIDATES, &t, k);
        errors_of(p, count, &t);
        for (int k = 0; k < count; k++) {
            if (t.sum[k] >= *out_least) continue;
            *out_least = t.sum[k];
            best = first + k;
        }
    }
    return best;
}

double dt_range_least_error(int64_t n, const real *x, int qmin, int qmax, double norm, bool refine)
{
    double widest = dt_range_minmax(n, x, qmin, qmax);
    if (!(widest > 0)) return 0;
    problem p = problem_of(n, x, qmin, qmax, norm, SAMPLE);
    double least;
    int best = best_scale(&p, widest, &least);
    double found = widest * best / CANDIDATES;
    if (refine) {
        double a = widest * fmax(best - 1, 0.01) / CANDIDATES, b = widest * (best + 1) / CANDIDATES;
        double s = golden(&p, (point){ 0 }, SCALE, a, b);
        trial t;
        set_grid(&p, (point){ 0 }, SCALE, s, &t, 0);
        errors_of(&p, 1, &t);
        if (t.sum[0] < least) found = s;
    }
    dt_put(NULL, p.sample);
    return found;
}

double dt_range_mse(int64_t n, const real *x, int qmin, int qmax)
{
    return dt_range_least_error(n, x, qmin, qmax, 2, true);
}

/* Lower ends over the lower half of the range, upper ones over nearly all of it: rectified and
 * swish-like values have a long tail on one side. */
static point best_pair(const problem *p, double low, double high)
{
    point best = { 0, low, high };
    double least = INFINITY, extent = high - low;
    for (int i = 0; i < LOWS; i++)
        for (int j = 0; j < HIGHS; j += LANES) {
            trial t;
            point at[LANES];
            for (int k = 0; k < LANES; k++) {
                at[k] = (point){ 0, low + extent / 2 * i / LOWS,
                                 high - extent * (j + k) / (HIGHS + 1) };
                set_grid(p, at[k], HIGH, at[k].high, &t, k);
            }
            errors_of(p, LANES, &t);
            for (int k = 0; k < LANES; k++) {
                if (t.sum[k] >= least) continue;
                least = t.sum[k];
                best = at[k];
            }
        }
    return best;
}

void dt_range_least_error_ends(const dt_range_call *call, double norm, bool refine,
                               double *out_scale, double *out_offset)
{
    double low, high;
    problem p = problem_of(call->n, call->x, call->qmin, call->qmax, norm, PAIR_SAMPLE);
    dt_range_ends(call->n, call->x, &low, &high);
    double extent = high - low;
    point best = { 0, low, high };
    if (extent > 0 && isfinite(extent)) {
        best = best_pair(&p, low, high);
        double step = extent / HIGHS;
        for (int round = 0; refine && round < 3; round++) {
            best.high = golden(&p, best, HIGH, best.high - step, best.high + step);
            best.low = golden(&p, best, LOW, best.low - step, best.low + step);
            step /= 2;
        }
    }
    dt_put(NULL, p.sample);
    dt_range_from_ends(call, best.low, best.high, out_scale, out_offset);
}

double dt_range_lsq(int64_t n, const real *x, int qmax)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += fabs((double)x[i]);
    return n > 0 ? 2 * sum / (double)n / sqrt(qmax) : 0;
}
