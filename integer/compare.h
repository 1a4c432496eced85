/* Comparison of two executions of the integer model, value by value: chained (each feeds itself)
 * and isolated (every node gets the reference's inputs, so that a difference is the node's own). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_INTEGER_COMPARE_H
#define DT_INTEGER_COMPARE_H

#include "integer/run.h"

/* What was compared of one value, over all pictures so far. */
typedef struct dt_int_diff {
    int64_t checked, differ;                   /* elements */
    int64_t largest;                           /* |got - want| */
    int64_t picture, y, x, channel, got, want; /* the first that differs, when differ > 0 */
} dt_int_diff;

/* Adds n pictures of a value; the first of them is number `picture`. */
void dt_int_diff_add(dt_int_diff *d, const dt_int_value *v, const void *got, const void *want,
                     int64_t n, int64_t picture);

typedef struct dt_int_compare_params {
    const dt_int_model *model;       /* the reference executes this one */
    const dt_int_model *tested;      /* and `executor` this one; NULL: the same */
    const dt_int_executor *executor; /* NULL: the engine */
    const dt_kernels *kernels;
    int threads;
    int64_t room; /* pictures of a batch */
    const dt_alloc *alloc;
} dt_int_compare_params;

typedef struct dt_int_compare {
    dt_int_run tested, reference;
    dt_int_diff *chained, *isolated; /* by node */
    void **spare;                    /* by value: outputs of isolated nodes */
    int64_t pictures;
} dt_int_compare;

/* ARG: the two models have other nodes or shapes. */
dt_status dt_int_compare_init(dt_int_compare *c, const dt_int_compare_params *p,
                              dt_error *err) DT_MUST_CHECK;
void dt_int_compare_fini(dt_int_compare *c);
/* n <= room pictures, [n,H,W,C]. */
void dt_int_compare_batch(dt_int_compare *c, const float *picture, int64_t n);
/* First node that differs by itself, -1: none. */
int dt_int_compare_first(const dt_int_compare *c);

/* Do the models say the same? Every number that is executed is compared: grids, codes, biases,
 * scales, multipliers, thresholds, tables. The first difference is described in `text`, with the
 * node's name in front; its index, or -1: none. Both have the same nodes. */
int dt_int_model_diff(const dt_int_model *a, const dt_int_model *b, char *text, size_t size);

#endif
