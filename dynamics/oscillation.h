/* The tracker's state, for rows that need it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_DYNAMICS_OSCILLATION_H
#define DT_DYNAMICS_OSCILLATION_H

#include "dynamics/dynamics.h"

typedef struct dt_oscillation {
    /* By site, NULL: not tracked. The code after the last step, the direction of its last change,
     * how often it reverses. */
    real **code, **turn, **flips;
    real *changed;        /* by site: sum of the shares that changed, since the epoch began */
    real *steps;          /* [1]: steps since then */
    int64_t (*counts)[2]; /* by piece, of the last step: changed, oscillating */
    int64_t *oscillating; /* by site, of the last step */
    int64_t tracked;      /* weights */
} dt_oscillation;

#endif
