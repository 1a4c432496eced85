/* Body of the kernels on codes, included by one file a tier. Plain loops that the compiler
 * vectorises; nothing is reassociated, so every tier gives the same codes. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_CODE_IMPL_H
#define DT_KERNELS_CODE_IMPL_H

#include <math.h>

#include "core/compiler.h"
#include "core/thread.h"
#include "kernels/code.h"

enum { CHUNK = 16384, TILE = 512 };

typedef struct span {
    const void *a, *b;
    const float *scale;
    uint8_t *y;
    int64_t n, C;
    float a_ratio, b_ratio, fixed;
    const dt_code_grid *from, *to;
} span;

static inline int64_t chunk_count(int64_t n)
{
    return (n + CHUNK - 1) / CHUNK;
}

static inline int64_t chunk_size(int64_t n, int64_t i)
{
    int64_t left = n - i * CHUNK;
    return left < CHUNK ? left : CHUNK;
}

/* clamp(rne(v)) for low, high within +-2^22: adding 1.5 2^23 leaves no bits behind the point. */
DT_INLINE int32_t round_code(float v, float low, float high)
{
    const float magic = 12582912.0f;
    v = v > low ? v : low;
    v = v < high ? v : high;
    return (int32_t)((v + magic) - magic);
}

static void encode_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const span *s = arg;
    const float *restrict x = (const float *)s->a + i * CHUNK;
    uint8_t *restrict y = s->y + i * CHUNK;
    const int zero = s->to->zero;
    const float scale = s->to->scale, low = (float)(s->to->low - zero),
                high = (float)(s->to->high - zero);
    for (int64_t j = 0, n = chunk_size(s->n, i); j < n; j++) {
        float u = x[j] / scale;
        u = u == u ? u : 0;
        y[j] = (uint8_t)(round_code(u, low, high) + zero);
    }
}

static void encode(int threads, int64_t n, const float *x, const dt_code_grid *g, uint8_t *y)
{
    span s = { .a = x, .y = y, .n = n, .to = g };
    dt_parallel(threads, chunk_count(n), encode_task, &s);
}

static void move_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const span *s = arg;
    const uint8_t *restrict x = (const uint8_t *)s->a + i * CHUNK;
    uint8_t *restrict y = s->y + i * CHUNK;
    const int zero = s->to->zero, from = s->from->zero;
    const float scale = s->to->scale, unit = s->from->scale, low = (float)(s->to->low - zero),
                high = (float)(s->to->high - zero);
    for (int64_t j = 0, n = chunk_size(s->n, i); j < n; j++) {
        float v = (float)(x[j] - from) * unit;
        y[j] = (uint8_t)(round_code(v / scale, low, high) + zero);
    }
}

static void move(int threads, int64_t n, const uint8_t *x, const dt_code_grid *from,
                 const dt_code_grid *to, uint8_t *y)
{
    span s = { .a = x, .y = y, .n = n, .from = from, .to = to };
    dt_parallel(threads, chunk_count(n), move_task, &s);
}

static int64_t requant_rows(int64_t C)
{
    return C < CHUNK ? CHUNK / C : 1;
}

DT_INLINE void requant_run(const int32_t *restrict x, const float *restrict scale, int64_t n,
                           int zero, float low, float high, uint8_t *restrict y)
{
    for (int64_t j = 0; j < n; j++) {
        float v = (float)x[j] * scale[j];
        y[j] = (uint8_t)(round_code(v, low, high) + zero);
    }
}

/* Scales of narrow rows are repeated, so that the inner loop is long. */
static void requant_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const span *s = arg;
    float tile[TILE];
    int64_t C = s->C, rows = requant_rows(C), first = i * rows;
    if (rows > s->n - first) rows = s->n - first;
    const int zero = s->to->zero;
    const float low = (float)(s->to->low - zero), high = (float)(s->to->high - zero);
    const int32_t *x = (const int32_t *)s->a + first * C;
    uint8_t *y = s->y + first * C;
    const float *scale = s->scale;
    int64_t width = C, n = rows * C;
    if (C <= TILE) {
        width = TILE / C * C;
        for (int64_t j = 0; j < width; j++)
            tile[j] = s->scale[j % C];
        scale = tile;
    }
    for (int64_t at = 0; at < n; at += width) {
        int64_t count = n - at < width ? n - at : width;
        requant_run(x + at, scale, count, zero, low, high, y + at);
    }
}

static void requant(int threads, int64_t rows, int64_t C, const int32_t *x, const float *scale,
                    const dt_code_grid *g, uint8_t *y)
{
    span s = { .a = x, .y = y, .n = rows, .C = C, .scale = scale, .to = g };
    int64_t step = requant_rows(C);
    dt_parallel(threads, (rows + step - 1) / step, requant_task, &s);
}

static void add_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const span *s = arg;
    const uint8_t *restrict a = (const uint8_t *)s->a + i * CHUNK;
    const uint8_t *restrict b = (const uint8_t *)s->b + i * CHUNK;
    uint8_t *restrict y = s->y + i * CHUNK;
    const float ra = s->a_ratio, rb = s->b_ratio, fixed = s->fixed, low = (float)s->to->low,
                high = (float)s->to->high;
    for (int64_t j = 0, n = chunk_size(s->n, i); j < n; j++) {
        float part = fmaf((float)b[j], rb, fixed);
        y[j] = (uint8_t)round_code(fmaf((float)a[j], ra, part), low, high);
    }
}

static void add(int threads, int64_t n, const uint8_t *a, const uint8_t *b, float a_ratio,
                float b_ratio, float fixed, const dt_code_grid *g, uint8_t *y)
{
    span s = { .a = a, .b = b, .y = y, .n = n, .to = g };
    s.a_ratio = a_ratio;
    s.b_ratio = b_ratio;
    s.fixed = fixed;
    dt_parallel(threads, chunk_count(n), add_task, &s);
}

#define CODE_KERNELS                                                                               \
    (dt_code_kernels)                                                                              \
    {                                                                                              \
        encode, move, requant, add                                                                 \
    }

#endif
