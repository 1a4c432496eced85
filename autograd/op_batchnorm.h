/* Configuration of the batchnorm op. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_OP_BATCHNORM_H
#define DT_AUTOGRAD_OP_BATCHNORM_H

typedef struct dt_batchnorm_conf {
    double eps, momentum; /* PyTorch's: 1e-5, 0.1 */
} dt_batchnorm_conf;

/* Inputs of the op. */
enum { DT_BN_X, DT_BN_GAMMA, DT_BN_BETA, DT_BN_MEAN, DT_BN_VAR };

#endif
