/* Configuration of the avgpool op. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_OP_AVGPOOL_H
#define DT_AUTOGRAD_OP_AVGPOOL_H

#include "autograd/window.h"

typedef struct dt_avgpool_conf {
    dt_window window;
    bool count_pad;     /* what is outside of the picture are zeros that count, but for */
    int over_h, over_w; /* the last rows below and columns right, which never do: the part that */
                        /* a last window has beyond all padding */
} dt_avgpool_conf;

/* Is every window divided by its size? y: the output's shape. */
bool dt_avgpool_is_even(const dt_avgpool_conf *c, const dt_shape *x, const dt_shape *y);

#endif
