/* Configurations of the ops affine and power. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_OP_POWERS_H
#define DT_AUTOGRAD_OP_POWERS_H

typedef struct dt_affine_conf {
    double factor, shift; /* y = factor x + shift */
} dt_affine_conf;

enum { DT_POWER_MOST = 8 };
typedef struct dt_power_conf {
    double exponent; /* y = x^exponent: a whole number, -DT_POWER_MOST..DT_POWER_MOST, not 0 */
} dt_power_conf;

#endif
