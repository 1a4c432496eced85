/* Dense products through OpenBLAS. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/blas.h"
#include "kernels/gemm_kernels.h"

/* Rows of c in a task: the library packs b for each, which short tasks pay for. Not by the number of
 * threads, on which its sums would depend. */
enum { FEW = 64, MANY = 256, MANY_FROM = 1024 };

static int64_t task_rows(int64_t m, int threads)
{
    (void)threads;
    return m < MANY_FROM ? FEW : MANY;
}

static size_t work(int64_t m, int64_t n, int64_t k)
{
    (void)m, (void)n, (void)k;
    return 0;
}

static void part(const dt_gemm_part *p, void *memory)
{
    (void)memory;
#ifdef DT_REAL_DOUBLE
    dt_blas_get()->dgemm(
#else
    dt_blas_get()->sgemm(
#endif
        CblasRowMajor, p->ta ? CblasTrans : CblasNoTrans, p->tb ? CblasTrans : CblasNoTrans,
        (blasint)p->m, (blasint)p->n, (blasint)p->k, p->alpha, p->a, (blasint)p->lda, p->b,
        (blasint)p->ldb, p->sum ? 1 : 0, p->c, (blasint)p->ldc);
}

void dt_gemm_scalar(dt_gemm_kernels *k)
{
    *k = (dt_gemm_kernels){ .blas = true, .work = work, .part = part, .task_rows = task_rows };
}
