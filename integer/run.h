/* Execution of the integer model, one node after the other, all values kept. Two executors share
 * the buffers here and nothing else:
 *
 *   reference  plain loops and integers only: products in the order of the formula, codes from
 *              thresholds, additions from the table of pairs. The definition of the model.
 *   engine     the fast kernels: packed products, float32 rounding in vectors
 *
 * They give the same integers in every value; `detent verify` and the tests hold them to it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_INTEGER_RUN_H
#define DT_INTEGER_RUN_H

#include "integer/model.h"
#include "kernels/kernels.h"

typedef struct dt_int_run dt_int_run;

typedef struct dt_int_executor {
    const char *name;
    void (*node)(dt_int_run *r, const dt_int_node *n); /* from r->data[in] to r->data[out] */
    size_t (*work)(const dt_int_run *r);               /* bytes; NULL: none */
} dt_int_executor;
extern const dt_int_executor dt_int_reference, dt_int_engine;

struct dt_int_run {
    const dt_int_model *model;
    const dt_int_executor *executor;
    const dt_kernels *kernels; /* engine */
    int threads;
    int64_t room, n;      /* pictures that fit, pictures of the pass under way */
    const float *picture; /* [n,H,W,C], of several inputs [n,record], as the trained network sees
                           * it; the caller's */
    void **data;          /* by value: uint8_t or int32_t [n,H,W,C] */
    void *work;
    const dt_alloc *alloc;
};

/* `k` may be NULL for the reference. */
dt_status dt_int_run_init(dt_int_run *r, const dt_int_model *m, const dt_int_executor *e,
                          const dt_kernels *k, int threads, int64_t room, const dt_alloc *a,
                          dt_error *err) DT_MUST_CHECK;
void dt_int_run_fini(dt_int_run *r);

/* All nodes, n <= room pictures. */
void dt_int_run_forward(dt_int_run *r, const float *picture, int64_t n);
/* One node on what r->data holds. */
void dt_int_run_node(dt_int_run *r, int node);
/* Outputs of the last pass, [n, dt_int_outputs]. */
void dt_int_run_logits(const dt_int_run *r, float *out);

#endif
