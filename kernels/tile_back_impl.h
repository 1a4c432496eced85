/* Gradients through encoders on tiles (tile.h), compiled once a tier as tile_impl.h is. Sums are
 * taken in 16 lanes: lane l takes the elements l, l + 16, ... */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_TILE_BACK_IMPL_H
#define DT_KERNELS_TILE_BACK_IMPL_H

#include "kernels/tile_impl.h"

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
    if (j < n) back_any(n - j, x + j, g + j, e, r, b, dx ? dx + j : NULL, sum);
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
