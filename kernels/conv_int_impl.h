/* Convolution on codes, vector tiers: one source, compiled once for each way of multiplying
 * (conv_int_tile.h). Lanes are outputs. Inputs are taken QUAD at a time: a step multiplies QUAD
 * neighbouring inputs, broadcast to all lanes, with the lanes' weights for them and adds the
 * products.
 *
 * A task is a band of output rows of one picture. It copies the rows of the input that it reads,
 * padded on all sides, then runs the register tiles: P pixels x V vectors of outputs. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_CONV_INT_IMPL_H
#define DT_KERNELS_CONV_INT_IMPL_H

#include <string.h>

#include "core/thread.h"
#include "kernels/conv_int_tile.h"

enum { BAND_BYTES = 24 * 1024, SUM_BYTES = 128 * 1024, FLAT_WIDTH = 64, ALIGN = DT_ALIGN };

/* Sizes that follow from a shape. Counts are elements unless they say bytes. */
typedef struct layout {
    dt_conv_shape s;
    int64_t I, O, quads; /* inputs, outputs of a group; steps for the inputs of one tap */
    int64_t pixel, row;  /* of the band: all groups' inputs, padded to steps; a padded row */
    int64_t blocks;      /* vectors of outputs, of a group */
    int64_t block;       /* packed weights of a vector of outputs */
    int64_t rows, bands; /* output rows of a band, bands of a picture */
    size_t weight_bytes, start_bytes, band_bytes;
    size_t sum_bytes; /* of a band's sums */
} layout;

typedef struct job {
    layout l;
    const dt_conv_int_call *c;
    weight *w;                  /* [G][blocks][KH][KW][quads][LANES][QUAD] */
    int32_t *start;             /* [G][blocks][LANES] */
    unsigned char *band, *sums; /* of each thread */
    int64_t span;               /* steps that sums of 16 bits hold */
    int shift;                  /* weights are packed without their last bits, which are zero */
} job;

static size_t round_up(size_t n)
{
    return (n + ALIGN - 1) / ALIGN * ALIGN;
}

static bool is_flat(const dt_conv_shape *s)
{
    return s->KH == 1 && s->KW == 1 && s->SH == 1 && s->SW == 1 && s->PH == 0 && s->PW == 0 &&
           s->OH == s->H && s->OW == s->W;
}

/* Most pixels of a row of a 1x1 convolution. */
static int64_t flat_width(const dt_conv_shape *s)
{
    int64_t fit = SUM_BYTES / (s->O * (int64_t)sizeof(int32_t));
    return fit >= FLAT_WIDTH ? FLAT_WIDTH : fit < MOST_1 ? MOST_1 : fit;
}

/* A 1x1 convolution sees no rows: pixels of all pictures are cut into rows of useful length. */
static dt_conv_shape flatten(dt_conv_shape s)
{
    int64_t pixels = s.N * s.H * s.W, width = flat_width(&s);
    if (!is_flat(&s)) return s;
    while (pixels % width)
        width--;
    s.N = 1;
    s.W = s.OW = width;
    s.H = s.OH = pixels / width;
    return s;
}

static layout lay_out(const dt_conv_shape *shape)
{
    layout l = { .s = flatten(*shape) };
    const dt_conv_shape *s = &l.s;
    l.I = s->C / s->G;
    l.O = s->O / s->G;
    l.quads = (l.I + QUAD - 1) / QUAD;
    l.pixel = s->G * l.quads * QUAD;
    l.row = dt_conv_cols(s) * l.pixel;
    l.blocks = (l.O + LANES - 1) / LANES;
    l.block = s->KH * s->KW * l.quads * LANES * QUAD;
    int64_t fit = BAND_BYTES / (int64_t)sizeof(input) / l.row, reach = dt_conv_reach(s->KH, s->DH);
    l.rows = fit > reach ? (fit - reach) / s->SH + 1 : 1;
    int64_t row_sums = s->OW * s->O * (int64_t)sizeof(int32_t);
    if (l.rows > SUM_BYTES / row_sums) l.rows = SUM_BYTES / row_sums;
    if (l.rows < 1) l.rows = 1;
    if (l.rows > s->OH) l.rows = s->OH;
    l.bands = (s->OH + l.rows - 1) / l.rows;
    l.weight_bytes = round_up((size_t)(s->G * l.blocks * l.block) * sizeof(weight));
    l.start_bytes = round_up((size_t)(s->G * l.blocks * LANES) * sizeof(int32_t));
    int64_t band = ((l.rows - 1) * s->SH + reach) * l.row * (int64_t)sizeof(input);
    if (is_flat(s)) { /* the width depends on N: room for every width */
        band = flat_width(s) * l.pixel * (int64_t)sizeof(input);
        if (band < BAND_BYTES) band = BAND_BYTES;
    }
    l.band_bytes = round_up((size_t)band);
    int64_t pixels = l.rows * s->OW;
    if (is_flat(s) && pixels < flat_width(s)) pixels = flat_width(s);
    l.sum_bytes = round_up((size_t)(pixels * s->O) * sizeof(int32_t));
    if (is_flat(s) && l.sum_bytes < SUM_BYTES) l.sum_bytes = SUM_BYTES;
    return l;
}

static size_t direct_workspace(const dt_conv_shape *s, int threads)
{
    layout l = lay_out(s);
    return l.weight_bytes + l.start_bytes + (size_t)threads * (l.band_bytes + l.sum_bytes);
}

/* Weights [O,KH,KW,I] of one vector of outputs; absent outputs and inputs are zero. */
static void pack_block(void *arg, int64_t at, int thread)
{
    (void)thread;
    const job *j = arg;
    const layout *l = &j->l;
    int64_t group = at / l->blocks, first = at % l->blocks * LANES, taps = l->s.KH * l->s.KW;
    weight *out = j->w + at * l->block;
    int zero = SHIFTED ? j->c->zero + (j->c->is_signed ? 128 : 0) : 0;
    memset(out, 0, (size_t)l->block * sizeof *out);
    for (int64_t k = 0; k < LANES; k++) {
        uint32_t sum = 0; /* wraps */
        int64_t o = group * l->O + first + k;
        const int8_t *w = j->c->w + o * taps * l->I;
        for (int64_t t = 0; first + k < l->O && t < taps; t++)
            for (int64_t i = 0; i < l->I; i++) {
                int v = w[t * l->I + i];
                out[((t * l->quads + i / QUAD) * LANES + k) * QUAD + i % QUAD] =
                    (weight)(v >> j->shift);
                sum += (uint32_t)(v * zero);
            }
        uint32_t bias = j->c->bias && first + k < l->O ? (uint32_t)j->c->bias[o] : 0;
        j->start[at * LANES + k] = (int32_t)(bias - sum);
    }
}

/* One pixel's codes to inputs of the product. */
DT_INLINE void copy_inputs(const void *x, int64_t at, int64_t n, bool is_signed, int zero,
                           input *out)
{
    const uint8_t *u = (const uint8_t *)x + at;
    const int8_t *s = (const int8_t *)x + at;
    if (SHIFTED)
        for (int64_t i = 0; i < n; i++)
            out[i] = (input)(is_signed ? s[i] + 128 : u[i]);
    else
        for (int64_t i = 0; i < n; i++)
            out[i] = (input)((is_signed ? s[i] : u[i]) - zero);
}

static void copy_row(const job *j, int64_t n, int64_t h, input *out)
{
    const layout *l = &j->l;
    const dt_conv_shape *s = &l->s;
    const dt_conv_int_call *c = j->c;
    input zero = (input)(SHIFTED ? c->zero + (c->is_signed ? 128 : 0) : 0);
    bool inside = h >= 0 && h < s->H;
    int64_t left = inside ? s->PW * l->pixel : l->row;
    int64_t right = inside ? l->row - left - s->W * l->pixel : 0;
    for (int64_t i = 0; i < left; i++)
        out[i] = zero;
    for (int64_t i = l->row - right; i < l->row; i++)
        out[i] = zero;
    if (!inside) return;
    int64_t at = (n * s->H + h) * s->W * s->C, padded = l->quads * QUAD;
    out += left;
    if (padded == l->I) {
        copy_inputs(c->x, at, s->W * s->C, c->is_signed, c->zero, out);
        return;
    }
    for (int64_t i = 0; i < s->W * s->G; i++, out += padded) {
        copy_inputs(c->x, at + i * l->I, l->I, c->is_signed, c->zero, out);
        for (int64_t k = l->I; k < padded; k++)
            out[k] = zero; /* its weights are zero */
    }
}

/* One row of pixels, one tile's width of outputs. */
static void run_row(tile_call t, int vectors, int64_t pixels)
{
    int most = vectors > 1 ? MOST_2 : MOST_1, size = 0;
    while (2 << size <= most)
        size++;
    while (pixels > 0) {
        while (1 << size > pixels)
            size--;
        tiles[vectors - 1][size](&t);
        t.x += (t.step << size);
        t.y += (t.O << size);
        pixels -= 1 << size;
    }
}

static void band_task(void *arg, int64_t task, int thread)
{
    const job *j = arg;
    const layout *l = &j->l;
    const dt_conv_shape *s = &l->s;
    int64_t n = task / l->bands, first = task % l->bands * l->rows;
    int64_t rows = s->OH - first < l->rows ? s->OH - first : l->rows;
    input *band = (input *)(void *)(j->band + (size_t)thread * l->band_bytes);
    for (int64_t i = 0; i < (rows - 1) * s->SH + dt_conv_reach(s->KH, s->DH); i++)
        copy_row(j, n, first * s->SH - s->PH + i, band + i * l->row);
    int64_t at = (n * s->OH + first) * s->OW * s->O;
    int32_t *sums = (int32_t *)(void *)(j->sums + (size_t)thread * l->sum_bytes);
    if (j->c->y) sums = j->c->y + at;
    tile_call t = { .step = s->SW * l->pixel,
                    .row = l->row * (s->DH + 1),
                    .taps = s->KW,
                    .tap = l->pixel * (s->DW + 1),
                    .inner = l->quads,
                    .KH = s->KH,
                    .block = l->block,
                    .O = s->O,
                    .span = j->span,
                    .shift = j->shift };
    if (s->G == 1 && s->DW == 0) { /* taps of a row lie behind each other */
        t.taps = 1;
        t.inner = s->KW * l->quads;
    }
    for (int64_t b = 0; b < s->G * l->blocks;) {
        int64_t group = b / l->blocks, block = b % l->blocks;
        int vectors = block + 1 < l->blocks ? 2 : 1;
        t.w = j->w + b * l->block;
        t.start = j->start + b * LANES;
        t.valid = l->O - block * LANES;
        for (int64_t r = 0; r < rows; r++) {
            t.x = band + r * s->SH * l->row + group * l->quads * QUAD;
            t.y = sums + r * s->OW * s->O + group * l->O + block * LANES;
            run_row(t, vectors, s->OW);
        }
        b += vectors;
    }
    if (j->c->done) j->c->done(j->c->arg, at, rows * s->OW * s->O, sums);
}

/* `j`: the call, and how it multiplies. */
static void direct_forward(job j, void *work, int threads)
{
    unsigned char *memory = work;
    j.l = lay_out(&j.c->shape);
    j.w = (weight *)work;
    j.start = (int32_t *)(void *)(memory + j.l.weight_bytes);
    j.band = memory + j.l.weight_bytes + j.l.start_bytes;
    j.sums = j.band + (size_t)(threads < 1 ? 1 : threads) * j.l.band_bytes;
    dt_parallel(threads, j.l.s.G * j.l.blocks, pack_block, &j);
    dt_parallel(threads, j.l.s.N * j.l.bands, band_task, &j);
}

#endif
