/* Bodies of the kernels on tiles (tile.h), compiled once a tier. Plain loops: the compiler
 * vectorises them, which changes no bit because nothing is reassociated. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_TILE_IMPL_H
#define DT_KERNELS_TILE_IMPL_H

#include <math.h>
#include <string.h>
#include <tgmath.h>

#include "kernels/decode.h"
#include "kernels/levels.h"
#include "kernels/tile.h"

enum { LANES = 16, SPAN = 4 * LANES };

/* Element i of x, which is in lane j; `wide` is a constant where this is inlined. */
DT_INLINE real tile_at(dt_tile_x x, bool wide, int64_t i, int64_t j)
{
    return wide ? (real)(x.sum[i] + x.center) * x.scale[j] : x.x[i];
}

DT_INLINE real norm_at(dt_tile_x x, bool wide, int64_t i, int64_t j, const real *restrict m,
                       const real *restrict k, const real *restrict b)
{
    return (tile_at(x, wide, i, j) - m[j]) * k[j] + b[j];
}

DT_INLINE real rectified(real x, real high)
{
    real v = x <= 0 ? 0 : x;
    return v >= high ? high : v;
}

DT_INLINE void norm_of(int64_t n, int64_t T, dt_tile_x x, bool wide, dt_tile_norm z, bool rectify,
                       real *y)
{
    const real *restrict m = z.m, *restrict k = z.k, *restrict b = z.b;
    const real high = z.high;
    for (int64_t at = 0; at < n; at += T) {
        int64_t len = n - at < T ? n - at : T;
        for (int64_t j = 0; j < len; j++) {
            real v = norm_at(x, wide, at + j, j, m, k, b);
            y[at + j] = rectify ? rectified(v, high) : v;
        }
    }
}

static void tile_norm(int64_t n, int64_t T, dt_tile_x x, dt_tile_norm z, real *y)
{
    if (x.x && z.high > 0)
        norm_of(n, T, x, false, z, true, y);
    else if (x.x)
        norm_of(n, T, x, false, z, false, y);
    else if (z.high > 0)
        norm_of(n, T, x, true, z, true, y);
    else
        norm_of(n, T, x, true, z, false, y);
}

static void tile_add(int64_t n, const real *a, const real *b, real *y)
{
    for (int64_t j = 0; j < n; j++)
        y[j] = a[j] + b[j];
}

static void tile_relu(int64_t n, const real *x, real *y)
{
    for (int64_t j = 0; j < n; j++)
        y[j] = x[j] <= 0 ? 0 : x[j];
}

static void tile_relu_back(int64_t n, const real *y, const real *g, real *dx, bool sum)
{
    if (sum)
        for (int64_t j = 0; j < n; j++)
            dx[j] += y[j] > 0 ? g[j] : 0;
    else
        for (int64_t j = 0; j < n; j++)
            dx[j] = y[j] > 0 ? g[j] : 0;
}

static void tile_clip(int64_t n, const real *x, real high, real *y)
{
    for (int64_t j = 0; j < n; j++)
        y[j] = rectified(x[j], high);
}

static void tile_clip_back(int64_t n, const real *y, const real *g, real high, real *dx, bool sum)
{
    if (sum)
        for (int64_t j = 0; j < n; j++)
            dx[j] += ((y[j] > 0) & (y[j] < high)) ? g[j] : 0;
    else
        for (int64_t j = 0; j < n; j++)
            dx[j] = ((y[j] > 0) & (y[j] < high)) ? g[j] : 0;
}

static void tile_fold(int64_t T, int64_t C, const real *restrict lanes, double *restrict sums)
{
    for (int64_t ch = 0; ch < C; ch++)
        sums[ch] = 0;
    for (int64_t at = 0; at < T; at += C)
        for (int64_t ch = 0; ch < C; ch++)
            sums[ch] += (double)lanes[at + ch];
}

DT_INLINE void lane_sums(dt_tile_x x, bool wide, int64_t n, int64_t T, real *restrict acc)
{
    for (int64_t j = 0; j < T; j++)
        acc[j] = 0;
    for (int64_t at = 0; at < n; at += T) {
        int64_t m = n - at < T ? n - at : T;
        for (int64_t j = 0; j < m; j++)
            acc[j] += tile_at(x, wide, at + j, j);
    }
}

DT_INLINE void moments_of(int64_t rows, int64_t C, int64_t T, dt_tile_x x, bool wide,
                          real *restrict acc, double *sums)
{
    int64_t n = rows * C;
    real *restrict mean = acc + T;
    lane_sums(x, wide, n, T, acc);
    tile_fold(T, C, acc, sums);
    for (int64_t ch = 0; ch < C; ch++)
        mean[ch] = (real)(sums[ch] / (double)rows);
    for (int64_t j = C; j < T; j++)
        mean[j] = mean[j - C];
    for (int64_t j = 0; j < T; j++)
        acc[j] = 0;
    for (int64_t at = 0; at < n; at += T) {
        int64_t m = n - at < T ? n - at : T;
        for (int64_t j = 0; j < m; j++) {
            real d = tile_at(x, wide, at + j, j) - mean[j];
            acc[j] += d * d;
        }
    }
    tile_fold(T, C, acc, sums + C);
    /* The deviations were taken from the rounded mean: correct for what rounding left. */
    for (int64_t ch = 0; ch < C; ch++) {
        double exact = sums[ch] / (double)rows, off = exact - (double)mean[ch];
        sums[C + ch] -= (double)rows * off * off;
    }
}

/* Two passes over memory that is in cache: mean, then squared deviations from it. */
static void tile_moments(int64_t rows, int64_t C, int64_t T, dt_tile_x x, real *lanes, double *sums)
{
    if (x.x)
        moments_of(rows, C, T, x, false, lanes, sums);
    else
        moments_of(rows, C, T, x, true, lanes, sums);
}

DT_INLINE void norm_sums_of(int64_t n, int64_t T, dt_tile_x x, bool wide, const real *restrict g,
                            const real *restrict m, real *restrict s0, real *restrict s1)
{
    for (int64_t at = 0; at < n; at += T) {
        int64_t len = n - at < T ? n - at : T;
        for (int64_t j = 0; j < len; j++) {
            real d = g[at + j];
            s0[j] += d;
            s1[j] += d * (tile_at(x, wide, at + j, j) - m[j]);
        }
    }
}

static void tile_norm_sums(int64_t n, int64_t T, dt_tile_x x, const real *g, const real *m,
                           real *s0, real *s1)
{
    if (x.x)
        norm_sums_of(n, T, x, false, g, m, s0, s1);
    else
        norm_sums_of(n, T, x, true, g, m, s0, s1);
}

DT_INLINE void norm_back_of(int64_t n, int64_t T, dt_tile_x x, bool wide, const real *g,
                            const real *restrict m, const real *restrict k, const real *restrict a,
                            const real *restrict b, real *dx, bool sum)
{
    for (int64_t at = 0; at < n; at += T) {
        int64_t len = n - at < T ? n - at : T;
        if (sum)
            for (int64_t j = 0; j < len; j++)
                dx[at + j] +=
                    k[j] * (g[at + j] - a[j] - (tile_at(x, wide, at + j, j) - m[j]) * b[j]);
        else
            for (int64_t j = 0; j < len; j++)
                dx[at + j] =
                    k[j] * (g[at + j] - a[j] - (tile_at(x, wide, at + j, j) - m[j]) * b[j]);
    }
}

static void tile_norm_back(int64_t n, int64_t T, dt_tile_x x, const real *g, const real *m,
                           const real *k, const real *a, const real *b, real *dx, bool sum)
{
    if (x.x)
        norm_back_of(n, T, x, false, g, m, k, a, b, dx, sum);
    else
        norm_back_of(n, T, x, true, g, m, k, a, b, dx, sum);
}

/* ---- fake quantization ---- */

/* Division, not multiplication by 1/scale: they differ at ties, and every place that decides a code
 * must decide the same. */
static inline real clip_real(real u, real lo, real hi)
{
    u = u < lo ? lo : u;
    return u > hi ? hi : u;
}

static inline void level_span(const dt_encode *e, int64_t n, const real *x, real *y)
{
    real u[SPAN] = { 0 }, q[SPAN]; /* gcc with sanitizers sees a loop of no turns */
    for (int64_t l = 0; l < n; l++)
        u[l] = (x[l] - e->offset) / e->scale;
    nearest_levels(e, n, u, q);
    for (int64_t l = 0; l < n; l++)
        y[l] = q[l] * e->scale + e->offset;
}

static void tile_encode_levels(int64_t n, const real *x, const dt_encode *e, real *y)
{
    int64_t j = 0;
    for (; j + SPAN <= n; j += SPAN)
        level_span(e, SPAN, x + j, y + j);
    level_span(e, n - j, x + j, y + j);
}

static void tile_encode(int64_t n, const real *x, const dt_encode *e, real *y)
{
    const real s = e->scale, o = e->offset, lo = e->qmin, hi = e->qmax;
    if (e->thresholds) {
        tile_encode_levels(n, x, e, y);
        return;
    }
    for (int64_t j = 0; j < n; j++)
        y[j] = rint(clip_real((x[j] - o) / s, lo, hi)) * s + o;
}

static inline bool level_codes(const dt_encode *e, int64_t n, const real *restrict x,
                               uint8_t *restrict c)
{
    int bad = 0;
    real u[SPAN] = { 0 }, q[SPAN]; /* gcc with sanitizers sees a loop of no turns */
    for (int64_t l = 0; l < n; l++)
        u[l] = (x[l] - e->offset) / e->scale;
    nearest_levels(e, n, u, q);
    for (int64_t l = 0; l < n; l++) {
        bad |= !(fabs(x[l]) < (real)INFINITY);
        real code = q[l] - e->level[0];
        c[l] = (uint8_t)(int)(code > 0 ? code : 0); /* nan too */
    }
    return !bad;
}

DT_INLINE uint8_t code_at(real x, real s, real o, real lo, real hi)
{
    real u = (x - o) / s;
    u = u > lo ? u : lo; /* nan too */
    u = u < hi ? u : hi;
    return (uint8_t)(int)(rint(u) - lo);
}

static bool tile_codes(int64_t n, const real *restrict x, const dt_encode *e, uint8_t *restrict c)
{
    const real s = e->scale, o = e->offset, lo = e->qmin, hi = e->qmax;
    int bad = 0;
    if (e->thresholds) {
        int64_t j = 0;
        for (; j + SPAN <= n; j += SPAN)
            bad |= !level_codes(e, SPAN, x + j, c + j);
        bad |= !level_codes(e, n - j, x + j, c + j);
        return !bad;
    }
    for (int64_t j = 0; j < n; j++) {
        bad |= !(fabs(x[j]) < (real)INFINITY);
        c[j] = code_at(x[j], s, o, lo, hi);
    }
    return !bad;
}

DT_INLINE bool norm_codes_of(int64_t n, int64_t T, dt_tile_x x, bool wide, dt_tile_norm z,
                             bool rectify, const dt_encode *e, uint8_t *restrict c)
{
    const real s = e->scale, o = e->offset, lo = e->qmin, hi = e->qmax, high = z.high;
    const real *restrict m = z.m, *restrict k = z.k, *restrict b = z.b;
    int bad = 0;
    for (int64_t at = 0; at < n; at += T) {
        int64_t len = n - at < T ? n - at : T;
        for (int64_t j = 0; j < len; j++) {
            real v = norm_at(x, wide, at + j, j, m, k, b);
            v = rectify ? rectified(v, high) : v;
            bad |= !(fabs(v) < (real)INFINITY);
            c[at + j] = code_at(v, s, o, lo, hi);
        }
    }
    return !bad;
}

static bool tile_norm_codes(int64_t n, int64_t T, dt_tile_x x, dt_tile_norm z, const dt_encode *e,
                            uint8_t *c)
{
    if (x.x && z.high > 0) return norm_codes_of(n, T, x, false, z, true, e, c);
    if (x.x) return norm_codes_of(n, T, x, false, z, false, e, c);
    if (z.high > 0) return norm_codes_of(n, T, x, true, z, true, e, c);
    return norm_codes_of(n, T, x, true, z, false, e, c);
}

static void tile_decode(int64_t n, const uint8_t *restrict c, int zero_point, real scale,
                        real *restrict y)
{
    dt_decode(n, c, zero_point, scale, y);
}

static void tile_scale_sums(int64_t n, int64_t T, const int32_t *sum, const real *restrict scale,
                            real *y)
{
    for (int64_t at = 0; at < n; at += T) {
        int64_t len = n - at < T ? n - at : T;
        for (int64_t j = 0; j < len; j++) {
            int32_t s;
            memcpy(&s, sum + at + j, sizeof s); /* y's memory may hold the sums */
            y[at + j] = (real)s * scale[j];
        }
    }
}

static void tile_narrow(int64_t n, const int32_t *restrict sum, int center, int16_t *restrict s)
{
    for (int64_t j = 0; j < n; j++)
        s[j] = (int16_t)(sum[j] - center);
}

#endif
