/* Configuration of the gelu op. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_OP_GELU_H
#define DT_AUTOGRAD_OP_GELU_H

#include <stdbool.h>

typedef struct dt_gelu_conf {
    bool by_tanh; /* the approximation by tanh; else by erf */
} dt_gelu_conf;

#endif
