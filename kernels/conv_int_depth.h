/* Depthwise convolution on codes, vector tiers: each channel by itself, exact. Lanes are channels;
 * inputs are x - zero in 16 bits. Two taps are taken at a time: their inputs are interleaved, and
 * vpmaddwd adds the two products, of at most 255 * 128 each, in 32 bits.
 *
 * A task is a band of output rows of one picture. For one block of channels after the other it
 * copies the rows of the input that it reads, padded, so that every tap is a constant offset. Part
 * of conv_int_impl.h. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_CONV_INT_DEPTH_H
#define DT_KERNELS_CONV_INT_DEPTH_H

#include <immintrin.h>
#include <string.h>

#include "core/compiler.h"
#include "core/thread.h"
#include "kernels/conv_int.h"

enum { DEPTH_ROWS = 4, DEPTH_BYTES = 96 * 1024, DEPTH_TAPS = 64 };

#ifdef __AVX512VNNI__

enum { DEPTH_BLOCK = 32 };
typedef __m512i depth_vector;

DT_INLINE void depth_interleave(depth_vector a, depth_vector b, depth_vector *lo, depth_vector *hi)
{
    *lo = _mm512_unpacklo_epi16(a, b);
    *hi = _mm512_unpackhi_epi16(a, b);
}

DT_INLINE depth_vector depth_dot(depth_vector sum, depth_vector x, depth_vector w)
{
    return _mm512_add_epi32(sum, _mm512_madd_epi16(x, w));
}

/* Sums of interleaved channels back in their order. */
DT_INLINE void depth_order(depth_vector lo, depth_vector hi, depth_vector *first,
                           depth_vector *second)
{
    const __m512i a = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
    const __m512i b = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
    *first = _mm512_permutex2var_epi64(lo, a, hi);
    *second = _mm512_permutex2var_epi64(lo, b, hi);
}

DT_INLINE depth_vector depth_load(const void *p)
{
    return _mm512_loadu_si512(p);
}

DT_INLINE void depth_store(void *p, depth_vector a)
{
    _mm512_storeu_si512(p, a);
}

DT_INLINE depth_vector depth_add(depth_vector a, depth_vector b)
{
    return _mm512_add_epi32(a, b);
}

DT_INLINE depth_vector depth_zero(void)
{
    return _mm512_setzero_si512();
}

#else

enum { DEPTH_BLOCK = 16 };
typedef __m256i depth_vector;

DT_INLINE void depth_interleave(depth_vector a, depth_vector b, depth_vector *lo, depth_vector *hi)
{
    *lo = _mm256_unpacklo_epi16(a, b);
    *hi = _mm256_unpackhi_epi16(a, b);
}

DT_INLINE depth_vector depth_dot(depth_vector sum, depth_vector x, depth_vector w)
{
    return _mm256_add_epi32(sum, _mm256_madd_epi16(x, w));
}

DT_INLINE void depth_order(depth_vector lo, depth_vector hi, depth_vector *first,
                           depth_vector *second)
{
    *first = _mm256_permute2x128_si256(lo, hi, 0x20);
    *second = _mm256_permute2x128_si256(lo, hi, 0x31);
}

DT_INLINE depth_vector depth_load(const void *p)
{
    return _mm256_loadu_si256(p);
}

DT_INLINE void depth_store(void *p, depth_vector a)
{
    _mm256_storeu_si256(p, a);
}

DT_INLINE depth_vector depth_add(depth_vector a, depth_vector b)
{
    return _mm256_add_epi32(a, b);
}

DT_INLINE depth_vector depth_zero(void)
{
    return _mm256_setzero_si256();
}

#endif

/* Sizes that follow from a shape; counts are elements unless they say bytes. */
typedef struct depth_layout {
    int64_t blocks, pairs;     /* of channels; of taps, the last one padded */
    int64_t cols, rows, bands; /* columns of the copy, output rows of a band, bands of a picture */
    int64_t block;             /* packed weights of a block: [pairs][2][DEPTH_BLOCK] */
    size_t weight_bytes, bias_bytes, band_bytes;
    size_t sum_bytes; /* of a band's sums */
} depth_layout;

typedef struct depth_job {
    depth_layout l;
    const dt_conv_int_call *c;
    int16_t *w;
    int32_t *bias;              /* [blocks][DEPTH_BLOCK] */
    unsigned char *band, *sums; /* of each thread */
} depth_job;

typedef struct depth_tile {
    const int16_t *x, *w;
    const int64_t *offset; /* [2 pairs]: of taps, from x */
    const int32_t *bias;
    int32_t *y;
    int64_t pairs, step, O, valid; /* inputs from pixel to pixel, outputs too, channels there are */
} depth_tile;

static bool is_depthwise(const dt_conv_shape *s)
{
    return s->G > 1 && s->G == s->C && s->G == s->O && s->KH * s->KW < DEPTH_TAPS;
}

static depth_layout depth_lay_out(const dt_conv_shape *s)
{
    depth_layout l = { .blocks = (s->C + DEPTH_BLOCK - 1) / DEPTH_BLOCK,
                       .pairs = (s->KH * s->KW + 1) / 2,
                       .cols = dt_conv_cols(s) };
    l.rows = DEPTH_BYTES / (s->OW * s->O * (int64_t)sizeof(int32_t));
    if (l.rows < DEPTH_ROWS) l.rows = DEPTH_ROWS;
    if (l.rows > s->OH) l.rows = s->OH;
    l.bands = (s->OH + l.rows - 1) / l.rows;
    l.block = l.pairs * 2 * DEPTH_BLOCK;
    l.weight_bytes = dt_aligned(l.blocks * l.block * (int64_t)sizeof(int16_t));
    l.bias_bytes = dt_aligned(l.blocks * DEPTH_BLOCK * (int64_t)sizeof(int32_t));
    l.band_bytes = dt_aligned(((l.rows - 1) * s->SH + dt_conv_reach(s->KH, s->DH)) * l.cols *
                              DEPTH_BLOCK * (int64_t)sizeof(int16_t));
    l.sum_bytes = dt_aligned(l.rows * s->OW * s->O * (int64_t)sizeof(int32_t));
    return l;
}

static size_t depth_workspace(const dt_conv_shape *s, int threads)
{
    depth_layout l = depth_lay_out(s);
    return l.weight_bytes + l.bias_bytes + (size_t)threads * (l.band_bytes + l.sum_bytes);
}

/* Weights of one tap of a block; absent channels and taps are zero. */
static void depth_tap(const depth_job *j, int64_t block, int64_t tap, int16_t *out)
{
    const dt_conv_shape *s = &j->c->shape;
    int64_t taps = s->KH * s->KW;
    for (int64_t i = 0; i < DEPTH_BLOCK; i++) {
        int64_t c = block * DEPTH_BLOCK + i;
        out[i] = c < s->C && tap < taps ? j->c->w[c * taps + tap] : 0;
    }
}

static void depth_pack(void *arg, int64_t block, int thread)
{
    (void)thread;
    const depth_job *j = arg;
    int16_t *out = j->w + block * j->l.block, tap[2][DEPTH_BLOCK];
    for (int64_t pair = 0; pair < j->l.pairs; pair++, out += 2 * DEPTH_BLOCK) {
        depth_vector lo, hi;
        depth_tap(j, block, 2 * pair, tap[0]);
        depth_tap(j, block, 2 * pair + 1, tap[1]);
        depth_interleave(depth_load(tap[0]), depth_load(tap[1]), &lo, &hi);
        depth_store(out, lo);
        depth_store(out + DEPTH_BLOCK, hi);
    }
    for (int64_t i = 0; i < DEPTH_BLOCK; i++) {
        int64_t c = block * DEPTH_BLOCK + i;
        j->bias[c] = j->c->bias && c < j->c->shape.C ? j->c->bias[c] : 0;
    }
}

/* `count` channels of a pixel, the rest of the block zero. */
DT_INLINE void depth_copy(const void *x, int64_t at, int64_t count, bool is_signed, int zero,
                          int16_t *out)
{
    const uint8_t *u = (const uint8_t *)x + at;
    const int8_t *s = (const int8_t *)x + at;
    for (int64_t i = 0; i < count; i++)
        out[i] = (int16_t)((is_signed ? s[i] : u[i]) - zero);
    for (int64_t i = count; i < DEPTH_BLOCK; i++)
        out[i] = 0;
}

/* A padded row of a block of channels. */
static void depth_row(const depth_job *j, int64_t n, int64_t h, int64_t block, int16_t *out)
{
    const dt_conv_int_call *c = j->c;
    const dt_conv_shape *s = &c->shape;
    size_t unit = DEPTH_BLOCK * sizeof *out, left = (size_t)s->PW * unit;
    if (h < 0 || h >= s->H) {
        memset(out, 0, (size_t)(j->l.cols * DEPTH_BLOCK) * sizeof *out);
        return;
    }
    memset(out, 0, left);
    memset(out + (s->PW + s->W) * DEPTH_BLOCK, 0, (size_t)(j->l.cols - s->PW - s->W) * unit);
    out += s->PW * DEPTH_BLOCK;
    int64_t at = (n * s->H + h) * s->W * s->C + block * DEPTH_BLOCK;
    int64_t count = s->C - block * DEPTH_BLOCK;
    for (int64_t i = 0; i < s->W; i++, at += s->C, out += DEPTH_BLOCK) {
        if (count >= DEPTH_BLOCK)
            depth_copy(c->x, at, DEPTH_BLOCK, c->is_signed, c->zero, out);
        else
            depth_copy(c->x, at, count, c->is_signed, c->zero, out);
    }
}

DT_INLINE void depth_put(const depth_tile *t, int64_t p, depth_vector lo, depth_vector hi)
{
    int32_t part[DEPTH_BLOCK], *y = t->y + p * t->O;
    depth_vector first, second;
    depth_order(lo, hi, &first, &second);
    first = depth_add(first, depth_load(t->bias));
    second = depth_add(second, depth_load(t->bias + DEPTH_BLOCK / 2));
    bool whole = t->valid >= DEPTH_BLOCK;
    depth_store(whole ? y : part, first);
    depth_store((whole ? y : part) + DEPTH_BLOCK / 2, second);
    if (!whole) memcpy(y, part, (size_t)t->valid * sizeof *y);
}

DT_INLINE void depth_run(const depth_tile *t, const int P)
{
    depth_vector lo[4], hi[4];
    DT_UNROLL for (int p = 0; p < P; p++) lo[p] = hi[p] = depth_zero();
    for (int64_t pair = 0; pair < t->pairs; pair++) {
        const int16_t *a = t->x + t->offset[2 * pair], *b = t->x + t->offset[2 * pair + 1];
        depth_vector w0 = depth_load(t->w + pair * 2 * DEPTH_BLOCK);
        depth_vector w1 = depth_load(t->w + pair * 2 * DEPTH_BLOCK + DEPTH_BLOCK);
        DT_UNROLL for (int p = 0; p < P; p++)
        {
            depth_vector x0, x1;
            depth_interleave(depth_load(a + p * t->step), depth_load(b + p * t->step), &x0, &x1);
            lo[p] = depth_dot(lo[p], x0, w0);
            hi[p] = depth_dot(hi[p], x1, w1);
        }
    }
    DT_UNROLL for (int p = 0; p < P; p++) depth_put(t, p, lo[p], hi[p]);
}

/* A row of pixels of one block. */
static void depth_pixels(depth_tile t, int64_t pixels)
{
    for (; pixels >= 4; pixels -= 4, t.x += 4 * t.step, t.y += 4 * t.O)
        depth_run(&t, 4);
    for (; pixels > 0; pixels--, t.x += t.step, t.y += t.O)
        depth_run(&t, 1);
}

static void depth_task(void *arg, int64_t task, int thread)
{
    const depth_job *j = arg;
    const depth_layout *l = &j->l;
    const dt_conv_shape *s = &j->c->shape;
    int64_t n = task / l->bands, first = task % l->bands * l->rows, row = l->cols * DEPTH_BLOCK;
    int64_t rows = s->OH - first < l->rows ? s->OH - first : l->rows, offset[DEPTH_TAPS];
    int16_t *band = (int16_t *)(void *)(j->band + (size_t)thread * l->band_bytes);
    int64_t taps = s->KH * s->KW, at = (n * s->OH + first) * s->OW * s->O;
    int32_t *sums = (int32_t *)(void *)(j->sums + (size_t)thread * l->sum_bytes);
    if (j->c->y) sums = j->c->y + at;
    for (int64_t t = 0; t < 2 * l->pairs; t++) /* a tap too many has the weight zero */
        offset[t] =
            t < taps ? t / s->KW * (s->DH + 1) * row + t % s->KW * (s->DW + 1) * DEPTH_BLOCK : 0;
    for (int64_t b = 0; b < l->blocks; b++) {
        for (int64_t i = 0; i < (rows - 1) * s->SH + dt_conv_reach(s->KH, s->DH); i++)
            depth_row(j, n, first * s->SH - s->PH + i, b, band + i * row);
        depth_tile t = { .w = j->w + b * l->block,
                         .offset = offset,
                         .bias = j->bias + b * DEPTH_BLOCK,
                         .pairs = l->pairs,
                         .step = s->SW * DEPTH_BLOCK,
                         .O = s->O,
                         .valid = s->O - b * DEPTH_BLOCK };
        for (int64_t r = 0; r < rows; r++) {
            t.x = band + r * s->SH * row;
            t.y = sums + r * s->OW * s->O + b * DEPTH_BLOCK;
            depth_pixels(t, s->OW);
        }
    }
    if (j->c->done) j->c->done(j->c->arg, at, rows * s->OW * s->O, sums);
}

static void depth_forward(const dt_conv_int_call *c, void *work, int threads)
{
    unsigned char *memory = work;
    depth_job j = { .l = depth_lay_out(&c->shape), .c = c };
    j.w = (int16_t *)work;
    j.bias = (int32_t *)(void *)(memory + j.l.weight_bytes);
    j.band = memory + j.l.weight_bytes + j.l.bias_bytes;
    j.sums = j.band + (size_t)(threads < 1 ? 1 : threads) * j.l.band_bytes;
    dt_parallel(threads, j.l.blocks, depth_pack, &j);
    dt_parallel(threads, c->shape.N * j.l.bands, depth_task, &j);
}

#endif
