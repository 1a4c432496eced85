/* Configuration of the arrange op: nested loops over the elements of an output, outermost first. A
 * loop takes `count` steps of `step` along an axis of the input, and is part of an axis of the
 * output. So parts of axes, their order, and axes that are split and joined are one form, which is
 * free of the layout in which a format has its axes. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_OP_ARRANGE_H
#define DT_AUTOGRAD_OP_ARRANGE_H

#include "core/shape.h"

enum { DT_ARRANGE_LOOPS = 8 };

typedef struct dt_arrange_loop {
    int from, to; /* axes of the input and of the output; 0 is the batch, which stays */
    int64_t count, step;
} dt_arrange_loop;

typedef struct dt_arrange_conf {
    int rank;                   /* of the output; axes without a loop are 1 */
    int loops;                  /* in the order of `to` */
    int64_t first[DT_MAX_RANK]; /* by axis of the input: where its loops begin */
    dt_arrange_loop loop[DT_ARRANGE_LOOPS];
} dt_arrange_conf;

/* The loops in elements of one sample of the input, adjacent ones joined where they can be. */
typedef struct dt_arrange_walk {
    int loops;
    int64_t offset, count[DT_ARRANGE_LOOPS], stride[DT_ARRANGE_LOOPS];
} dt_arrange_walk;
/* Of an input with these axes. */
dt_arrange_walk dt_arrange_walk_of(const dt_arrange_conf *c, const dt_shape *x);

#endif
