/* Register tiles of the convolution on codes, and how they multiply:
 *
 *   AVX2:  QUAD 2, 16-bit inputs (x - zero) and weights, vpmaddwd: two products of at most
 *          255 * 128 in 32 bits.
 *   bytes: QUAD 4, unsigned bytes, vpmaddubsw: two products in 16 bits, which saturate unless codes
 *          are small (conv_int_bytes.h). Twice the rate: a step is added in 16 bits, and sums are
 *          widened every `span` steps, before they could overflow.
 *   VNNI:  QUAD 4, unsigned bytes, vpdpbusd: adds in 32 bits without saturation.
 *
 * Unsigned bytes are codes as they are; signed codes are taken plus 128. There
 * sum((x - zero) w) = sum(x w) - zero sum(w), so sums start at bias - zero sum(w); 32-bit
 * arithmetic wraps, and the final sum fits. Part of conv_int_impl.h. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_CONV_INT_TILE_H
#define DT_KERNELS_CONV_INT_TILE_H

#include <immintrin.h>
#include <string.h>

#include "core/compiler.h"
#include "kernels/conv_int.h"

#ifdef __AVX512VNNI__

enum { LANES = 16, QUAD = 4, MOST_1 = 16, MOST_2 = 8, SHIFTED = 1 };
typedef __m512i lanes;
typedef uint8_t input;
typedef int8_t weight;

DT_INLINE lanes lanes_load(const void *p)
{
    return _mm512_loadu_si512(p);
}

DT_INLINE void lanes_store(void *p, lanes a)
{
    _mm512_storeu_si512(p, a);
}

DT_INLINE lanes lanes_dot(lanes sum, lanes x, lanes w)
{
    return _mm512_dpbusd_epi32(sum, x, w);
}

DT_INLINE lanes lanes_spread(const input *p)
{
    int32_t four;
    memcpy(&four, p, sizeof four);
    return _mm512_set1_epi32(four);
}

#else

#ifdef DT_CONV_INT_BYTES
enum { LANES = 8, QUAD = 4, MOST_1 = 8, MOST_2 = 4, SHIFTED = 1 };
typedef uint8_t input;
typedef int8_t weight;
#else
enum { LANES = 8, QUAD = 2, MOST_1 = 8, MOST_2 = 4, SHIFTED = 0 };
typedef int16_t input;
typedef int16_t weight;
#endif
typedef __m256i lanes;

DT_INLINE lanes lanes_load(const void *p)
{
    return _mm256_loadu_si256(p);
}

DT_INLINE void lanes_store(void *p, lanes a)
{
    _mm256_storeu_si256(p, a);
}

DT_INLINE lanes lanes_dot(lanes sum, lanes x, lanes w)
{
#ifdef DT_CONV_INT_BYTES
    return _mm256_add_epi16(sum, _mm256_maddubs_epi16(x, w));
#else
    return _mm256_add_epi32(sum, _mm256_madd_epi16(x, w));
#endif
}

DT_INLINE lanes lanes_spread(const input *p)
{
    int32_t some;
    memcpy(&some, p, sizeof some);
    return _mm256_set1_epi32(some);
}

#endif

typedef struct tile_call {
    const input *x;
    const weight *w; /* V blocks follow each other */
    const int32_t *start;
    int32_t *y;
    int64_t step;                /* inputs from pixel to pixel */
    int64_t row;                 /* inputs from tap row to tap row */
    int64_t taps, tap, inner;    /* runs of a tap row, inputs from run to run, steps of a run */
    int64_t KH, block, O, valid; /* of y: outputs from pixel to pixel, outputs to be written */
    int64_t span;                /* bytes: steps until sums are widened */
    int shift;                   /* bytes: of the sums, to the left */
} tile_call;

DT_INLINE void store_lanes(int32_t *y, lanes a, int64_t valid)
{
    int32_t part[LANES];
    if (valid >= LANES) {
        lanes_store(y, a);
        return;
    }
    lanes_store(part, a);
    memcpy(y, part, (size_t)valid * sizeof *y);
}

/* `steps` steps of a run; x and w move on. */
DT_INLINE void run_steps(const tile_call *t, const int P, const int V, int64_t steps,
                         const input **at, const weight **weights, lanes sum[][2])
{
    const input *x = *at;
    const weight *w = *weights;
    for (; steps > 0; steps--, x += QUAD, w += LANES * QUAD) {
        lanes a = lanes_load(w), b = V > 1 ? lanes_load(w + t->block) : a;
        DT_UNROLL for (int p = 0; p < P; p++)
        {
            lanes spread = lanes_spread(x + p * t->step);
            sum[p][0] = lanes_dot(sum[p][0], spread, a);
            if (V > 1) sum[p][1] = lanes_dot(sum[p][1], spread, b);
        }
    }
    *at = x;
    *weights = w;
}

#ifdef DT_CONV_INT_BYTES

/* Sums of 16 bits, two for an output, to `wide`; they begin anew. */
DT_INLINE void widen_sums(const int P, const int V, lanes sum[][2], lanes wide[][2])
{
    const lanes ones = _mm256_set1_epi16(1);
    DT_UNROLL for (int p = 0; p < P; p++) DT_UNROLL for (int v = 0; v < V; v++)
    {
        wide[p][v] = _mm256_add_epi32(wide[p][v], _mm256_madd_epi16(sum[p][v], ones));
        sum[p][v] = _mm256_setzero_si256();
    }
}

DT_INLINE void run_tile(const tile_call *t, const int P, const int V)
{
    lanes sum[MOST_1][2], wide[MOST_1][2];
    const weight *w = t->w;
    const __m128i shift = _mm_cvtsi32_si128(t->shift);
    int64_t left = t->span;
    DT_UNROLL for (int p = 0; p < P; p++) DT_UNROLL for (int v = 0; v < V; v++) sum[p][v] =
        wide[p][v] = _mm256_setzero_si256();
    for (int64_t kh = 0; kh < t->KH; kh++)
        for (int64_t k = 0; k < t->taps; k++) {
            const input *x = t->x + kh * t->row + k * t->tap;
            for (int64_t todo = t->inner; todo > 0;) {
                int64_t steps = todo < left ? todo : left;
                run_steps(t, P, V, steps, &x, &w, sum);
                todo -= steps, left -= steps;
                if (left > 0) continue;
                widen_sums(P, V, sum, wide);
                left = t->span;
            }
        }
    widen_sums(P, V, sum, wide);
    DT_UNROLL for (int p = 0; p < P; p++) DT_UNROLL for (int v = 0; v < V; v++)
    {
        lanes y = _mm256_sll_epi32(wide[p][v], shift);
        y = _mm256_add_epi32(y, lanes_load(t->start + v * LANES));
        store_lanes(t->y + p * t->O + v * LANES, y, t->valid - v * LANES);
    }
}

#else

DT_INLINE void run_tile(const tile_call *t, const int P, const int V)
{
    lanes sum[MOST_1][2];
    const weight *w = t->w;
    DT_UNROLL for (int p = 0; p < P; p++) DT_UNROLL for (int v = 0; v < V; v++) sum[p][v] =
        lanes_load(t->start + v * LANES);
    for (int64_t kh = 0; kh < t->KH; kh++)
        for (int64_t k = 0; k < t->taps; k++) {
            const input *x = t->x + kh * t->row + k * t->tap;
            run_steps(t, P, V, t->inner, &x, &w, sum);
        }
    DT_UNROLL for (int p = 0; p < P; p++) DT_UNROLL for (int v = 0; v < V; v++)
        store_lanes(t->y + p * t->O + v * LANES, sum[p][v], t->valid - v * LANES);
}

#endif

#define TILE(name, P, V)                                                                           \
    static void name(const tile_call *t)                                                           \
    {                                                                                              \
        run_tile(t, P, V);                                                                         \
    }
TILE(tile_1x1, 1, 1)
TILE(tile_2x1, 2, 1)
TILE(tile_4x1, 4, 1)
TILE(tile_8x1, 8, 1)
TILE(tile_1x2, 1, 2)
TILE(tile_2x2, 2, 2)
TILE(tile_4x2, 4, 2)
#ifdef __AVX512VNNI__
TILE(tile_16x1, 16, 1)
TILE(tile_8x2, 8, 2)
#endif

/* Index: vectors - 1, binary logarithm of pixels. */
static void (*const tiles[2][5])(const tile_call *t) = {
#ifdef __AVX512VNNI__
    { tile_1x1, tile_2x1, tile_4x1, tile_8x1, tile_16x1 },
    { tile_1x2, tile_2x2, tile_4x2, tile_8x2 },
#else
    { tile_1x1, tile_2x1, tile_4x1, tile_8x1 },
    { tile_1x2, tile_2x2, tile_4x2 },
#endif
};

#endif
