/* The integer model as a sequence of steps in one static arena, for programs that are written out.
 * A step ends on codes: sums are requantised as they are made, and never stored. A value's memory
 * is another's before and after its life; where a form says so it works in place of an
 * input that is read for the last time. The picture and outputs lie in memory of the caller. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_C99_C_PLAN_H
#define DT_EXCHANGE_C99_C_PLAN_H

#include "integer/form.h"

typedef struct dt_c_step {
    const dt_int_node *node;         /* ends on codes; without in_count: an input */
    const dt_int_node *sums;         /* that makes the sums which `node` requantises; NULL: none */
    int in[DT_INT_MAX_IN], in_count; /* values that are read */
    size_t work_bytes, work;         /* memory that only this step needs, and its offset */
} dt_c_step;

typedef struct dt_c_plan {
    const dt_int_model *model;
    dt_c_step *step; /* in the order of execution */
    int steps;
    int64_t *offset; /* by value; -1: not in the arena */
    size_t arena_bytes;
} dt_c_plan;

/* Its codes are the caller's: nothing is computed. */
static inline bool dt_c_is_input(const dt_c_step *s)
{
    return s->in_count == 0;
}

/* Everything is the arena's. Errors: UNSUPPORTED names a layer and the rule it breaks; NOMEM. */
dt_status dt_c_plan_make(const dt_int_model *m, dt_arena *arena, dt_c_plan *out,
                         dt_error *err) DT_MUST_CHECK;

#endif
