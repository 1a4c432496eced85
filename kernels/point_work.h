/* Layout of the scratch memory of the per-channel kernels. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_POINT_WORK_H
#define DT_KERNELS_POINT_WORK_H

#include <stddef.h>
#include <stdint.h>

#include "core/compiler.h"

typedef struct dt_point_layout {
    int64_t T;          /* lanes: a multiple of C, at least 256 or C */
    int64_t block_rows; /* rows a task works on: at most 4096, about 64 KB */
    int64_t blocks;
    double *partial; /* [blocks][2][C] */
    real *column[4]; /* [T] each */
    real *lanes;     /* [threads][2][T] */
} dt_point_layout;

/* `work` NULL: sizes only. */
dt_point_layout dt_point_lay_out(int64_t rows, int64_t C, void *work);
/* Mean and biased variance of every column from the blocks' dt_tile_kernels.moments. */
void dt_point_join(const dt_point_layout *l, int64_t rows, int64_t C, double *mean, double *var);

#endif
