/* Convolution of 3x3 taps at stride 1 by minimal filtering: Winograd's F(2x2,3x3), as of Lavin and
 * Gray, "Fast Algorithms for Convolutional Neural Networks", arXiv 1509.09308. A tile of 2 x 2
 * outputs takes 16 products a pair of channels instead of 36:
 *
 *   Y = A' [(G g G') . (B' d B)] A      d: 4x4 patch of the source, g: 3x3 taps
 *
 * with B' = 1 0 -1 0 | 0 1 1 0 | 0 -1 1 0 | 0 -1 0 1, A' = 1 1 1 0 | 0 1 -1 1 and
 * G = 1 0 0 | 1/2 1/2 1/2 | 1/2 -1/2 1/2 | 0 0 1: sums, differences and halves, so that errors stay
 * of the size of those of a plain sum. The input gradient is the same with rotated taps. The
 * gradient of the taps is the transpose, G' [(A z A') . (B' d B)] G, where d are patches of dy as
 * for the input gradient and z tiles of x: both gradients share the patches.
 *
 * Internal to kernels/; the tier's loops are in conv_winograd_tile.h. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_CONV_WINOGRAD_H
#define DT_KERNELS_CONV_WINOGRAD_H

#include <stdbool.h>

#include "kernels/conv.h"

enum { DT_WINOGRAD = 16 }; /* elements of a transformed tile, one plane for each */

/* One row of tiles. Channels are a multiple of DT_CONV_BLOCK in all of them; a row of pixels is
 * [width][channels]; `plane`: floats between planes. */
typedef struct dt_winograd_row {
    int64_t tiles, width, channels, plane;
    const float *in[4]; /* patches: source rows; pairs: 2 rows. Outside the picture: zeros */
    int64_t pad;        /* patches: the first one starts at column -pad */
    int64_t block;      /* patches: floats between blocks of channels */
    float
        *planes; /* patches: [plane][block][tile][DT_CONV_BLOCK]; others: [plane][tile][channel] */
    float *out[2]; /* outputs: rows of y; the second may be NULL */
    bool add;      /* outputs: to what is there */
} dt_winograd_row;

/* Taps of DT_CONV_BLOCK lanes for one source channel: w[tap * tap_step + lane * lane_step]. */
typedef struct dt_winograd_taps {
    const float *w;
    int64_t tap_step, lane_step;
    float *to; /* to[plane * `plane` + lane] */
    int64_t plane;
} dt_winograd_taps;

/* dw[tap * tap_step + lane * lane_step] of transformed sums. */
typedef struct dt_winograd_sums {
    const float *from; /* from[plane * `plane` + lane] */
    int64_t plane;
    float *dw;
    int64_t tap_step, lane_step;
} dt_winograd_sums;

typedef struct dt_winograd_loops {
    void (*patches)(const dt_winograd_row *r); /* B' d B */
    void (*pairs)(const dt_winograd_row *r);   /* A z A' */
    void (*outputs)(const dt_winograd_row *r); /* A' m A */
    void (*taps)(const dt_winograd_taps *t);   /* G g G' */
    void (*sums)(const dt_winograd_sums *s);   /* G' u G */
} dt_winograd_loops;

typedef struct dt_conv_tiles dt_conv_tiles;

/* Whether a shape is convolved so: what is known of it alone decides. */
bool dt_winograd_takes(const dt_conv_shape *s, dt_conv_pass pass);
size_t dt_winograd_workspace(const dt_conv_shape *s, dt_conv_pass pass, int threads);
void dt_winograd_forward(const dt_conv_tiles *t, const dt_conv_shape *s, const float *x,
                         const float *w, float *y, void *workspace, int threads);
void dt_winograd_dgrad(const dt_conv_tiles *t, const dt_conv_shape *s, const float *dy,
                       const float *w, float *dx, int accumulate, void *workspace, int threads);
void dt_winograd_wgrad(const dt_conv_tiles *t, const dt_conv_shape *s, const dt_conv_input *x,
                       const float *dy, float *dw, void *workspace, int threads);
void dt_winograd_backward(const dt_conv_tiles *t, const dt_conv_back *b, void *workspace,
                          int threads);

#endif
