/* Dense products against a triple loop in double; the same bits on any number of threads. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/gemm.h"

#include <math.h>
#include <string.h>

#include "kernels/blas.h"
#include "tests/kernels/conv_case.h"
#include "tests/support/run.h"

static const double bound = sizeof(real) == sizeof(float) ? 1e-6 : 1e-14; /* times k */

static double product(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const real *a,
                      const real *b, int64_t i, int64_t j)
{
    double sum = 0;
    for (int64_t l = 0; l < k; l++)
        sum += (double)a[ta ? l * m + i : i * k + l] * (double)b[tb ? j * k + l : l * n + j];
    return sum;
}

static void check(bool ta, bool tb, int64_t m, int64_t n, int64_t k, bool sum)
{
    size_t count = (size_t)(m * n), bytes = count * sizeof(real);
    real *a = random_array((size_t)(m * k), 1), *b = random_array((size_t)(k * n), 2);
    real *first = random_array(count, 3), *c = dt_get(NULL, bytes, "test");
    real *guarded = dt_get_array(NULL, count + 2 * GUARD, sizeof(real), "test");
    ck_assert(a && b && first && c && guarded);
    for (int threads = 1; threads <= 4; threads++) {
        memset(guarded, 0x5a, (count + 2 * GUARD) * sizeof(real));
        memcpy(guarded + GUARD, first, bytes);
        dt_gemm(threads, ta, tb, m, n, k, a, b, sum, guarded + GUARD);
        for (size_t i = 0; i < GUARD * sizeof(real); i++) {
            ck_assert(((unsigned char *)guarded)[i] == 0x5a);
            ck_assert(((unsigned char *)(guarded + GUARD + count))[i] == 0x5a);
        }
        if (threads == 1) memcpy(c, guarded + GUARD, bytes);
        ck_assert_mem_eq(c, guarded + GUARD, bytes);
    }
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double want = product(ta, tb, m, n, k, a, b, i, j);
            if (sum) want += (double)first[i * n + j];
            ck_assert_msg(fabs((double)c[i * n + j] - want) <= bound * (double)(k + 1),
                          "%d%d %dx%dx%d [%d,%d]: %.9g, not %.9g", ta, tb, (int)m, (int)n, (int)k,
                          (int)i, (int)j, (double)c[i * n + j], want);
        }
    dt_put(NULL, a);
    dt_put(NULL, b);
    dt_put(NULL, first);
    dt_put(NULL, c);
    dt_put(NULL, guarded);
}

START_TEST(products)
{
    ck_assert_int_eq(dt_blas_load(4, NULL), DT_OK);
    static const int64_t ms[] = { 1, 3, 63, 64, 65, 130, 1030 }, ns[] = { 1, 10, 33 },
                         ks[] = { 1, 64 };
    for (size_t m = 0; m < DT_ARRAY_LEN(ms); m++)
        for (size_t n = 0; n < DT_ARRAY_LEN(ns); n++)
            for (size_t k = 0; k < DT_ARRAY_LEN(ks); k++)
                for (int flags = 0; flags < 8; flags++)
                    check(flags & 1, flags & 2, ms[m], ns[n], ks[k], flags & 4);
}
END_TEST

static void decode(int64_t n, const uint8_t *c, int zero_point, real scale, real *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = (real)(c[i] - zero_point) * scale;
}

/* a^T b over k rows, on reals and on codes: equal bits for every number of threads. */
START_TEST(products_over_rows)
{
    ck_assert_int_eq(dt_blas_load(4, NULL), DT_OK);
    enum { M = 5, N = 7, MOST = 5000 };
    static const int64_t ks[] = { 1, 255, 257, 2047, 2048, MOST };
    static uint8_t codes[MOST * N];
    real *a = random_array(MOST * M, 1), *b = random_array(MOST * N, 2), c[M * N], first[2][M * N];
    for (int i = 0; i < MOST * N; i++) {
        codes[i] = (uint8_t)(7 + rint(7 * (double)b[i]));
        b[i] = (real)(codes[i] - 7) * (real)0.125;
    }
    for (size_t i = 0; i < DT_ARRAY_LEN(ks); i++)
        for (int threads = 1; threads <= 4; threads++)
            for (int coded = 0; coded < 2; coded++) {
                size_t bytes = dt_gemm_outer_work(M, N, ks[i], threads, coded);
                void *work = dt_get(NULL, bytes, "test");
                const dt_gemm_outer g = { .threads = threads,
                                          .m = M,
                                          .n = N,
                                          .k = ks[i],
                                          .a = a,
                                          .b = coded ? NULL : b,
                                          .codes = codes,
                                          .zero_point = 7,
                                          .scale = (real)0.125,
                                          .decode = decode,
                                          .c = c,
                                          .work = work };
                dt_gemm_rows_outer(&g);
                dt_put(NULL, work);
                if (threads == 1) memcpy(first[coded], c, sizeof c);
                ck_assert_mem_eq(c, first[coded], sizeof c);
                for (int64_t j = 0; j < M * N; j++) {
                    double want = product(true, false, M, N, ks[i], a, b, j / N, j % N);
                    ck_assert(fabs((double)c[j] - want) <= bound * (double)(ks[i] + 1));
                }
            }
    dt_put(NULL, a);
    dt_put(NULL, b);
}
END_TEST

DT_TEST_MAIN("gemm", products, products_over_rows)
