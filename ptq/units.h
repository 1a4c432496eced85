/* Units: the parts of a net that are put right one after another. A unit computes one value from
 * another one, so it is a plan of its own (autograd/plan.h). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_PTQ_UNITS_H
#define DT_PTQ_UNITS_H

#include "ptq/engine.h"

typedef struct dt_ptq_units dt_ptq_units;

typedef struct dt_ptq_unit {
    const char *name;
    int in, out;        /* values of the graph, neither made by a quantizer; in may be
                         * DT_PTQ_INPUTS */
    int border;         /* the last one at or before `in` */
    const bool *inside; /* by node: `out` is computed from `in` and parameters through it */
} dt_ptq_unit;

/* A way to cut a net: one file unit_<name>.c, a row in units.def. */
typedef struct dt_ptq_cutter {
    dt_row row;
    /* Calls dt_ptq_add_unit for each, in the order of the net. */
    dt_status (*cut)(dt_ptq *q, dt_ptq_units *to, dt_error *err);
} dt_ptq_cutter;

struct dt_ptq_units {
    dt_ptq_unit *unit;
    int count, room;
};

/* `name`: of a row. Memory of the engine's arena. */
dt_status dt_ptq_cut(dt_ptq *q, const char *name, dt_ptq_units *out, dt_error *err) DT_MUST_CHECK;
dt_status dt_ptq_add_unit(dt_ptq *q, dt_ptq_units *to, int in, int out,
                          dt_error *err) DT_MUST_CHECK;
/* From `in`, behind which no border is, to the outputs: a unit each, that has what is in none before
 * it; outputs that no quantized weight is for by themselves have none. */
dt_status dt_ptq_add_ends(dt_ptq *q, dt_ptq_units *to, int in, dt_error *err) DT_MUST_CHECK;

/* Values through which all goes on the way from what goes in to what comes out, each the last one of
 * its kind before the next product reads: outputs of blocks. None is before inputs have met, nor
 * behind the place where the ways to outputs part. */
void dt_ptq_find_borders(dt_ptq *q);
/* Past quantizers, towards the picture. */
int dt_ptq_unquantized(const dt_graph *g, int value);
/* What a product's result becomes before anything but its norm and element-wise functions reads it:
 * past those that alone read it. */
int dt_ptq_end_of(const dt_ptq *q, const dt_node *product);
/* Output k before its quantizer. */
int dt_ptq_last(const dt_ptq *q, int k);
/* Is a value, before its quantizer, an output? */
bool dt_ptq_is_last(const dt_ptq *q, int value);

#endif
