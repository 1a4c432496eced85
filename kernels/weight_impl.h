/* Bodies of the kernels of weight.h, compiled once a tier. Plain loops: the compiler vectorises
 * them, which changes no bit because nothing is reassociated but integers. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_WEIGHT_IMPL_H
#define DT_KERNELS_WEIGHT_IMPL_H

#include "kernels/tile_impl.h"
#include "kernels/weight.h"

/* n <= SPAN values. */
static inline void codes_span(const dt_encode *e, int64_t n, const real *restrict x,
                              real *restrict u, real *restrict q)
{
    for (int64_t l = 0; l < n; l++)
        u[l] = (x[l] - e->offset) / e->scale;
    if (e->thresholds)
        nearest_levels(e, n, u, q);
    else
        for (int64_t l = 0; l < n; l++)
            q[l] = rint(clip_real(u[l], e->qmin, e->qmax));
}

static void weight_codes(int64_t n, const real *x, const dt_encode *e, real *code)
{
    real u[SPAN];
    for (int64_t at = 0; at < n; at += SPAN)
        codes_span(e, n - at < SPAN ? n - at : SPAN, x + at, u, code + at);
}

static inline void track_span(int64_t n, const real *restrict q, real m, real threshold,
                              real *restrict code, real *restrict turn, real *restrict flips,
                              int32_t *counts)
{
    int32_t changed = 0, oscillating = 0;
    for (int64_t l = 0; l < n; l++) {
        real up = q[l] > code[l] ? (real)1 : 0, down = q[l] < code[l] ? (real)1 : 0;
        real now = up - down, reversal = now * turn[l] < 0 ? (real)1 : 0;
        real f = m * reversal + (1 - m) * flips[l];
        flips[l] = f;
        turn[l] = now != 0 ? now : turn[l];
        code[l] = q[l];
        changed += now != 0;
        oscillating += f > threshold;
    }
    counts[0] += changed;
    counts[1] += oscillating;
}

static void weight_track(int64_t n, const real *x, const dt_encode *e, real m, real threshold,
                         real *code, real *turn, real *flips, int64_t counts[2])
{
    real u[SPAN], q[SPAN];
    int32_t part[2] = { 0, 0 };
    int64_t at = 0;
    for (; at + SPAN <= n; at += SPAN) {
        codes_span(e, SPAN, x + at, u, q);
        track_span(SPAN, q, m, threshold, code + at, turn + at, flips + at, part);
    }
    codes_span(e, n - at, x + at, u, q);
    track_span(n - at, q, m, threshold, code + at, turn + at, flips + at, part);
    counts[0] += part[0];
    counts[1] += part[1];
}

static inline void dampen_span(const dt_encode *e, int64_t n, const real *restrict x, real factor,
                               real *restrict g)
{
    real u[SPAN] = { 0 }, q[SPAN]; /* gcc with sanitizers sees a loop of no turns */
    const real s = e->scale, o = e->offset, lo = e->qmin, hi = e->qmax;
    codes_span(e, n, x, u, q);
    for (int64_t l = 0; l < n; l++) {
        real d = x[l] - (q[l] * s + o);
        d = u[l] < lo ? 0 : d;
        d = u[l] > hi ? 0 : d;
        g[l] += factor * d;
    }
}

static void weight_dampen(int64_t n, const real *x, const dt_encode *e, real factor, real *g)
{
    int64_t at = 0;
    for (; at + SPAN <= n; at += SPAN)
        dampen_span(e, SPAN, x + at, factor, g + at);
    dampen_span(e, n - at, x + at, factor, g + at);
}

static void weight_hold(int64_t n, const dt_encode *e, const real *restrict held, real *restrict x)
{
    const real s = e->scale, o = e->offset, lo = e->qmin + (real)0.25, hi = e->qmax - (real)0.25;
    for (int64_t l = 0; l < n; l++) {
        real at = clip_real(held[l], lo, hi) * s + o;
        x[l] = held[l] < DT_NOT_HELD ? at : x[l];
    }
}

static int64_t weight_settle(int64_t n, const dt_encode *e, real m, real threshold,
                             const real *restrict flips, real *restrict code, real *restrict turn,
                             real *restrict mean, real *restrict held)
{
    int32_t fresh = 0;
    const real lo = e->qmin, hi = e->qmax;
    for (int64_t l = 0; l < n; l++) {
        bool takes = !(held[l] < DT_NOT_HELD) && flips[l] > threshold;
        real at = rint(clip_real(mean[l], lo, hi));
        held[l] = takes ? at : held[l];
        code[l] = takes ? at : code[l];
        turn[l] = takes ? 0 : turn[l];
        mean[l] = m * code[l] + (1 - m) * mean[l];
        fresh += takes;
    }
    return fresh;
}

static inline void held_span(const dt_encode *e, int64_t n, const real *restrict x,
                             const real *restrict held, real part, real *restrict g,
                             real *restrict sum)
{
    const real s = e->scale, o = e->offset, lo = e->qmin, hi = e->qmax;
    for (int64_t l = 0; l < n; l++) {
        real u = (x[l] - o) / s, q = rint(clip_real(u, lo, hi));
        bool is = held[l] < DT_NOT_HELD;
        sum[l] += is ? g[l] * (part * held[l] - (q - u)) : 0;
        g[l] = is ? 0 : g[l];
    }
}

/* Lane l takes the elements l, l+16, ... */
static double weight_held_back(int64_t n, const real *x, const dt_encode *e, const real *held,
                               real part, real *g)
{
    real lanes[LANES] = { 0 };
    double total = 0;
    int64_t at = 0;
    for (; at + LANES <= n; at += LANES)
        held_span(e, LANES, x + at, held + at, part, g + at, lanes);
    held_span(e, n - at, x + at, held + at, part, g + at, lanes);
    for (int l = 0; l < LANES; l++)
        total += (double)lanes[l];
    return total;
}

static void weight_blend(int64_t n, real keep, const real *restrict x, real *restrict y)
{
    const real take = 1 - keep;
    for (int64_t l = 0; l < n; l++)
        y[l] = keep * y[l] + take * x[l];
}

void WEIGHT_FILL(dt_weight_kernels *k)
{
    *k = (dt_weight_kernels){ weight_codes,  weight_track,     weight_dampen, weight_hold,
                              weight_settle, weight_held_back, weight_blend };
}

#endif
