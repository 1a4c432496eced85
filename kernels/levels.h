/* The level of a value among sorted thresholds (point.h). Every way of searching makes the same
 * comparisons count, so all give the same bits. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_LEVELS_H
#define DT_KERNELS_LEVELS_H

#include <math.h>
#include <tgmath.h>

#include "kernels/point.h"

/* All thresholds are tried, which vectorises. Few values at a time hide that each step waits for
 * the one before. */
static inline void try_levels(const dt_encode *e, int64_t n, const real *restrict u,
                              real *restrict q)
{
    for (int64_t l = 0; l < n; l++)
        q[l] = e->level[0];
    for (int i = 0; i < e->thresholds; i++) {
        const real threshold = e->threshold[i], level = e->level[i + 1];
        for (int64_t l = 0; l < n; l++)
            q[l] = u[l] > threshold ? level : q[l];
    }
    for (int64_t l = 0; l < n; l++)
        q[l] = isnan(u[l]) ? u[l] : q[l];
}

#if defined(__AVX512F__) && !defined(DT_REAL_DOUBLE)
#include <immintrin.h>

/* Up to 16 levels lie in one register each with their thresholds: a binary search of four steps,
 * each of which looks up by permuting. */
static inline __m512 find_levels(__m512 threshold, __m512 level, __m512 u)
{
    __m512i at = _mm512_setzero_si512(); /* thresholds that are known to be below u */
    for (int step = 8; step > 0; step /= 2) {
        __m512i next = _mm512_add_epi32(at, _mm512_set1_epi32(step));
        __m512 t = _mm512_permutexvar_ps(_mm512_sub_epi32(next, _mm512_set1_epi32(1)), threshold);
        at = _mm512_mask_mov_epi32(at, _mm512_cmp_ps_mask(u, t, _CMP_GT_OQ), next);
    }
    __m512 q = _mm512_permutexvar_ps(at, level);
    return _mm512_mask_mov_ps(q, _mm512_cmp_ps_mask(u, u, _CMP_UNORD_Q), u);
}

static inline void nearest_levels(const dt_encode *e, int64_t n, const real *restrict u,
                                  real *restrict q)
{
    if (e->thresholds > 15) {
        try_levels(e, n, u, q);
        return;
    }
    __mmask16 there = (__mmask16)((1 << e->thresholds) - 1);
    __m512 threshold = _mm512_mask_loadu_ps(_mm512_set1_ps(INFINITY), there, e->threshold);
    __m512 level = _mm512_maskz_loadu_ps((__mmask16)(there * 2 + 1), e->level);
    int64_t l = 0;
    for (; l + 16 <= n; l += 16)
        _mm512_storeu_ps(q + l, find_levels(threshold, level, _mm512_loadu_ps(u + l)));
    if (l == n) return;
    __mmask16 rest = (__mmask16)((1 << (n - l)) - 1);
    __m512 last = _mm512_maskz_loadu_ps(rest, u + l);
    _mm512_mask_storeu_ps(q + l, rest, find_levels(threshold, level, last));
}
#else
static inline void nearest_levels(const dt_encode *e, int64_t n, const real *restrict u,
                                  real *restrict q)
{
    try_levels(e, n, u, q);
}
#endif
#endif
