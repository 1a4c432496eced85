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

#endif
