/* How a camera was held: the orientation that EXIF tells of a JPEG file. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_DATA_ORIENTATION_H
#define DT_DATA_ORIENTATION_H

#include "data/picture.h"

/* 1 (as it is) to 8, as in EXIF; 1 where a file tells none, or none of these. From 5 on the sides
 * are exchanged. */
int dt_orientation_of(const void *data, size_t size);
/* Turns s->picture, of a file that tells `orientation`, so that its top is up; uses s->spare. */
dt_status dt_orientation_apply(int orientation, dt_sample *s, dt_error *err) DT_MUST_CHECK;

#endif
