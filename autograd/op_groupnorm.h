/* Configuration of the groupnorm op. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_OP_GROUPNORM_H
#define DT_AUTOGRAD_OP_GROUPNORM_H

typedef struct dt_groupnorm_conf {
    int groups; /* of channels; as many as channels: instance norm */
    double eps; /* added to the variance */
} dt_groupnorm_conf;

/* Order of the node's inputs: x [N,H,W,C], then [C] each. */
enum { DT_GN_X, DT_GN_GAMMA, DT_GN_BETA, DT_GN_INPUTS };

#endif
