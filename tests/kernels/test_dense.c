/* Dense algebra in double against the formulas. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/dense.h"

#include "core/rng.h"
#include "kernels/blas.h"
#include "tests/support/run.h"

enum { N = 17, ROWS = 40 };

static void fill(double *x, int n, uint32_t seed)
{
    dt_rng rng;
    dt_rng_open(&rng, seed, DT_RNG_TEST, 0, 0);
    for (int i = 0; i < n; i++)
        x[i] = dt_rng_normal(&rng);
}

START_TEST(factors_and_inverses_multiply_back)
{
    ck_assert_int_eq(dt_blas_load(1, NULL), DT_OK);
    static double x[ROWS * N], a[N * N], u[N * N], inverse[N * N], product[N * N];
    dt_blas_serial();
    fill(x, ROWS * N, 1);
    dt_dense_gram(ROWS, N, N, x, x, a);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            double sum = 0;
            for (int r = 0; r < ROWS; r++)
                sum += x[r * N + i] * x[r * N + j];
            ck_assert_double_eq_tol(a[i * N + j], sum, 1e-12 * ROWS);
        }
    memcpy(u, a, sizeof u);
    memcpy(inverse, a, sizeof inverse);
    ck_assert(dt_dense_cholesky(N, u) && dt_dense_invert(N, inverse));
    dt_dense_product(N, N, N, a, inverse, product);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            double sum = 0;
            for (int k = 0; k < N; k++)
                sum += u[k * N + i] * u[k * N + j];
            ck_assert_double_eq_tol(sum, a[i * N + j], 1e-10);
            ck_assert_double_eq_tol(product[i * N + j], i == j, 1e-9);
            if (j < i) ck_assert(u[i * N + j] == 0);
        }
}
END_TEST

START_TEST(what_has_no_factor_is_told)
{
    ck_assert_int_eq(dt_blas_load(1, NULL), DT_OK);
    double a[] = { 1, 2, 2, 1 }, b[] = { 1, 2, 2, 1 };
    ck_assert(!dt_dense_cholesky(2, a) && !dt_dense_invert(2, b));
}
END_TEST

DT_TEST_MAIN("dense", factors_and_inverses_multiply_back, what_has_no_factor_is_told)
