/* Configuration of the maxpool op. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_OP_MAXPOOL_H
#define DT_AUTOGRAD_OP_MAXPOOL_H

typedef struct dt_maxpool_conf {
    int kernel, stride, pad; /* both directions; pad at most kernel / 2 */
} dt_maxpool_conf;

#endif
