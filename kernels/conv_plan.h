/* Direct convolution: how the forward pass and the input gradient are laid out. Internal to
 * kernels/. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_CONV_PLAN_H
#define DT_KERNELS_CONV_PLAN_H

#include "kernels/conv_direct.h"

/* One spatial axis. Output index j of grid g is at g + j * out_step; a tap k reaches it from row
 * j + unit of plane `plane`, see dt_conv_find_tap. */
typedef struct dt_conv_axis {
    int64_t in, out; /* sizes of the source and the output picture */
    int64_t stride, pad, K;
    int64_t apart;         /* pixels from tap to tap */
    int64_t grids, length; /* length: outputs of grid 0, the longest */
    int64_t planes, step;  /* row u of a plane is source row u * step + plane - shift */
    int64_t shift, extra;  /* n outputs need n + extra rows of each plane */
    int64_t out_step;
    int gradient;
} dt_conv_axis;

typedef struct dt_conv_plan {
    dt_conv_axis h, w;
    int depth;                  /* depthwise: one group of C channels, each by itself */
    int fold;                   /* outputs go to scratch and are folded: conv_direct_fold.c */
    int64_t N, G, K, M;         /* K source and M output channels of a group */
    int64_t taps, blocks, full; /* blocks of source channels; `full` of them are complete */
    int64_t block, last;        /* channels of a complete block and of the incomplete one */
    int64_t stride;             /* floats of a pixel in a block of the copy */
    int64_t M_padded;
    int64_t band, bands, rows; /* outputs of a band per grid; its rows in a plane */
    int64_t cols, plane_size, block_size;
    int64_t copy_size; /* floats of a band's copy, in front of the outputs to fold */
    size_t offset_bytes, weight_bytes; /* multiples of DT_ALIGN, as the next */
    size_t scratch_bytes;              /* per thread */
} dt_conv_plan;

/* The outputs of one stride phase of the input gradient; the forward pass has one grid. */
typedef struct dt_conv_grid {
    int64_t h, w;       /* phases = first output */
    int64_t taps, seen; /* its taps, and those of the grids before it */
} dt_conv_grid;

/* `gradient`: of the input, else the forward pass. */
dt_conv_plan dt_conv_plan_make(const dt_conv_tiles *t, const dt_conv_shape *s, int gradient);
/* Whether tap k reaches grid g, and then through which plane and how many rows further on. */
int dt_conv_find_tap(const dt_conv_axis *a, int64_t g, int64_t k, int64_t *plane, int64_t *unit);
/* Steps through the grids, 0 after the last; start with a zeroed one at h = 0, w = -1. */
int dt_conv_next_grid(const dt_conv_plan *p, dt_conv_grid *g);
/* Offsets of the grid's taps in the copy of a band, [block][tap]. */
void dt_conv_fill_offsets(const dt_conv_plan *p, const dt_conv_grid *g, int64_t *offset);

/* A piece of memory that is wanted soon, asked for bit by bit while other work goes on. */
typedef struct dt_conv_ahead {
    const float *at;
    int64_t left; /* floats */
} dt_conv_ahead;

static inline void dt_conv_fetch(dt_conv_ahead *a, int64_t count)
{
    if (count > a->left) count = a->left;
    if (count <= 0) return; /* nothing is wanted: `at` may be NULL */
    for (int64_t i = 0; i < count; i += DT_ALIGN / 4)
        DT_PREFETCH(a->at + i);
    a->at += count, a->left -= count;
}

static inline int64_t dt_min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t dt_max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static inline int64_t dt_div_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

#endif
