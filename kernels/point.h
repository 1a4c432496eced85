/* Element-wise kernels and per-channel reductions. One source (point_impl.h) is compiled once a
 * tier, so every tier gives the same bits: sums run in 16 fixed lanes over blocks of at most 4096
 * elements in `real`, blocks are added in index order in double. Results do not depend on
 * `threads`. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_POINT_H
#define DT_KERNELS_POINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/compiler.h"

/* Encoder kinds of fake quantization; see autograd/quantizer.h. With u = (x - offset) / scale:
 *   affine:     q = rne(clip(u, qmin, qmax))
 *   thresholds: q = level[number of thresholds t with t < u], qmin = level[0], qmax = level[last]
 * and y = q * scale + offset. Ties at a threshold go to the lower level. nan stays nan. An affine
 * encoder is scale, offset, qmin, qmax and nothing else; `mask`, `plain` and `slope` only shape the
 * gradient. */
typedef enum dt_mask {                     /* which u are "inside" for the gradient */
                       DT_MASK_OPEN,       /* qmin < u < qmax */
                       DT_MASK_CLOSED,     /* qmin <= u <= qmax */
                       DT_MASK_UPPER_OPEN, /* qmin <= u < qmax */
                       DT_MASK_ROUNDED,    /* qmin <= rne(u) <= qmax: rounded, then clipped */
} dt_mask;

/* What the derivative of rne(u) is taken for, inside; affine encoders only. With g the gradient of
 * q and r = u - floor(u) - 1/2 the distance from where rounding turns:
 *   one:  g
 *   gap:  g (1 + a sign(g) (u - q)), the element-wise gradient scaling of EWGS
 *   soft: g b (1 - tanh(a r)^2), of a soft staircase tanh; b makes its mean over a step 1 */
typedef enum dt_slope { DT_SLOPE_ONE, DT_SLOPE_GAP, DT_SLOPE_SOFT } dt_slope;

typedef struct dt_encode {
    real scale, offset, qmin, qmax;
    bool plain; /* gradient passes outside the range as well */
    dt_mask mask;
    dt_slope slope;
    real slope_a, slope_b; /* 0 <= slope_a <= 16 for soft */
    int thresholds;        /* 0: affine */
    const real *threshold; /* [thresholds], ascending, in units of u */
    const real *level;     /* [thresholds + 1] */
} dt_encode;

/* Sums over the elements of a group, g the gradient of y and h what the slope makes of it. */
typedef struct dt_encode_sums {
    double residual; /* g * q - h * u inside: g * (q - u) for slope one */
    double inside;   /* g inside */
    double below;    /* g below: where u is too low for the mask */
    double above;    /* g above */
    double kept;     /* g - h inside: what a slope keeps from x; 0 for slope one */
} dt_encode_sums;

/* The mask as numbers: an element is below where u <= *low, above where u >= *high. */
void dt_encode_bounds(const dt_encode *e, real *low, real *high);

enum { DT_POINT_BLOCK = 4096, DT_POINT_CHUNK = 8 * DT_POINT_BLOCK };

typedef struct dt_point_kernels {
    /* y = a + b; y may be a or b. */
    void (*add)(int threads, int64_t n, const real *a, const real *b, real *y);
    /* y = max(x, 0), nan stays; y may be x. */
    void (*relu)(int threads, int64_t n, const real *x, real *y);
    /* dx = dy where y > 0 else 0 (added to dx when `sum`); dx may be dy. */
    void (*relu_back)(int threads, int64_t n, const real *y, const real *dy, real *dx, bool sum);
    /* y = min(max(x, 0), high), nan stays; y may be x. */
    void (*clip)(int threads, int64_t n, const real *x, real high, real *y);
    /* dx = dy where 0 < y < high else 0 (added to dx when `sum`); dx may be dy. */
    void (*clip_back)(int threads, int64_t n, const real *y, const real *dy, real high, real *dx,
                      bool sum);
    /* mean and biased variance of each column of x [rows,C]; work: dt_point_work(rows, C, threads).
     */
    void (*moments)(int threads, int64_t rows, int64_t C, const real *x, void *work, double *mean,
                    double *var);
    /* y = (x - mean) * k + b by column; work as above; y may be x. */
    void (*scale_shift)(int threads, int64_t rows, int64_t C, const real *x, const real *mean,
                        const real *k, const real *b, void *work, real *y);
    /* sums over rows: dy, and dy * (x - mean). */
    void (*norm_back_sums)(int threads, int64_t rows, int64_t C, const real *x, const real *dy,
                           const real *mean, void *work, double *sum_dy, double *sum_dyx);
    /* dx = k * (dy - a - (x - mean) * b) by column (added when `sum`); dx may be dy. */
    void (*norm_back)(int threads, int64_t rows, int64_t C, const real *x, const real *dy,
                      const real *mean, const real *k, const real *a, const real *b, void *work,
                      real *dx, bool sum);
    /* sums[C] = column sums of x [rows,C]. */
    void (*column_sums)(int threads, int64_t rows, int64_t C, const real *x, void *work,
                        double *sums);
    void (*encode)(int threads, int64_t n, const real *x, const dt_encode *e, real *y);
    /* dx (NULL: not wanted; added when `sum`; may be g) and the sums; work: dt_encode_work(n). */
    void (*encode_back)(int threads, int64_t n, const real *x, const real *g, const dt_encode *e,
                        real *dx, bool sum, void *work, dt_encode_sums *sums);
} dt_point_kernels;

/* Bytes of scratch memory. */
size_t dt_point_work(int64_t rows, int64_t C, int threads);
size_t dt_encode_work(int64_t n);

void dt_point_scalar(dt_point_kernels *k);
void dt_point_avx2(dt_point_kernels *k);
void dt_point_avx512(dt_point_kernels *k);

#endif
