/* Dense matrix products: OpenBLAS on one thread, called on blocks of fixed size that we run in
 * parallel, so that its sums do not depend on the thread count. Row-major. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_GEMM_H
#define DT_KERNELS_GEMM_H

#include <stdbool.h>
#include <stdint.h>

#include "core/compiler.h"

/* c[m,n] = op(a) op(b) (+ c when `sum`); op(a) is [m,k], stored [k,m] when `ta`; likewise b. */
void dt_gemm(int threads, bool ta, bool tb, int64_t m, int64_t n, int64_t k, const real *a,
             const real *b, bool sum, real *c);

/* c[m,n] = alpha op(a) op(b) (+ c when `sum`) on the calling thread; rows of the stored matrices
 * are lda, ldb and ldc elements apart. For the tasks of an op, which calls dt_gemm_serial first. */
typedef struct dt_gemm_part {
    bool ta, tb, sum;
    int64_t m, n, k;
    real alpha;
    const real *a, *b;
    real *c;
    int64_t lda, ldb, ldc;
} dt_gemm_part;

/* Tells the library to use the calling thread only. */
void dt_gemm_serial(void);
void dt_gemm_one(const dt_gemm_part *p);

#endif
