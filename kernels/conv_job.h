/* Direct convolution: the parts of the gradients, so that both can be made of a picture while it is
 * in cache. Internal to kernels/. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_CONV_JOB_H
#define DT_KERNELS_CONV_JOB_H

#include "kernels/conv_plan.h"

/* Forward pass or input gradient. */
typedef struct dt_conv_job {
    const dt_conv_tiles *t;
    const dt_conv_shape *s;
    dt_conv_plan p;
    const float *in, *w;
    float *out;
    int accumulate, threads;
    int64_t *offset; /* [grid][block][tap of the grid] */
    float *weight;   /* [grid][group][tile of M][block][tap][channel][lane];
                      * depthwise: [grid][block][tap][lane] */
    unsigned char *scratch;
} dt_conv_job;

/* Takes the workspace and packs the weights; t, s, p, in, w, out and accumulate are set. */
void dt_conv_job_begin(dt_conv_job *j, void *workspace, int threads);
/* All bands of picture n; `in`: the source picture [h.in,w.in,G*K]. */
void dt_conv_job_picture(const dt_conv_job *j, int64_t n, const float *in, int thread);

/* Input gradient of few channels: conv_direct_fold.c. Whether it is taken for a shape; the shape of
 * the first sums; and what follows when a band of them is in z [rows][w.out][M_padded]. */
bool dt_conv_folds(const dt_conv_shape *s);
dt_conv_shape dt_conv_fold_shape(const dt_conv_shape *s);
void dt_conv_fold_band(const dt_conv_job *j, int64_t n, int64_t j0, const float *z);

/* Weight gradient. A unit of work is one band of `pictures` pictures (1 when there is more than one
 * band). */
typedef struct dt_conv_wplan {
    int depth; /* depthwise: one group of C channels, each by itself */
    int64_t G;
    int64_t I, M, M_padded, lanes; /* per group; lanes: output channels of the widest tile */
    int64_t tiles, window;         /* tiles of output channels per group; KW * I */
    int64_t pictures, units;
    int64_t band, bands, rows, cols; /* rows and cols of the copy of a band of x */
    int64_t slices, pieces;
    int copy_x, copy_dy;
    size_t x_bytes, scratch_bytes; /* scratch per thread: x, then dy; multiples of DT_ALIGN */
    int64_t partial;               /* floats of one partial sum: [group][M][kh][window][lane] */
} dt_conv_wplan;

typedef struct dt_conv_wjob {
    const dt_conv_tiles *t;
    const dt_conv_shape *s;
    dt_conv_wplan p;
    const dt_conv_input *x;
    const float *dy;
    float *dw, *partial;
    unsigned char *scratch;
} dt_conv_wjob;

/* `codes`: x will be codes, and is copied. */
dt_conv_wplan dt_conv_wplan_make(const dt_conv_tiles *t, const dt_conv_shape *s, bool codes);
size_t dt_conv_wplan_bytes(const dt_conv_wplan *p, int threads);
/* Takes the workspace; t, s, p, x and dw are set. */
void dt_conv_wjob_begin(dt_conv_wjob *j, void *workspace);
/* Sets the partial sum of task slice * p.pieces + piece to zero. */
void dt_conv_wjob_clear(const dt_conv_wjob *j, int64_t task);
/* Adds one unit to it; dy: the unit's first picture of dy. */
void dt_conv_wjob_unit(const dt_conv_wjob *j, int64_t task, int64_t unit, const float *dy,
                       int thread);
/* Adds the partial sums up. */
void dt_conv_wjob_end(dt_conv_wjob *j, int threads);

#endif
