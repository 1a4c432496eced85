/* Losses: operations that make one number of a net's output and of what is wanted. One file a loss
 * (`op_<name>.c`, which has the operation and the loss), one row DT_LOSS(<name>) in ops.def. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_LOSS_H
#define DT_AUTOGRAD_LOSS_H

#include "autograd/op.h"
#include "core/answer.h"

typedef struct dt_loss {
    /* The name is that of the operation, the configuration is its, and the options are what a
     * recipe may set. Inputs: output [N,K] and answers, labels [N] or [N,K]; output: the mean over
     * samples [1]. A sample does not count whose label is negative, or whose first flag or number
     * is nan. */
    dt_row row;
    dt_answer answer;
    bool shares; /* of labels: takes the share of each class [N,K] in their place, too */
    /* Spreads a share of the labels over all classes (train.label_smoothing); NULL: it cannot. */
    void (*smooth)(void *conf, double share);
    /* Of one sample: output [K], answer. */
    double (*of)(const void *conf, const real *y, const void *answer, int64_t K);
} dt_loss;

extern const dt_table dt_losses; /* kind "loss"; rows are dt_loss */

#endif
