/* Configuration of the softmax_ce op. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_OP_SOFTMAX_CE_H
#define DT_AUTOGRAD_OP_SOFTMAX_CE_H

typedef struct dt_softmax_ce_conf {
    double smoothing; /* the target is (1 - smoothing) one-hot + smoothing / classes */
} dt_softmax_ce_conf;

#endif
