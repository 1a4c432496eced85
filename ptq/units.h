/* Units: the parts of a net that are put right one after another. A unit computes one value from
 * another one, so it is a plan of its own (autograd/plan.h). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_PTQ_UNITS_H
#define DT_PTQ_UNITS_H

#include "ptq/engine.h"

typedef struct dt_ptq_units dt_ptq_units;

typedef struct dt_ptq_unit {
    const char *name;
    int in, out;        /* values of the graph; neither is made by a quantizer */
    int border;         /* the last one at or before `in` */
    const bool *inside; /* by node: `out` is computed from `in` and parameters through it */
} dt_ptq_unit;

/* A way to cut a net: one file unit_<name>.c, a row in units.def. */
typedef struct dt_ptq_cutter {
    dt_row row;
    /* Calls dt_ptq_add_unit for each, in the order of the net. */
    dt_status (*cut)(dt_ptq *q, dt_ptq_units *to, dt_error *err);
} dt_ptq_cutter;

extern const dt_table dt_ptq_cutters; /* kind "unit"; rows are dt_ptq_cutter */

struct dt_ptq_units {
    dt_ptq_unit *unit;
    int count, room;
};

/* `name`: of a row. Memory of the engine's arena. */
dt_status dt_ptq_cut(dt_ptq *q, const char *name, dt_ptq_units *out, dt_error *err) DT_MUST_CHECK;
dt_status dt_ptq_add_unit(dt_ptq *q, dt_ptq_units *to, int in, int out,
                          dt_error *err) DT_MUST_CHECK;

/* Values through which all goes on the way from the picture to the logits, each the last one of its
 * kind before the next product reads: outputs of blocks. */
void dt_ptq_find_borders(dt_ptq *q);
/* Past quantizers, towards the picture. */
int dt_ptq_unquantized(const dt_graph *g, int value);
/* What a product's result becomes before anything but its norm and element-wise functions reads it:
 * past those that alone read it. */
int dt_ptq_end_of(const dt_ptq *q, const dt_node *product);
/* The logits before their quantizer. */
int dt_ptq_last(const dt_ptq *q);

#endif
