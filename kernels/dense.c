/* Dense algebra in double. LAPACK counts by columns: its lower triangle is our upper one. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/dense.h"

#include "kernels/blas.h"

void dt_dense_gram(int64_t rows, int64_t m, int64_t n, const double *a, const double *b, double *c)
{
    dt_blas_get()->dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (blasint)m, (blasint)n,
                         (blasint)rows, 1, a, (blasint)m, b, (blasint)n, 1, c, (blasint)n);
}

void dt_dense_product(int64_t m, int64_t n, int64_t k, const double *a, const double *b, double *c)
{
    dt_blas_get()->dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (blasint)m, (blasint)n,
                         (blasint)k, 1, a, (blasint)k, b, (blasint)n, 0, c, (blasint)n);
}

bool dt_dense_cholesky(int64_t n, double *a)
{
    const blasint size = (blasint)n;
    blasint info = 0;
    dt_blas_get()->potrf("L", &size, a, &size, &info, 1);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++)
            a[i * n + j] = 0;
    return info == 0;
}

bool dt_dense_invert(int64_t n, double *a)
{
    const blasint size = (blasint)n;
    blasint info = 0;
    dt_blas_get()->potrf("L", &size, a, &size, &info, 1);
    if (info == 0) dt_blas_get()->potri("L", &size, a, &size, &info, 1);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++)
            a[i * n + j] = a[j * n + i];
    return info == 0;
}
