/* Configuration of the dropout op. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_OP_DROPOUT_H
#define DT_AUTOGRAD_OP_DROPOUT_H

#include <stdbool.h>

typedef struct dt_dropout_conf {
    double rate;    /* share that becomes 0, in [0, 1) */
    bool by_sample; /* whole samples: stochastic depth */
} dt_dropout_conf;

#endif
