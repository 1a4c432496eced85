/* What an update may not do to a learned range. Nothing keeps a step of the optimizer from carrying
 * a scale past 0, and what lies beyond is no range: the values of the layer would all be one, and
 * no gradient would lead back. So after every update each group's range is held to
 *
 *   half of what it was before the update, and
 *   2^-10 of what it started with, its floor (no higher than where it was),
 *
 * whichever is larger. A range that is larger than both is left as it is, to the bit. What was held
 * is the range of before, shrunk; what the optimizer carries over for it begins anew. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_FAKEQUANT_FLOOR_H
#define DT_FAKEQUANT_FLOOR_H

#include "autograd/quantizer.h"

/* Below this a scale is no number to divide by; the floor where a start is not known. */
#define DT_FLOOR_LEAST 1e-20
#define DT_FLOOR_STEP 0.5           /* of the range before an update */
#define DT_FLOOR_FIRST 0.0009765625 /* of the range at the start */

typedef enum dt_held {
    DT_HELD_NOT,
    DT_HELD_STEP,  /* to half */
    DT_HELD_FLOOR, /* to its floor */
} dt_held;

/* Holds the parameters of one group of a site; `before` are those that the update found. Parameters
 * that are not finite are left: the run ends on them. */
dt_held dt_floor_hold(const dt_fakequant_conf *c, const real *before, real *params);
/* Is the range of a group at its floor, or below? False where nothing is learned. */
bool dt_floor_is_at(const dt_fakequant_conf *c, const real *params);
/* Are these numbers a range, all finite and the size at least DT_FLOOR_LEAST? Then they are
 * settled. True where nothing is learned. `out_size` is told in messages. */
bool dt_floor_usable(const dt_fakequant_conf *c, const real *params, double *out_size);

/* For `plan`, which is called with whatever a caller has. */
static inline real dt_floor_positive(real scale)
{
    return scale < (real)DT_FLOOR_LEAST ? (real)DT_FLOOR_LEAST : scale;
}

#endif
