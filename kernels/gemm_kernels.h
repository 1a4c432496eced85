/* Dense products on one thread, by tier. The scalar tier, and the library in double, call OpenBLAS;
 * vector tiers have their own, whose last bits depend on the tier alone. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_GEMM_KERNELS_H
#define DT_KERNELS_GEMM_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/compiler.h"

/* c[m,n] = alpha op(a) op(b) (+ c when `sum`): op(a) is [m,k], stored [k,m] when `ta`; likewise b.
 * Row-major; rows of the stored matrices are lda, ldb and ldc elements apart. No size is 0. */
typedef struct dt_gemm_part {
    bool ta, tb, sum;
    int64_t m, n, k;
    real alpha;
    const real *a, *b;
    real *c;
    int64_t lda, ldb, ldc;
} dt_gemm_part;

typedef struct dt_gemm_kernels {
    bool blas; /* dt_blas_load comes before products, dt_gemm_begin before tasks that call them */
    /* Bytes, aligned to DT_ALIGN, for a product of at most that size. */
    size_t (*work)(int64_t m, int64_t n, int64_t k);
    void (*part)(const dt_gemm_part *p, void *work);
    /* Rows of c in a task, where m of them are shared out. */
    int64_t (*task_rows)(int64_t m, int threads);
} dt_gemm_kernels;

/* A thread's part of work that has `each` bytes for every thread; NULL where that is none. */
static inline void *dt_gemm_thread_work(void *work, size_t each, int thread)
{
    return each ? (unsigned char *)work + each * (size_t)thread : NULL;
}

void dt_gemm_scalar(dt_gemm_kernels *k);
void dt_gemm_avx2(dt_gemm_kernels *k);
void dt_gemm_avx512(dt_gemm_kernels *k);

#endif
