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

static void rows_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const call *g = arg;
    int64_t first = i * ROWS, rows = g->m - first < ROWS ? g->m - first : ROWS;
    const real *a = g->a + (g->ta ? first : first * g->k);
    CBLAS_TRANSPOSE ta = g->ta ? CblasTrans : CblasNoTrans, tb = g->tb ? CblasTrans : CblasNoTrans;
    blasint lda = (blasint)(g->ta ? g->m : g->k), ldb = (blasint)(g->tb ? g->k : g->n);
    real beta = g->sum ? 1 : 0, *c = g->c + first * g->n;
#ifdef DT_REAL_DOUBLE
    cblas_dgemm(
#else
    cblas_sgemm(
#endif
        CblasRowMajor, ta, tb, (blasint)rows, (blasint)g->n, (blasint)g->k, 1, a, lda, g->b, ldb,
        beta, c, (blasint)g->n);
}

void dt_gemm(int threads, bool ta, bool tb, int64_t m, int64_t n, int64_t k, const real *a,
             const real *b, bool sum, real *c)
{
    call g = { ta, tb, sum, m, n, k, a, b, c };
    openblas_set_num_threads(1);
    dt_parallel(threads, (m + ROWS - 1) / ROWS, rows_task, &g);
}
