/* Configuration of the avgpool op. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_OP_AVGPOOL_H
#define DT_AUTOGRAD_OP_AVGPOOL_H

#include <stdbool.h>

typedef struct dt_avgpool_conf {
    int kernel_h, kernel_w, stride_h, stride_w;
    int pad_h, pad_w;   /* zeros above and left */
    int more_h, more_w; /* zeros below and right beyond those; less than 0: fewer */
    bool count_pad;     /* they count: every window is divided by its size */
} dt_avgpool_conf;

#endif
