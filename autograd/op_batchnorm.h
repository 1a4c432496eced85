/* Batch normalisation: configuration, and the parts that fused nodes share with the plain op. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_OP_BATCHNORM_H
#define DT_AUTOGRAD_OP_BATCHNORM_H

#include "autograd/op.h"

typedef struct dt_batchnorm_conf {
    double eps, momentum; /* PyTorch's: 1e-5, 0.1 */
} dt_batchnorm_conf;

/* First inputs of the op, and of nodes that contain it. */
enum { DT_BN_X, DT_BN_GAMMA, DT_BN_BETA, DT_BN_MEAN, DT_BN_VAR, DT_BN_INPUTS };

/* Rows and channels of x [...,C]. */
typedef struct dt_batchnorm_dims {
    int64_t rows, C;
} dt_batchnorm_dims;
dt_batchnorm_dims dt_batchnorm_dims_of(const dt_shape *x);

/* Bytes of r->saved: mean [C], 1/deviation [C]. Bytes of work: 5 [C] doubles, then dt_point_work.
 */
size_t dt_batchnorm_saved_bytes(dt_batchnorm_dims d);
size_t dt_batchnorm_work_bytes(dt_batchnorm_dims d, int threads);

/* Fills r->saved with the statistics that r->norms says, those of the batch being r->joined where
 * that is set, and moves or replaces the running ones as that says. Then k [C] = gamma / deviation.
 * `known`: the batch's mean and biased variance are the first 2 [C] doubles of the work already. */
void dt_batchnorm_statistics(const dt_op_run *r, const dt_batchnorm_conf *c, bool known, void *work,
                             real *k);

/* Parts of dt_op_statistics of ops whose configuration begins with that of batch norm: mean [C] and
 * biased variance [C] of the batch. */
int64_t dt_batchnorm_count(const void *conf, const dt_shape *in);
void dt_batchnorm_move(const dt_op_run *r, const double *numbers);
void dt_batchnorm_merge(int64_t count, double *a, double a_batches, const double *b,
                        double b_batches);

/* From the column sums of dy [C] and of dy * (x - mean) [C]. This batch's: gradients of gamma and
 * beta where they are wanted. */
void dt_batchnorm_param_grads(const dt_op_run *r, const double *sum_dy, const double *sum_dyx);
/* Those of all batches whose statistics are joined: the factors of dx = k (dy - a - (x - mean) b).
 */
void dt_batchnorm_factors(const dt_op_run *r, const double *sum_dy, const double *sum_dyx, real *k,
                          real *a, real *b);

#endif
