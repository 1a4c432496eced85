/* Bodies of the kernels on tiles (tile.h), compiled once a tier. Plain loops: the compiler
 * vectorises them, which changes no bit because nothing is reassociated. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_TILE_IMPL_H
#define DT_KERNELS_TILE_IMPL_H

#include <math.h>
#include <string.h>
#include <tgmath.h>

#include "kernels/decode.h"
#include "kernels/tile.h"

enum { LANES = 16 };

static void tile_norm(int64_t n, int64_t T, const real *x, const real *restrict m,
                      const real *restrict k, const real *restrict b, real *y)
{
    for (int64_t at = 0; at < n; at += T) {
        int64_t len = n - at < T ? n - at : T;
        for (int64_t j = 0; j < len; j++)
            y[at + j] = (x[at + j] - m[j]) * k[j] + b[j];
    }
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

static void tile_fold(int64_t T, int64_t C, const real *lanes, double *sums)
{
    for (int64_t ch = 0; ch < C; ch++) {
        double s = 0;
        for (int64_t j = ch; j < T; j += C)
            s += (double)lanes[j];
        sums[ch] = s;
    }
}

static void lane_sums(const real *restrict x, int64_t n, int64_t T, real *restrict acc)
{
    for (int64_t j = 0; j < T; j++)
        acc[j] = 0;
    for (int64_t at = 0; at < n; at += T) {
        int64_t m = n - at < T ? n - at : T;
        for (int64_t j = 0; j < m; j++)
            acc[j] += x[at + j];
    }
}

/* Two passes over memory that is in cache: mean, then squared deviations from it. */
static void tile_moments(int64_t rows, int64_t C, int64_t T, const real *x, real *restrict acc,
                         double *sums)
{
    int64_t n = rows * C;
    real *restrict mean = acc + T;
    lane_sums(x, n, T, acc);
    tile_fold(T, C, acc, sums);
    for (int64_t j = 0; j < T; j++)
        mean[j] = (real)(sums[j % C] / (double)rows);
    for (int64_t j = 0; j < T; j++)
        acc[j] = 0;
    for (int64_t at = 0; at < n; at += T) {
        int64_t m = n - at < T ? n - at : T;
        for (int64_t j = 0; j < m; j++) {
            real d = x[at + j] - mean[j];
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

static void tile_norm_sums(int64_t n, int64_t T, const real *restrict x, const real *restrict g,
                           const real *restrict m, real *restrict s0, real *restrict s1)
{
    for (int64_t at = 0; at < n; at += T) {
        int64_t len = n - at < T ? n - at : T;
        for (int64_t j = 0; j < len; j++) {
            real d = g[at + j];
            s0[j] += d;
            s1[j] += d * (x[at + j] - m[j]);
        }
    }
}

static void tile_norm_back(int64_t n, int64_t T, const real *x, const real *g,
                           const real *restrict m, const real *restrict k, const real *restrict a,
                           const real *restrict b, real *dx, bool sum)
{
    for (int64_t at = 0; at < n; at += T) {
        int64_t len = n - at < T ? n - at : T;
        if (sum)
            for (int64_t j = 0; j < len; j++)
                dx[at + j] += k[j] * (g[at + j] - a[j] - (x[at + j] - m[j]) * b[j]);
        else
            for (int64_t j = 0; j < len; j++)
                dx[at + j] = k[j] * (g[at + j] - a[j] - (x[at + j] - m[j]) * b[j]);
    }
}

/* ---- fake quantization ---- */

/* Division, not multiplication by 1/scale: they differ at ties, and every place that decides a code
 * must decide the same. */
static inline real clip_real(real u, real lo, real hi)
{
    u = u < lo ? lo : u;
    return u > hi ? hi : u;
}

static inline real nearest_level(const dt_encode *e, real u)
{
    if (isnan(u)) return u;
    int lo = 0, hi = e->thresholds; /* the count of thresholds below u */
    while (lo < hi) {
        int mid = (lo + hi) / 2;
        if (e->threshold[mid] < u)
            lo = mid + 1;
        else
            hi = mid;
    }
    return e->level[lo];
}

static void tile_encode(int64_t n, const real *x, const dt_encode *e, real *y)
{
    const real s = e->scale, o = e->offset, lo = e->qmin, hi = e->qmax;
    if (e->thresholds)
        for (int64_t j = 0; j < n; j++)
            y[j] = nearest_level(e, (x[j] - o) / s) * s + o;
    else
        for (int64_t j = 0; j < n; j++)
            y[j] = rint(clip_real((x[j] - o) / s, lo, hi)) * s + o;
}

static void tile_codes(int64_t n, const real *restrict x, const dt_encode *e, uint8_t *restrict c)
{
    const real s = e->scale, o = e->offset, lo = e->qmin, hi = e->qmax;
    for (int64_t j = 0; j < n; j++) {
        real u = (x[j] - o) / s;
        u = u > lo ? u : lo; /* nan too */
        u = u < hi ? u : hi;
        c[j] = (uint8_t)(int)(rint(u) - lo);
    }
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

typedef struct lane_block {
    real residual[LANES], inside[LANES], below[LANES], above[LANES], kept[LANES];
} lane_block;

/* 1 - tanh(z)^2 = 4 E / (1 + E)^2 with E = exp(-2|z|), for |z| <= 8: a Taylor series at z / 32,
 * squared five times, so that tiers agree; relative error below 2e-7, and 1e-12 for |z| <= 2. */
static inline real sech_squared(real z)
{
    real y = z < 0 ? z / 16 : -z / 16, E = 1;
    E = 1 + y / 8;
    E = 1 + y / 7 * E;
    E = 1 + y / 6 * E;
    E = 1 + y / 5 * E;
    E = 1 + y / 4 * E;
    E = 1 + y / 3 * E;
    E = 1 + y / 2 * E;
    E = 1 + y * E;
    E *= E;
    E *= E;
    E *= E;
    E *= E;
    E *= E;
    return 4 * E / ((1 + E) * (1 + E));
}

static inline real shaped(dt_slope slope, real a, real b, real u, real q, real g)
{
    if (slope == DT_SLOPE_GAP) return g + a * fabs(g) * (u - q);
    return g * (b * sech_squared(a * (u - floor(u) - (real)0.5)));
}

/* One element's share of the gradient and of the sums; `low`, `high` by dt_encode_bounds. */
static inline void back_one(const dt_encode *e, real low, real high, real u, real q, real g,
                            lane_block *b, int l, real *dx)
{
    bool below = u <= low, above = u >= high;
    real in = below || above ? 0 : g;
    real h = e->slope == DT_SLOPE_ONE || e->thresholds
                 ? in
                 : shaped(e->slope, e->slope_a, e->slope_b, u, q, in);
    b->residual[l] += in * (q - u) + (in - h) * u;
    b->inside[l] += in;
    b->below[l] += below ? g : 0;
    b->above[l] += above ? g : 0;
    b->kept[l] += in - h;
    *dx = e->plain && (below || above) ? g : h;
}

typedef struct range16 {
    real s, o, qmin, qmax, low, high;
    bool plain;
} range16;

static inline void back_affine_16(const real *restrict x, const real *restrict g, range16 e,
                                  lane_block *restrict b, real *restrict dx)
{
    for (int l = 0; l < LANES; l++) {
        real u = (x[l] - e.o) / e.s, q = rint(clip_real(u, e.qmin, e.qmax)), gl = g[l];
        real below = u <= e.low ? gl : 0, above = u >= e.high ? gl : 0;
        real in = u <= e.low ? 0 : gl;
        in = u >= e.high ? 0 : in;
        b->residual[l] += in * (q - u);
        b->inside[l] += in;
        b->below[l] += below;
        b->above[l] += above;
        dx[l] = e.plain ? gl : in;
    }
}

/* With a slope; inlined for each so that the choice is made once a block. */
static inline void back_shaped_16(const real *restrict x, const real *restrict g, range16 e,
                                  dt_slope slope, real a, real c, lane_block *restrict b,
                                  real *restrict dx)
{
    for (int l = 0; l < LANES; l++) {
        real u = (x[l] - e.o) / e.s, q = rint(clip_real(u, e.qmin, e.qmax)), gl = g[l];
        real below = u <= e.low ? gl : 0, above = u >= e.high ? gl : 0;
        real in = u <= e.low ? 0 : gl;
        in = u >= e.high ? 0 : in;
        real h = shaped(slope, a, c, u, q, in);
        b->residual[l] += in * (q - u) + (in - h) * u;
        b->inside[l] += in;
        b->below[l] += below;
        b->above[l] += above;
        b->kept[l] += in - h;
        dx[l] = h + (e.plain ? below + above : 0);
    }
}

static inline void back_16(const dt_encode *e, range16 r, const real *restrict x,
                           const real *restrict g, lane_block *restrict b, real *restrict dx)
{
    if (e->slope == DT_SLOPE_ONE)
        back_affine_16(x, g, r, b, dx);
    else if (e->slope == DT_SLOPE_GAP)
        back_shaped_16(x, g, r, DT_SLOPE_GAP, e->slope_a, 0, b, dx);
    else
        back_shaped_16(x, g, r, DT_SLOPE_SOFT, e->slope_a, e->slope_b, b, dx);
}

static inline void put_dx(real *dx, const real *from, int64_t n, bool sum)
{
    if (!dx) return;
    if (sum)
        for (int64_t l = 0; l < n; l++)
            dx[l] += from[l];
    else
        for (int64_t l = 0; l < n; l++)
            dx[l] = from[l];
}

/* Lane l takes the elements l, l+16, ... */
static void tile_encode_back(int64_t n, const real *x, const real *g, const dt_encode *e, real *dx,
                             bool sum, dt_encode_sums *total)
{
    lane_block b = { { 0 }, { 0 }, { 0 }, { 0 }, { 0 } };
    range16 r = { e->scale, e->offset, e->qmin, e->qmax, 0, 0, e->plain };
    real part[LANES];
    int64_t j = 0;
    dt_encode_bounds(e, &r.low, &r.high);
    if (!e->thresholds) {
        for (; j + LANES <= n; j += LANES) {
            back_16(e, r, x + j, g + j, &b, part);
            put_dx(dx ? dx + j : NULL, part, LANES, sum);
        }
    }
    for (; j < n; j++) {
        real u = (x[j] - e->offset) / e->scale;
        real q = e->thresholds ? nearest_level(e, u) : rint(clip_real(u, e->qmin, e->qmax));
        back_one(e, r.low, r.high, u, q, g[j], &b, (int)(j % LANES), part);
        put_dx(dx ? dx + j : NULL, part, 1, sum);
    }
    for (int l = 0; l < LANES; l++) {
        total->residual += (double)b.residual[l];
        total->inside += (double)b.inside[l];
        total->below += (double)b.below[l];
        total->above += (double)b.above[l];
        total->kept += (double)b.kept[l];
    }
}

#endif
