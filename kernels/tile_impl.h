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

static void tile_clip(int64_t n, const real *x, real high, real *y)
{
    for (int64_t j = 0; j < n; j++) {
        real v = x[j] <= 0 ? 0 : x[j];
        y[j] = v >= high ? high : v;
    }
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
    for (int64_t ch = 0; ch < C; ch++)
        mean[ch] = (real)(sums[ch] / (double)rows);
    for (int64_t j = C; j < T; j++)
        mean[j] = mean[j - C];
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

static inline void level_codes(const dt_encode *e, int64_t n, const real *restrict x,
                               uint8_t *restrict c)
{
    real u[SPAN] = { 0 }, q[SPAN]; /* gcc with sanitizers sees a loop of no turns */
    for (int64_t l = 0; l < n; l++)
        u[l] = (x[l] - e->offset) / e->scale;
    nearest_levels(e, n, u, q);
    for (int64_t l = 0; l < n; l++) {
        real code = q[l] - e->level[0];
        c[l] = (uint8_t)(int)(code > 0 ? code : 0); /* nan too */
    }
}

static void tile_codes(int64_t n, const real *restrict x, const dt_encode *e, uint8_t *restrict c)
{
    const real s = e->scale, o = e->offset, lo = e->qmin, hi = e->qmax;
    if (e->thresholds) {
        int64_t j = 0;
        for (; j + SPAN <= n; j += SPAN)
            level_codes(e, SPAN, x + j, c + j);
        level_codes(e, n - j, x + j, c + j);
        return;
    }
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

static void tile_narrow(int64_t n, const int32_t *restrict sum, int center, int16_t *restrict s)
{
    for (int64_t j = 0; j < n; j++)
        s[j] = (int16_t)(sum[j] - center);
}

static void tile_widen(int64_t n, int64_t T, const int16_t *restrict s, int center,
                       const real *restrict scale, real *restrict y)
{
    for (int64_t at = 0; at < n; at += T) {
        int64_t len = n - at < T ? n - at : T;
        for (int64_t j = 0; j < len; j++)
            y[at + j] = (real)(s[at + j] + center) * scale[j];
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

typedef struct range16 {
    real s, o, qmin, qmax, low, high;
    bool plain;
} range16;

/* What slopes make of the gradient `in` of n values. */
DT_INLINE void slopes(const dt_encode *e, int64_t n, const real *restrict u, const real *restrict q,
                      const real *restrict in, real *restrict h)
{
    const real a = e->slope_a, b = e->slope_b;
    if (e->slope == DT_SLOPE_GAP && !e->thresholds)
        for (int64_t l = 0; l < n; l++)
            h[l] = in[l] + a * fabs(in[l]) * (u[l] - q[l]);
    else if (e->slope == DT_SLOPE_SOFT && !e->thresholds)
        for (int64_t l = 0; l < n; l++)
            h[l] = in[l] * (b * sech_squared(a * (u[l] - floor(u[l]) - (real)0.5)));
    else
        for (int64_t l = 0; l < n; l++)
            h[l] = in[l];
}

/* What SPAN elements, or fewer, give to the sums. */
typedef struct span_terms {
    real residual[SPAN], inside[SPAN], below[SPAN], above[SPAN], kept[SPAN];
} span_terms;

/* Any encoder: n <= SPAN elements. Loops over more than one register's worth are what compilers
 * vectorise; the lanes are added up afterwards. */
DT_INLINE void back_terms(const dt_encode *e, range16 r, int64_t n, const real *restrict x,
                          const real *restrict g, span_terms *restrict t, real *restrict dx)
{
    real u[SPAN], q[SPAN], h[SPAN];
    for (int64_t l = 0; l < n; l++)
        u[l] = (x[l] - r.o) / r.s;
    if (e->thresholds)
        nearest_levels(e, n, u, q);
    else
        for (int64_t l = 0; l < n; l++)
            q[l] = rint(clip_real(u[l], r.qmin, r.qmax));
    for (int64_t l = 0; l < n; l++) {
        real in = u[l] <= r.low ? 0 : g[l];
        t->inside[l] = u[l] >= r.high ? 0 : in;
        t->below[l] = u[l] <= r.low ? g[l] : 0;
        t->above[l] = u[l] >= r.high ? g[l] : 0;
    }
    slopes(e, n, u, q, t->inside, h);
    for (int64_t l = 0; l < n; l++) {
        t->kept[l] = t->inside[l] - h[l];
        t->residual[l] = t->inside[l] * (q[l] - u[l]) + t->kept[l] * u[l];
        dx[l] = h[l] + (r.plain ? t->below[l] + t->above[l] : 0);
    }
}

/* Lane l of the sums takes the elements l, l + 16, ... */
DT_INLINE void add_lanes(int64_t n, const real *restrict from, real *restrict lanes)
{
    int64_t at = 0;
    for (; at + LANES <= n; at += LANES)
        for (int64_t l = 0; l < LANES; l++)
            lanes[l] += from[at + l];
    for (int64_t l = 0; at + l < n; l++)
        lanes[l] += from[at + l];
}

DT_INLINE void put_dx(real *dx, const real *from, int64_t n, bool sum)
{
    if (!dx) return;
    if (sum)
        for (int64_t l = 0; l < n; l++)
            dx[l] += from[l];
    else
        for (int64_t l = 0; l < n; l++)
            dx[l] = from[l];
}

DT_INLINE void back_span(const dt_encode *e, range16 r, int64_t n, const real *x, const real *g,
                         lane_block *b, real *dx, bool sum)
{
    span_terms t;
    real part[SPAN];
    back_terms(e, r, n, x, g, &t, part);
    add_lanes(n, t.residual, b->residual);
    add_lanes(n, t.inside, b->inside);
    add_lanes(n, t.below, b->below);
    add_lanes(n, t.above, b->above);
    add_lanes(n, t.kept, b->kept);
    put_dx(dx, part, n, sum);
}

static void back_any(int64_t n, const real *x, const real *g, const dt_encode *e, range16 r,
                     lane_block *b, real *dx, bool sum)
{
    int64_t j = 0;
    for (; j + SPAN <= n; j += SPAN)
        back_span(e, r, SPAN, x + j, g + j, b, dx ? dx + j : NULL, sum);
    back_span(e, r, n - j, x + j, g + j, b, dx ? dx + j : NULL, sum);
}

/* Affine encoders with slope one. A loop for each term: compilers make masks of bits, not of words,
 * from loops with several. dx may be g. */
DT_INLINE void back_affine_span(range16 e, const real *restrict x, const real *g,
                                lane_block *restrict b, real *dx, bool sum)
{
    real u[SPAN], residual[SPAN], in[SPAN], below[SPAN], above[SPAN];
    for (int l = 0; l < SPAN; l++) {
        u[l] = (x[l] - e.o) / e.s;
        residual[l] = rint(clip_real(u[l], e.qmin, e.qmax)) - u[l];
    }
    for (int l = 0; l < SPAN; l++)
        below[l] = u[l] <= e.low ? g[l] : 0;
    for (int l = 0; l < SPAN; l++)
        above[l] = u[l] >= e.high ? g[l] : 0;
    for (int l = 0; l < SPAN; l++) {
        real v = u[l] <= e.low ? 0 : g[l];
        in[l] = u[l] >= e.high ? 0 : v;
        residual[l] *= in[l];
    }
    add_lanes(SPAN, residual, b->residual);
    add_lanes(SPAN, in, b->inside);
    add_lanes(SPAN, below, b->below);
    add_lanes(SPAN, above, b->above);
    put_dx(dx, e.plain ? g : in, SPAN, sum);
}

static void back_affine(int64_t n, const real *x, const real *g, const dt_encode *e, range16 r,
                        lane_block *b, real *dx, bool sum)
{
    int64_t j = 0;
    for (; j + SPAN <= n; j += SPAN)
        back_affine_span(r, x + j, g + j, b, dx ? dx + j : NULL, sum);
    back_any(n - j, x + j, g + j, e, r, b, dx ? dx + j : NULL, sum);
}

/* Lane l takes the elements l, l+16, ... */
static void tile_encode_back(int64_t n, const real *x, const real *g, const dt_encode *e, real *dx,
                             bool sum, dt_encode_sums *total)
{
    lane_block b = { { 0 }, { 0 }, { 0 }, { 0 }, { 0 } };
    range16 r = { e->scale, e->offset, e->qmin, e->qmax, 0, 0, e->plain };
    dt_encode_bounds(e, &r.low, &r.high);
    if (e->thresholds || e->slope != DT_SLOPE_ONE)
        back_any(n, x, g, e, r, &b, dx, sum);
    else
        back_affine(n, x, g, e, r, &b, dx, sum);
    for (int l = 0; l < LANES; l++) {
        total->residual += (double)b.residual[l];
        total->inside += (double)b.inside[l];
        total->below += (double)b.below[l];
        total->above += (double)b.above[l];
        total->kept += (double)b.kept[l];
    }
}

#endif
