/* Dense products of float in a vector tier; compiled once for each, by gemm_<tier>.c.
 *
 * Blocks as of Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", ACM TOMS
 * 34 (2008): KC rows of b are packed into panels of two vectors, MC rows of a into tiles of MR, and a
 * tile keeps MR x 2 vectors of c in registers. An element of c is, whatever the cut by rows and
 * columns, the same sum: over each KC elements in their order, these added in their order. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_GEMM_IMPL_H
#define DT_KERNELS_GEMM_IMPL_H

#include <string.h>

#include "kernels/gemm_kernels.h"
#include "kernels/simd.h"

enum {
    KC = 256,      /* a panel of b stays in a first-level cache, */
    MC = 84,       /* the packed rows of a in a second-level one */
    NC = 384,
    RUN = 16,      /* elements of a row of a that lie side by side in its pack */
    CORNER = 8,    /* side of the squares that are transposed */
    TASK_ROWS = 504,
};

/* One tile: P rows times V vectors. a: packed by rows, [k / RUN][P][RUN], or by columns, [k][P];
 * b [k][V * VEC]; c[p * ldc + v] (+)= alpha * sum for the first `used` columns. */
typedef struct tile_args {
    const float *a, *b;
    float *c;
    int64_t k, ldc, used;
    float alpha;
    bool add;
} tile_args;
typedef void (*tile_function)(const tile_args *t);

/* One step of k; `apart`: floats from row to row of a. */
DT_INLINE void multiply(int P, int V, const float *a, int apart, const float *b,
                        vec sum[GEMM_ROWS][2])
{
    vec f[2];
    DT_UNROLL for (int v = 0; v < V; v++) f[v] = vec_load(b + v * VEC);
    DT_UNROLL for (int p = 0; p < P; p++) vec_fma_spread(V, a + p * apart, f, sum[p]);
}

DT_INLINE void store_part(const tile_args *t, float *c, vec sum, int64_t used)
{
    if (used <= 0) return;
    if (used >= VEC)
        vec_store(c, t->add ? vec_add(vec_load(c), sum) : sum);
    else
        vec_store_part(c, used, t->add ? vec_add(vec_load_part(c, used), sum) : sum);
}

DT_INLINE void run_tile(const tile_args *t, int P, int V, bool columns)
{
    vec sum[GEMM_ROWS][2];
    DT_UNROLL for (int p = 0; p < P; p++) DT_UNROLL for (int v = 0; v < V; v++) sum[p][v] =
        vec_zero();
    const float *a = t->a, *b = t->b;
    if (columns) {
        for (int64_t k = t->k; k > 0; k--, a += P, b += V * VEC)
            multiply(P, V, a, 1, b, sum);
    } else {
        for (int64_t left = t->k; left > 0; left -= RUN, a += P * RUN)
            for (int64_t i = 0, n = left < RUN ? left : RUN; i < n; i++, b += V * VEC)
                multiply(P, V, a + i, RUN, b, sum);
    }
    const vec alpha = vec_broadcast(&t->alpha);
    DT_UNROLL for (int p = 0; p < P; p++) DT_UNROLL for (int v = 0; v < V; v++)
        store_part(t, t->c + p * t->ldc + v * VEC, vec_mul(sum[p][v], alpha), t->used - v * VEC);
}

#define GEMM_TILE(P)                                                                               \
    static void rows_##P##x1(const tile_args *t)                                                   \
    {                                                                                              \
        run_tile(t, P, 1, false);                                                                  \
    }                                                                                              \
    static void rows_##P##x2(const tile_args *t)                                                   \
    {                                                                                              \
        run_tile(t, P, 2, false);                                                                  \
    }                                                                                              \
    static void columns_##P##x1(const tile_args *t)                                                \
    {                                                                                              \
        run_tile(t, P, 1, true);                                                                   \
    }                                                                                              \
    static void columns_##P##x2(const tile_args *t)                                                \
    {                                                                                              \
        run_tile(t, P, 2, true);                                                                   \
    }
GEMM_TILES(GEMM_TILE)

#define GEMM_ROW(P) { { rows_##P##x1, rows_##P##x2 }, { columns_##P##x1, columns_##P##x2 } },
static const tile_function table[GEMM_ROWS][2][2] = { GEMM_TILES(GEMM_ROW) }; /* [P-1][columns][V-1] */

static inline int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t up_to(int64_t a, int64_t step)
{
    return (a + step - 1) / step * step;
}

/* Rows of the next tile where `left` are left: as few tiles as can be, of nearly equal size. */
static int64_t tile_rows(int64_t left)
{
    int64_t tiles = (left + GEMM_ROWS - 1) / GEMM_ROWS;
    return (left + tiles - 1) / tiles;
}

/* [rows][k], rows `ld` apart, into [k / RUN][rows][RUN]. */
static void pack_rows(const float *from, int64_t ld, int64_t rows, int64_t k, float *to)
{
    for (int64_t at = 0; at < k; at += RUN, to += rows * RUN) {
        int64_t n = least(k - at, RUN);
        for (int64_t r = 0; r < rows; r++) {
            const float *x = from + r * ld + at;
            if (n == RUN)
                memcpy(to + r * RUN, x, RUN * sizeof *to);
            else
                memcpy(to + r * RUN, x, (size_t)n * sizeof *to);
        }
    }
}

/* [k][n], rows `ld` apart, into [k][width], zeros behind n. Writes up to a vector too far. */
static void pack_straight(const float *from, int64_t ld, int64_t n, int64_t k, int64_t width,
                          float *to)
{
    for (int64_t i = 0; i < k; i++, from += ld, to += width)
        for (int64_t c = 0; c < width; c += VEC) {
            int64_t left = n - c;
            vec_store(to + c, left >= VEC ? vec_load(from + c)
                              : left > 0  ? vec_load_part(from + c, left)
                                          : vec_zero());
        }
}

/* 8 x 8: `rows` of `cols` elements `ld` apart into `cols` rows `width` apart, zeros for the rest. */
static inline void turn(const float *from, int64_t ld, int64_t rows, int64_t cols, int64_t width,
                        float *to)
{
    const __m256i mask = _mm256_cmpgt_epi32(_mm256_set1_epi32((int)cols),
                                            _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    __m256 x[CORNER], y[CORNER];
    for (int i = 0; i < CORNER; i++)
        x[i] = i < rows ? _mm256_maskload_ps(from + i * ld, mask) : _mm256_setzero_ps();
    DT_UNROLL for (int i = 0; i < CORNER; i += 2)
    {
        y[i] = _mm256_unpacklo_ps(x[i], x[i + 1]);
        y[i + 1] = _mm256_unpackhi_ps(x[i], x[i + 1]);
    }
    DT_UNROLL for (int i = 0; i < CORNER; i += 4)
    {
        x[i] = _mm256_shuffle_ps(y[i], y[i + 2], 0x44);
        x[i + 1] = _mm256_shuffle_ps(y[i], y[i + 2], 0xee);
        x[i + 2] = _mm256_shuffle_ps(y[i + 1], y[i + 3], 0x44);
        x[i + 3] = _mm256_shuffle_ps(y[i + 1], y[i + 3], 0xee);
    }
    DT_UNROLL for (int i = 0; i < 4; i++)
    {
        y[i] = _mm256_permute2f128_ps(x[i], x[i + 4], 0x20);
        y[i + 4] = _mm256_permute2f128_ps(x[i], x[i + 4], 0x31);
    }
    for (int i = 0; i < cols; i++)
        _mm256_storeu_ps(to + i * width, y[i]);
}

/* [n][k], rows `ld` apart, into [k][width], zeros behind n. */
static void pack_turned(const float *from, int64_t ld, int64_t n, int64_t k, int64_t width,
                        float *to)
{
    for (int64_t c = 0; c < width; c += CORNER)
        for (int64_t at = 0; at < k; at += CORNER)
            turn(from + c * ld + at, ld, least(n - c, CORNER), least(k - at, CORNER), width,
                 to + at * width + c);
}

/* Vectors of the panel that has `left` columns. */
static int64_t panel_vectors(int64_t left)
{
    return left > VEC ? 2 : 1;
}

static void pack_b(const dt_gemm_part *p, int64_t at, int64_t k, int64_t col, int64_t n, float *to)
{
    for (int64_t c = 0; c < n; c += 2 * VEC, to += 2 * VEC * k) {
        int64_t width = panel_vectors(n - c) * VEC, used = least(n - c, width);
        if (p->tb)
            pack_turned(p->b + (col + c) * p->ldb + at, p->ldb, used, k, width, to);
        else
            pack_straight(p->b + at * p->ldb + col + c, p->ldb, used, k, width, to);
    }
}

static void pack_a(const dt_gemm_part *p, int64_t at, int64_t k, int64_t row, int64_t m, float *to)
{
    for (int64_t r = 0, P; r < m; r += P, to += P * up_to(k, RUN)) {
        P = tile_rows(m - r);
        if (p->ta)
            pack_straight(p->a + at * p->lda + row + r, p->lda, P, k, P, to);
        else
            pack_rows(p->a + (row + r) * p->lda + at, p->lda, P, k, to);
    }
}

/* m rows from `row` on times n columns from `col` on; `t` has k, ldc, alpha and add. */
static void run_block(const dt_gemm_part *p, tile_args *t, const float *a, const float *b,
                      int64_t row, int64_t m, int64_t col, int64_t n)
{
    for (int64_t c = 0; c < n; c += 2 * VEC, b += 2 * VEC * t->k) {
        const int64_t V = panel_vectors(n - c);
        t->used = n - c, t->b = b, t->a = a;
        for (int64_t r = 0, P; r < m; r += P, t->a += P * up_to(t->k, RUN)) {
            P = tile_rows(m - r);
            t->c = p->c + (row + r) * p->ldc + col + c;
            table[P - 1][p->ta][V - 1](t);
        }
    }
}

static size_t a_bytes(int64_t m, int64_t k)
{
    return dt_aligned((least(m, MC) * up_to(least(k, KC), RUN) + VEC) * 4);
}

static size_t work(int64_t m, int64_t n, int64_t k)
{
    return a_bytes(m, k) + dt_aligned(up_to(least(n, NC), 2 * VEC) * least(k, KC) * 4);
}

static void part(const dt_gemm_part *p, void *memory)
{
    float *a = memory, *b = (float *)(void *)((unsigned char *)memory + a_bytes(p->m, p->k));
    for (int64_t col = 0; col < p->n; col += NC)
        for (int64_t at = 0; at < p->k; at += KC) {
            const int64_t n = least(p->n - col, NC), k = least(p->k - at, KC);
            tile_args t = { .k = k, .ldc = p->ldc, .alpha = p->alpha, .add = p->sum || at > 0 };
            pack_b(p, at, k, col, n, b);
            for (int64_t row = 0; row < p->m; row += MC) {
                int64_t m = least(p->m - row, MC);
                pack_a(p, at, k, row, m, a);
                run_block(p, &t, a, b, row, m, col, n);
            }
        }
}

/* Sums do not depend on it: an even share for each thread, in whole tiles. */
static int64_t task_rows(int64_t m, int threads)
{
    int64_t rounds = (m + TASK_ROWS * threads - 1) / (TASK_ROWS * threads);
    return up_to((m + rounds * threads - 1) / (rounds * threads), GEMM_ROWS);
}

#endif
