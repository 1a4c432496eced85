/* Configuration of the maxpool op. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_OP_MAXPOOL_H
#define DT_AUTOGRAD_OP_MAXPOOL_H

#include "autograd/window.h"

typedef struct dt_maxpool_conf {
    dt_window window;
} dt_maxpool_conf;

#endif
