/* Optimizers: one descriptor a method, rows in optimizers.def, one file optim_<name>.c a row. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_OPTIM_OPTIMIZER_H
#define DT_OPTIM_OPTIMIZER_H

#include <stdint.h>

#include "core/compiler.h"
#include "core/opt.h"

enum { DT_OPTIMIZER_STATES = 4 }; /* most buffers a parameter may have */

typedef struct dt_optimizer {
    dt_row row; /* options must have a learning rate and a weight decay, see below */
    /* Offsets of two `double` fields of the configuration. The train loop reads them: the first is
     * the base of the schedule, the second is 0 for the parameters that are not decayed. */
    size_t lr_offset, weight_decay_offset;
    int state_count;                /* buffers of a parameter's size, 0..DT_OPTIMIZER_STATES */
    const char *const *state_names; /* [state_count]; names in checkpoints */
    unsigned pushes; /* bit k: buffer k carries past gradients into the next update */
    /* One update of a parameter. `lr` and `decay` are this step's; the configuration's own lr and
     * weight_decay are not read. `state[i]` is zero before the first step. No buffer overlaps
     * another one. `step` counts from 0. */
    void (*step)(const void *conf, size_t n, real lr, real decay, real *w, /* [n] */
                 const real *g,                                            /* [n] */
                 real *const *state, /* [state_count] of [n] */
                 int64_t step);
} dt_optimizer;

/* Rows are dt_optimizer. */
extern const dt_table dt_optimizers;

/* Learning rate and weight decay of a configuration. */
double dt_optimizer_lr(const dt_optimizer *o, const void *conf);
double dt_optimizer_weight_decay(const dt_optimizer *o, const void *conf);

#endif
