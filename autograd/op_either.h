/* Configuration of the either op. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_OP_EITHER_H
#define DT_AUTOGRAD_OP_EITHER_H

typedef struct dt_either_conf {
    double share; /* of elements that are those of in[0], in training */
} dt_either_conf;

#endif
