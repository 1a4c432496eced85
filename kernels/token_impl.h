/* Bodies of the row kernels (token.h), included by one file a tier that defines TOKEN_FILL. Plain
 * loops: the compiler vectorises them, which changes no bit because nothing is reassociated. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>
#include <tgmath.h>

#include "kernels/erfcx_terms.h"
#include "kernels/exp.h"
#include "kernels/token.h"

enum { LANES = 16, SPAN = 4 * LANES, PART = 256 };

/* Sum of 16 lanes, in pairs. */
static inline real fold_lanes(real *lane)
{
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int l = 0; l < width; l++)
            lane[l] += lane[l + width];
    return lane[0];
}

/* Lane l takes the elements l, l + 16, ... */
DT_INLINE void add_lanes(int64_t n, const real *restrict from, real *restrict lane)
{
    int64_t at = 0;
    for (; at + LANES <= n; at += LANES)
        for (int l = 0; l < LANES; l++)
            lane[l] += from[at + l];
    for (int l = 0; at + l < n; l++)
        lane[l] += from[at + l];
}

static inline real row_sum(int64_t C, const real *x)
{
    real lane[LANES] = { 0 };
    add_lanes(C, x, lane);
    return fold_lanes(lane);
}

static inline real row_squares(int64_t C, const real *x, real mean)
{
    real lane[LANES] = { 0 };
    int64_t j = 0;
    for (; j + LANES <= C; j += LANES)
        for (int l = 0; l < LANES; l++) {
            real d = x[j + l] - mean;
            lane[l] += d * d;
        }
    for (int l = 0; j + l < C; l++) {
        real d = x[j + l] - mean;
        lane[l] += d * d;
    }
    return fold_lanes(lane);
}

static inline real row_dot(int64_t C, const real *a, const real *b)
{
    real lane[LANES] = { 0 };
    int64_t j = 0;
    for (; j + LANES <= C; j += LANES)
        for (int l = 0; l < LANES; l++)
            lane[l] += a[j + l] * b[j + l];
    for (int l = 0; j + l < C; l++)
        lane[l] += a[j + l] * b[j + l];
    return fold_lanes(lane);
}

static inline real row_most(int64_t C, const real *x)
{
    real lane[LANES], most;
    for (int l = 0; l < LANES; l++)
        lane[l] = x[0];
    int64_t j = 0;
    for (; j + LANES <= C; j += LANES)
        for (int l = 0; l < LANES; l++)
            lane[l] = x[j + l] > lane[l] ? x[j + l] : lane[l];
    most = lane[0];
    for (int l = 1; l < LANES; l++)
        most = lane[l] > most ? lane[l] : most;
    for (; j < C; j++)
        most = x[j] > most ? x[j] : most;
    return most;
}

static void token_layernorm(int64_t rows, int64_t C, real eps, const real *x,
                            const real *restrict gamma, const real *restrict beta, real *y,
                            real *restrict stats)
{
    for (int64_t r = 0; r < rows; r++, x += C, y += C) {
        real mean = row_sum(C, x) / (real)C;
        real rstd = 1 / sqrt(row_squares(C, x, mean) / (real)C + eps);
        stats[2 * r] = mean;
        stats[2 * r + 1] = rstd;
        for (int64_t j = 0; j < C; j++)
            y[j] = (x[j] - mean) * rstd * gamma[j] + beta[j];
    }
}

/* Adds the terms h and h (x - mean) rstd of n <= SPAN elements, h = g gamma, each to its lanes.
 * From one loop over all of it compilers make vectors across rows of lanes, which take six times as
 * long. */
DT_INLINE void norm_terms(int64_t n, const real *x, const real *g, const real *gamma, real mean,
                          real rstd, real *restrict one, real *restrict two)
{
    real h[SPAN], t[SPAN];
    for (int64_t l = 0; l < n; l++)
        h[l] = g[l] * gamma[l];
    for (int64_t l = 0; l < n; l++)
        t[l] = h[l] * ((x[l] - mean) * rstd);
    add_lanes(n, h, one);
    add_lanes(n, t, two);
}

/* With n = (x - mean) rstd and h = g gamma: dx = rstd (h - mean(h) - n mean(h n)). */
static void norm_row(int64_t C, const real *x, const real *g, const real *restrict gamma, real mean,
                     real rstd, real *dx, bool sum)
{
    real one[LANES] = { 0 }, two[LANES] = { 0 };
    int64_t j = 0;
    for (; j + SPAN <= C; j += SPAN)
        norm_terms(SPAN, x + j, g + j, gamma + j, mean, rstd, one, two);
    norm_terms(C - j, x + j, g + j, gamma + j, mean, rstd, one, two);
    real a = fold_lanes(one) / (real)C, b = fold_lanes(two) / (real)C;
    if (sum)
        for (j = 0; j < C; j++)
            dx[j] += rstd * (g[j] * gamma[j] - a - (x[j] - mean) * rstd * b);
    else
        for (j = 0; j < C; j++)
            dx[j] = rstd * (g[j] * gamma[j] - a - (x[j] - mean) * rstd * b);
}

/* Compilers make no vectors of a loop that also asks whether there is anything to do. */
static void add_norm_params(int64_t C, const real *x, const real *g, real mean, real rstd,
                            real *restrict dgamma, real *restrict dbeta)
{
    for (int64_t j = 0; j < C; j++) {
        dgamma[j] += g[j] * ((x[j] - mean) * rstd);
        dbeta[j] += g[j];
    }
}

static void token_layernorm_back(int64_t rows, int64_t C, const real *x, const real *g,
                                 const real *gamma, const real *stats, real *dx, bool sum,
                                 real *restrict dgamma, real *restrict dbeta)
{
    for (int64_t r = 0; r < rows; r++, x += C, g += C) {
        real mean = stats[2 * r], rstd = stats[2 * r + 1];
        if (dgamma) add_norm_params(C, x, g, mean, rstd, dgamma, dbeta);
        if (dx) norm_row(C, x, g, gamma, mean, rstd, dx + r * C, sum);
    }
}

/* exp(z^2) erfc(z), z >= 0 */
static inline real erfcx_real(real z)
{
    real t = (z - 2) / (z + 2), sum = ERFCX[ERFCX_DEGREE];
    DT_UNROLL
    for (int i = ERFCX_DEGREE - 1; i >= 0; i--)
        sum = sum * t + ERFCX[i];
    return sum;
}

/* Phi(x) and its density phi(x), n <= PART elements. */
DT_INLINE void normal_part(int64_t n, const real *restrict x, real *restrict cdf,
                           real *restrict density)
{
    for (int64_t j = 0; j < n; j++)
        density[j] = dt_exp((real)-0.5 * x[j] * x[j]);
    for (int64_t j = 0; j < n; j++) {
        real tail = (real)0.5 * density[j] * erfcx_real(fabs(x[j]) * (real)0.70710678118654752);
        cdf[j] = x[j] > 0 ? 1 - tail : tail;
    }
    for (int64_t j = 0; j < n; j++)
        density[j] *= (real)0.39894228040143268;
}

/* (1 + tanh(u)) / 2 with u = sqrt(2 / pi) (x + 0.044715 x^3), and its derivative. */
DT_INLINE void tanh_part(int64_t n, const real *restrict x, real *restrict cdf,
                         real *restrict density)
{
    const real k = (real)1.5957691216057308, c = (real)0.044715; /* 2 u = k (x + c x^3) */
    for (int64_t j = 0; j < n; j++)
        cdf[j] = 1 / (1 + dt_exp(-k * (x[j] + c * x[j] * x[j] * x[j])));
    for (int64_t j = 0; j < n; j++)
        density[j] = cdf[j] * (1 - cdf[j]) * k * (1 + 3 * c * x[j] * x[j]);
}

static void gelu_part(int64_t n, bool by_tanh, const real *x, real *cdf, real *density)
{
    if (by_tanh)
        tanh_part(n, x, cdf, density);
    else
        normal_part(n, x, cdf, density);
}

static void token_gelu(int64_t n, bool by_tanh, const real *x, real *y)
{
    real cdf[PART], density[PART];
    for (int64_t at = 0; at < n; at += PART) {
        int64_t m = n - at < PART ? n - at : PART;
        gelu_part(m, by_tanh, x + at, cdf, density);
        for (int64_t j = 0; j < m; j++)
            y[at + j] = x[at + j] * cdf[j];
    }
}

static void token_gelu_slope(int64_t n, bool by_tanh, const real *restrict x, real *restrict y,
                             real *restrict slope)
{
    real cdf[PART], density[PART];
    for (int64_t at = 0; at < n; at += PART) {
        int64_t m = n - at < PART ? n - at : PART;
        gelu_part(m, by_tanh, x + at, cdf, density);
        for (int64_t j = 0; j < m; j++)
            y[at + j] = x[at + j] * cdf[j];
        for (int64_t j = 0; j < m; j++)
            slope[at + j] = cdf[j] + x[at + j] * density[j];
    }
}

static void token_gelu_back(int64_t n, bool by_tanh, const real *x, const real *g, real *dx,
                            bool sum)
{
    real cdf[PART], density[PART];
    for (int64_t at = 0; at < n; at += PART) {
        int64_t m = n - at < PART ? n - at : PART;
        gelu_part(m, by_tanh, x + at, cdf, density);
        for (int64_t j = 0; j < m; j++) {
            real d = g[at + j] * (cdf[j] + x[at + j] * density[j]);
            dx[at + j] = sum ? dx[at + j] + d : d;
        }
    }
}

/* A row with a nan becomes nan: the largest may miss it, its exp does not, and so the sum. */
static void token_softmax(int64_t rows, int64_t C, const real *x, real *y)
{
    for (int64_t r = 0; r < rows; r++, x += C, y += C) {
        real most = row_most(C, x);
        for (int64_t j = 0; j < C; j++)
            y[j] = dt_exp(x[j] - most);
        real each = 1 / row_sum(C, y);
        for (int64_t j = 0; j < C; j++)
            y[j] *= each;
    }
}

static void token_softmax_back(int64_t rows, int64_t C, const real *p, const real *g, real *dx,
                               bool sum)
{
    for (int64_t r = 0; r < rows; r++, p += C, g += C, dx += C) {
        real dot = row_dot(C, p, g);
        if (sum)
            for (int64_t j = 0; j < C; j++)
                dx[j] += p[j] * (g[j] - dot);
        else
            for (int64_t j = 0; j < C; j++)
                dx[j] = p[j] * (g[j] - dot);
    }
}

void TOKEN_FILL(dt_token_kernels *k)
{
    k->layernorm = token_layernorm;
    k->layernorm_back = token_layernorm_back;
    k->gelu = token_gelu;
    k->gelu_back = token_gelu_back;
    k->gelu_slope = token_gelu_slope;
    k->softmax = token_softmax;
    k->softmax_back = token_softmax_back;
}
