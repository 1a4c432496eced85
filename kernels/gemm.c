/* Dense products through CBLAS. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/gemm.h"

#include <cblas.h>

#include "core/thread.h"

enum { ROWS = 64 }; /* of c, a task */

typedef struct call {
    bool ta, tb, sum;
    int64_t m, n, k;
    const real *a, *b;
    real *c;
} call;

void dt_gemm_serial(void)
{
    openblas_set_num_threads(1);
}

void dt_gemm_one(const dt_gemm_part *p)
{
#ifdef DT_REAL_DOUBLE
    cblas_dgemm(
#else
    cblas_sgemm(
#endif
        CblasRowMajor, p->ta ? CblasTrans : CblasNoTrans, p->tb ? CblasTrans : CblasNoTrans,
        (blasint)p->m, (blasint)p->n, (blasint)p->k, p->alpha, p->a, (blasint)p->lda, p->b,
        (blasint)p->ldb, p->sum ? 1 : 0, p->c, (blasint)p->ldc);
}

static void rows_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const call *g = arg;
    int64_t first = i * ROWS, rows = g->m - first < ROWS ? g->m - first : ROWS;
    const dt_gemm_part part = { .ta = g->ta,
                                .tb = g->tb,
                                .sum = g->sum,
                                .m = rows,
                                .n = g->n,
                                .k = g->k,
                                .alpha = 1,
                                .a = g->a + (g->ta ? first : first * g->k),
                                .b = g->b,
                                .c = g->c + first * g->n,
                                .lda = g->ta ? g->m : g->k,
                                .ldb = g->tb ? g->k : g->n,
                                .ldc = g->n };
    dt_gemm_one(&part);
}

void dt_gemm(int threads, bool ta, bool tb, int64_t m, int64_t n, int64_t k, const real *a,
             const real *b, bool sum, real *c)
{
    call g = { ta, tb, sum, m, n, k, a, b, c };
    dt_gemm_serial();
    dt_parallel(threads, (m + ROWS - 1) / ROWS, rows_task, &g);
}
