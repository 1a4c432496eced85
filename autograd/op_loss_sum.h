/* Weights of a sum of losses. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_OP_LOSS_SUM_H
#define DT_AUTOGRAD_OP_LOSS_SUM_H

#include "autograd/op.h"

enum { DT_LOSS_SUM_MOST = 8 };

typedef struct dt_loss_sum_conf {
    double weight[DT_LOSS_SUM_MOST]; /* by input */
} dt_loss_sum_conf;

#endif
