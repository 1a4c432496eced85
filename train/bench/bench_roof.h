/* What a step must do at least, by node: multiplications and bytes. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_BENCH_BENCH_ROOF_H
#define DT_TRAIN_BENCH_BENCH_ROOF_H

#include "autograd/plan.h"

/* Of one direction of a node; 0 where it does not run. */
typedef struct dt_bench_work {
    double gflop; /* of products: two for each multiply-add */
    double mb;    /* 10^6 bytes of tensors, each read or written once, whatever caches hold */
} dt_bench_work;

/* Forward: inputs and outputs, twice where the output is made again for the backward pass.
 * Backward: what it reads of them, the gradients of outputs, and those of inputs, which are read
 * too where they are added to. */
dt_bench_work dt_bench_forward_work(const dt_plan *p, int node);
dt_bench_work dt_bench_backward_work(const dt_plan *p, int node);

/* GB/s of memory that `threads` threads read and write: the best of ten copies between two places
 * of 128 MB, larger than caches. Error: NOMEM. */
dt_status dt_bench_bandwidth(int threads, const dt_alloc *alloc, double *out,
                             dt_error *err) DT_MUST_CHECK;

#endif
