/* Direct convolution, the part that all vector tiers share: planning, padding copies, packing of
 * weights and loops. A tier contributes only its register tiles. Internal to kernels/. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_CONV_DIRECT_H
#define DT_KERNELS_CONV_DIRECT_H

#include <stdbool.h>

#include "kernels/conv.h"
#include "kernels/conv_winograd.h"

enum {
    DT_CONV_BLOCK = 16,  /* channels of a block of the padded copy = its pixel stride in floats */
    DT_CONV_NARROW = 4,  /* pixel stride instead when there are at most that many channels */
    DT_CONV_VECTORS = 2, /* most vectors of output channels in a tile */
    DT_CONV_LANES = 32,  /* most output channels in a tile */
    DT_CONV_PIXELS = 16, /* most output pixels of a row in a tile */
    DT_CONV_INPUTS = 24, /* most inputs of a weight-gradient tile */
    DT_CONV_TAPS = 7,    /* most taps of a depthwise weight-gradient tile */
};

/* Forward tile: P neighbouring outputs of V vectors of channels,
 *   y[p*y_step + v] (+)= sum over s < segments, i < channels of
 *                        x[offset[s] + p*stride + i] * w[(s*channels + i)*V*VEC + v]
 * where the stride of a pixel is DT_CONV_BLOCK or DT_CONV_NARROW. Depthwise: DT_CONV_BLOCK
 * channels, y[p*y_step + v] (+)= sum over s of x[offset[s] + p*DT_CONV_BLOCK + v] *
 * w[s*DT_CONV_BLOCK + v] */
typedef struct dt_conv_tile_args {
    const float *x, *w;
    const int64_t *offset; /* [segments] */
    int64_t segments, channels;
    float *y;
    int64_t y_step;
    int add; /* 0: overwrite y */
} dt_conv_tile_args;
typedef void (*dt_conv_tile)(const dt_conv_tile_args *a);

/* Weight-gradient tile: Q inputs times V vectors of output channels,
 *   dw[(q*V*VEC) + v] += sum over n < pictures, r < rows, c < cols of
 *        x[n*x_picture + r*x_row + c*x_step + q] * dy[n*dy_picture + r*dy_row + c*dy_step + v]
 * Depthwise: q are taps, V*VEC = DT_CONV_BLOCK, and x is read at [.. + q*x_tap + v]. */
typedef struct dt_conv_wtile_args {
    const float *x, *dy;
    int64_t pictures, rows, cols;
    int64_t x_picture, x_row, x_step, x_tap, dy_picture, dy_row, dy_step;
    float *dw;
} dt_conv_wtile_args;
typedef void (*dt_conv_wtile)(const dt_conv_wtile_args *a);

/* The register tiles of a tier; index V-1 and P-1 or Q-1. Sizes that a tier does without are NULL;
 * size 1 is always there. */
struct dt_conv_tiles {
    int64_t vec;                         /* floats of a vector */
    int64_t max_pixels[DT_CONV_VECTORS]; /* largest P for each V */
    int64_t max_inputs[DT_CONV_VECTORS]; /* largest Q for each V */
    dt_conv_tile block[DT_CONV_VECTORS][DT_CONV_PIXELS];
    dt_conv_tile narrow[DT_CONV_VECTORS][DT_CONV_PIXELS];
    dt_conv_wtile weight[DT_CONV_VECTORS][DT_CONV_INPUTS];
    void (*decode)(int64_t n, const uint8_t *c, int zero_point, float scale, float *y);
    int64_t max_taps;                   /* largest number of taps in depth_weight */
    dt_conv_tile depth[DT_CONV_PIXELS]; /* up to max_pixels of DT_CONV_BLOCK / vec vectors */
    dt_conv_wtile depth_weight[DT_CONV_TAPS];
    const dt_winograd_loops *winograd;
};

/* As the members of dt_conv_kernels, for the tiles of a tier. */
size_t dt_conv_direct_workspace(const dt_conv_tiles *t, const dt_conv_shape *s, dt_conv_pass pass,
                                int threads);
void dt_conv_direct_forward(const dt_conv_tiles *t, const dt_conv_shape *s, const float *x,
                            const float *w, float *y, void *workspace, int threads);
void dt_conv_direct_dgrad(const dt_conv_tiles *t, const dt_conv_shape *s, const float *dy,
                          const float *w, float *dx, int accumulate, void *workspace, int threads);
void dt_conv_direct_wgrad(const dt_conv_tiles *t, const dt_conv_shape *s, const dt_conv_input *x,
                          const float *dy, float *dw, void *workspace, int threads);
/* Whether `backward` has the memory to work picture by picture. */
bool dt_conv_direct_together(const dt_conv_tiles *t, const dt_conv_back *b);
void dt_conv_direct_backward(const dt_conv_tiles *t, const dt_conv_back *b, void *workspace,
                             int threads);
size_t dt_conv_direct_back_workspace(const dt_conv_tiles *t, const dt_conv_shape *s, int threads);
size_t dt_conv_direct_wgrad_workspace(const dt_conv_tiles *t, const dt_conv_shape *s, int threads);

#endif
