/* Gradients of one op call against central differences. In the double build only: the step is 1e-5,
 * the bound 1e-6. The function that is differentiated is sum(weight * out[0]). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TESTS_SUPPORT_GRADCHECK_H
#define DT_TESTS_SUPPORT_GRADCHECK_H

#include "autograd/op.h"

typedef struct gradcheck {
    const dt_op *op;
    const void *conf;
    int in_count;
    dt_shape in_shape[DT_OP_MAX_IN], out_shape[DT_OP_MAX_OUT];
    void *in[DT_OP_MAX_IN]; /* filled by the caller; real, or int32_t where the op says so */
    unsigned skip;          /* bit i: input i is not differentiated */
    dt_norms norms;         /* OF_MODE: as training has them */
    int threads;
    /* results */
    int checked, skipped; /* elements; skipped ones are near a kink */
    double worst;         /* largest error, relative to 1 + |slope| */
    char worst_at[96];
} gradcheck;

/* Runs forward, backward and the differences of every element; also with `add` on gradients that
 * the op says it can accumulate. Returns false when memory ran out. */
bool gradcheck_run(gradcheck *g);

#endif
