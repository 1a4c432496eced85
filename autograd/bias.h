/* A bias for each channel of a product: added to its rows, and its gradient. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_BIAS_H
#define DT_AUTOGRAD_BIAS_H

#include "autograd/op.h"

/* A bias of O channels, repeated so that kernels have rows that are long enough. */
typedef struct dt_bias {
    int64_t lanes;           /* a multiple of O */
    real *zero, *one, *bias; /* [lanes] */
} dt_bias;

int64_t dt_bias_lanes(int64_t O);
/* Bytes of such rows. */
size_t dt_bias_work(int64_t O);
/* Lays the rows out in `work`; bias [O]. */
dt_bias dt_bias_lay_out(const real *bias, int64_t O, void *work);
/* y += bias; y: whole rows, `count` elements. */
void dt_bias_add(const dt_tile_kernels *k, const dt_bias *b, int64_t count, real *y);

/* d_in[2] [O] = sums of the columns of dy [rows,O], if it is wanted; work: dt_bias_grad_work. */
void dt_bias_grad(const dt_op_run *r, int64_t rows, int64_t O, const real *dy, void *work);
size_t dt_bias_grad_work(int64_t rows, int64_t O, int threads);

#endif
