/* Dense algebra in double, on the calling thread: what statistics of layers are solved with.
 * OpenBLAS and its LAPACK. Matrices are row-major; dt_blas_load and dt_blas_serial come first. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_DENSE_H
#define DT_KERNELS_DENSE_H

#include <stdbool.h>
#include <stdint.h>

/* c [m,n] += a^T b: a [rows,m], b [rows,n]. */
void dt_dense_gram(int64_t rows, int64_t m, int64_t n, const double *a, const double *b, double *c);
/* c [m,n] = a [m,k] b [k,n]. */
void dt_dense_product(int64_t m, int64_t n, int64_t k, const double *a, const double *b, double *c);
/* The upper factor U of the symmetric a [n,n] = U^T U, in place, zeros below. False: a is not
 * positive definite, and what is left of it is of no use. */
bool dt_dense_cholesky(int64_t n, double *a);
/* The inverse of a symmetric positive definite a [n,n], in place. False: as above. */
bool dt_dense_invert(int64_t n, double *a);

#endif
