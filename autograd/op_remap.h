/* Configuration of the remap op: for each axis of the output, which element of the input's axis
 * every place has. One rule says what resizing to the nearest, padding, turning round, rolling,
 * repeating and taking every n-th element do to an axis. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_OP_REMAP_H
#define DT_AUTOGRAD_OP_REMAP_H

#include <stdbool.h>

#include "core/shape.h"

/* What is at places that lie outside of the input. */
typedef enum dt_remap_border {
    DT_REMAP_FILL,    /* zeros; they are also between elements, where den does not divide */
    DT_REMAP_EDGE,    /* the nearest element */
    DT_REMAP_REFLECT, /* as in a mirror that stands on the last element */
    DT_REMAP_WRAP,    /* the axis again */
    DT_REMAP_BORDERS
} dt_remap_border;

/* Place i has element floor((num i + add) / den). All fields are of one size: forms compare them as
 * bytes. */
typedef struct dt_remap_axis {
    int64_t count; /* of the output; 0: the axis stays as it is */
    int64_t num, add, den;
    int64_t border; /* dt_remap_border */
} dt_remap_axis;

enum { DT_REMAP_MOST = 1 << 30 }; /* of each number */

typedef struct dt_remap_conf {
    dt_remap_axis axis[DT_MAX_RANK]; /* [0], the batch, stays */
} dt_remap_conf;

/* The element of an axis of `size` at place i; -1: a zero. */
int64_t dt_remap_index(const dt_remap_axis *a, int64_t size, int64_t i);
/* Where row `row` of one sample, all axes but the last, begins in a sample of x; -1: zeros. */
int64_t dt_remap_row(const dt_remap_conf *c, const dt_shape *x, const dt_shape *y, int64_t row);
/* The rule that has these elements (-1: zeros) of an axis of `size`; false: there is none. */
bool dt_remap_fit(const int64_t *index, int64_t count, int64_t size, dt_remap_axis *out);

#endif
