/* Element-wise kernels on a tile: a few thousand neighbouring elements that stay in a first-level
 * cache, worked on by one thread. They are the stages of fused passes; point.h runs the same loops
 * over whole tensors, so both give the same bits. Per-channel operands are expanded to T lanes, T a
 * multiple of the channel count (dt_point_lay_out): lane j belongs to channel j % C, and tiles
 * start at channel 0. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_TILE_H
#define DT_KERNELS_TILE_H

#include "kernels/point.h"

/* A tile of x: real numbers, or sums of products in 16 bits, x = (sum + center) * scale by lane. */
typedef struct dt_tile_x {
    const real *x; /* NULL: sums */
    const int16_t *sum;
    int center;
    const real *scale;
} dt_tile_x;

/* z = (x - m) * k + b by lane; then, where high > 0, 0 for z <= 0 and high from there on: ReLU with
 * an infinite one. */
typedef struct dt_tile_norm {
    const real *m, *k, *b;
    real high;
} dt_tile_norm;

typedef struct dt_tile_kernels {
    void (*norm)(int64_t n, int64_t T, dt_tile_x x, dt_tile_norm z, real *y); /* y may be x.x */
    /* The codes of z, as `codes` gives them; encoders without thresholds. */
    bool (*norm_codes)(int64_t n, int64_t T, dt_tile_x x, dt_tile_norm z, const dt_encode *e,
                       uint8_t *c);
    void (*add)(int64_t n, const real *a, const real *b, real *y);         /* y may be a or b */
    void (*relu)(int64_t n, const real *x, real *y);                       /* y may be x */
    void (*clip)(int64_t n, const real *x, real high, real *y);            /* y may be x */
    void (*encode)(int64_t n, const real *x, const dt_encode *e, real *y); /* y may be x */
    /* c = q - qmin, encoders with integers q and qmax - qmin of at most 255; nan gives 0. True: all
     * of x is finite; codes would hide what is not. */
    bool (*codes)(int64_t n, const real *x, const dt_encode *e, uint8_t *c);
    /* y = (c - zero_point) * scale */
    void (*decode)(int64_t n, const uint8_t *c, int zero_point, real scale, real *y);
    /* y = sum * scale by lane; y may be the memory of the sums. */
    void (*scale_sums)(int64_t n, int64_t T, const int32_t *sum, const real *scale, real *y);
    /* s = sum - center, which fits */
    void (*narrow)(int64_t n, const int32_t *sum, int center, int16_t *s);
    /* dx = g where y > 0 else 0 (added when `sum`); dx may be g. */
    void (*relu_back)(int64_t n, const real *y, const real *g, real *dx, bool sum);
    /* dx = g where 0 < y < high else 0 (added when `sum`); dx may be g. */
    void (*clip_back)(int64_t n, const real *y, const real *g, real high, real *dx, bool sum);
    /* dx (NULL: not wanted; added when `sum`; may be g); adds to the sums. At most DT_POINT_BLOCK
     * elements. */
    void (*encode_back)(int64_t n, const real *x, const real *g, const dt_encode *e, real *dx,
                        bool sum, dt_encode_sums *sums);
    /* Adds g and g * (x - m) to T lanes each. */
    void (*norm_sums)(int64_t n, int64_t T, dt_tile_x x, const real *g, const real *m, real *sum,
                      real *sum_x);
    /* dx = k * (g - a - (x - m) * b) by lane (added when `sum`); dx may be g. */
    void (*norm_back)(int64_t n, int64_t T, dt_tile_x x, const real *g, const real *m,
                      const real *k, const real *a, const real *b, real *dx, bool sum);
    /* sums[C]: column sums of rows * C elements; sums[C..2C): of squared deviations from the
     * columns' means. lanes: 2 T of scratch. */
    void (*moments)(int64_t rows, int64_t C, int64_t T, dt_tile_x x, real *lanes, double *sums);
    /* Adds T lanes to C sums, in order. */
    void (*fold)(int64_t T, int64_t C, const real *lanes, double *sums);
} dt_tile_kernels;

void dt_tile_scalar(dt_tile_kernels *k);
void dt_tile_avx2(dt_tile_kernels *k);
void dt_tile_avx512(dt_tile_kernels *k);

#endif
