/* Configuration and inputs of the layernorm op. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_OP_LAYERNORM_H
#define DT_AUTOGRAD_OP_LAYERNORM_H

typedef struct dt_layernorm_conf {
    double eps; /* added to the variance */
} dt_layernorm_conf;

/* Order of the node's inputs: x [...,C], then [C] each. */
enum { DT_LN_X, DT_LN_GAMMA, DT_LN_BETA, DT_LN_INPUTS };

#endif
