/* Dense products of each tier against a triple loop in double; the same bits on any number of threads. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/gemm.h"

#include <math.h>
#include <string.h>

#include "kernels/blas.h"
#include "kernels/kernels.h"
#include "tests/kernels/conv_case.h"
#include "tests/support/run.h"

static const double bound = sizeof(real) == sizeof(float) ? 1e-6 : 1e-14; /* times k */

#ifdef DT_REAL_DOUBLE
static const char *const tiers[] = { "scalar" };
#else
static const char *const tiers[] = { "scalar", "avx2", "avx512" };
#endif
static dt_kernels kernels;

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
    void *work = dt_get(NULL, dt_gemm_work(&kernels.gemm, m, n, k, 4), "test");
    ck_assert(a && b && first && c && guarded && work);
    for (int threads = 1; threads <= 4; threads++) {
        memset(guarded, 0x5a, (count + 2 * GUARD) * sizeof(real));
        memcpy(guarded + GUARD, first, bytes);
        const dt_gemm_call g = { .kernels = &kernels.gemm,
                                 .threads = threads,
                                 .ta = ta,
                                 .tb = tb,
                                 .sum = sum,
                                 .m = m,
                                 .n = n,
                                 .k = k,
                                 .a = a,
                                 .b = b,
                                 .c = guarded + GUARD,
                                 .work = work };
        dt_gemm(&g);
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
                          "%s %d%d %dx%dx%d [%d,%d]: %.9g, not %.9g", kernels.isa, ta, tb, (int)m, (int)n, (int)k,
                          (int)i, (int)j, (double)c[i * n + j], want);
        }
    dt_put(NULL, work);
    dt_put(NULL, a);
    dt_put(NULL, b);
    dt_put(NULL, first);
    dt_put(NULL, c);
    dt_put(NULL, guarded);
}

static void check_products(void)
{
    static const int64_t ms[] = { 1, 3, 63, 64, 65, 130, 1030 }, ns[] = { 1, 10, 33 },
                         ks[] = { 1, 64 };
    for (size_t m = 0; m < DT_ARRAY_LEN(ms); m++)
        for (size_t n = 0; n < DT_ARRAY_LEN(ns); n++)
            for (size_t k = 0; k < DT_ARRAY_LEN(ks); k++)
                for (int flags = 0; flags < 8; flags++)
                    check(flags & 1, flags & 2, ms[m], ns[n], ks[k], flags & 4);
}

/* Matrices that are parts of wider ones, times alpha: what lies beside c is not touched, what lies
 * beside a and b is not read as part of them. */
static void check_part(bool ta, bool tb, int64_t m, int64_t n, int64_t k, bool sum)
{
    enum { BESIDE = 3 };
    const dt_gemm_part sizes = { ta, tb, sum, m, n, k, (real)-0.75, NULL, NULL, NULL,
                                 (ta ? m : k) + BESIDE, (tb ? k : n) + BESIDE, n + BESIDE };
    dt_gemm_part p = sizes;
    size_t a_count = (size_t)(p.lda * (ta ? k : m)), b_count = (size_t)(p.ldb * (tb ? n : k));
    size_t c_count = (size_t)(p.ldc * m), bytes = kernels.gemm.work(m, n, k);
    real *a = random_array(a_count, 1), *b = random_array(b_count, 2);
    real *first = random_array(c_count, 3), *c = random_array(c_count, 3);
    unsigned char *work = dt_get(NULL, bytes + GUARD, "test");
    ck_assert(a && b && first && c && work);
    memset(work, 0x5a, bytes + GUARD);
    p.a = a, p.b = b, p.c = c;
    kernels.gemm.part(&p, work);
    for (int i = 0; i < GUARD; i++)
        ck_assert(work[bytes + (size_t)i] == 0x5a);
    double worst = 0;
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < p.ldc; j++) {
            double want = (double)first[i * p.ldc + j], got = (double)c[i * p.ldc + j], dot = 0;
            for (int64_t l = 0; j < n && l < k; l++)
                dot += (double)a[ta ? l * p.lda + i : i * p.lda + l] *
                       (double)b[tb ? j * p.ldb + l : l * p.ldb + j];
            if (j < n) want = -0.75 * dot + (sum ? want : 0);
            worst = fmax(worst, j < n ? fabs(got - want) / (double)(k + 1) : got != want);
        }
    ck_assert_msg(worst <= bound, "%s %d%d %dx%dx%d: %g", kernels.isa, ta, tb, (int)m, (int)n,
                  (int)k, worst);
    dt_put(NULL, work);
    dt_put(NULL, a);
    dt_put(NULL, b);
    dt_put(NULL, first);
    dt_put(NULL, c);
}

static void check_parts(void)
{
    enum { MOST = 800000 }; /* products: all edges are there with fewer */
    static const int64_t ms[] = { 1, 5, 7, 14, 15, 85 }, ns[] = { 1, 15, 16, 17, 32, 33, 400 },
                         ks[] = { 1, 8, 17, 256, 259 };
    for (size_t m = 0; m < DT_ARRAY_LEN(ms); m++)
        for (size_t n = 0; n < DT_ARRAY_LEN(ns); n++)
            for (size_t k = 0; k < DT_ARRAY_LEN(ks); k++)
                for (int flags = 0; flags < 8 && ms[m] * ns[n] * ks[k] < MOST; flags++)
                    check_part(flags & 1, flags & 2, ms[m], ns[n], ks[k], flags & 4);
}

static void decode(int64_t n, const uint8_t *c, int zero_point, real scale, real *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = (real)(c[i] - zero_point) * scale;
}

/* a^T b over k rows, on reals and on codes: equal bits for every number of threads. */
static void check_rows(void)
{
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
                size_t bytes = dt_gemm_outer_work(&kernels.gemm, M, N, ks[i], threads,
                                                  coded);
                void *work = dt_get(NULL, bytes, "test");
                const dt_gemm_outer g = { .kernels = &kernels.gemm,
                                          .threads = threads,
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

/* Every tier of the machine. */
static void each_tier(void (*check_one)(void))
{
    ck_assert_int_eq(dt_blas_load(4, NULL), DT_OK);
    dt_blas_serial();
    for (size_t i = 0; i < DT_ARRAY_LEN(tiers); i++)
        if (test_tier(tiers[i], &kernels)) check_one();
}

START_TEST(products)
{
    each_tier(check_products);
}
END_TEST

START_TEST(parts_of_wider_matrices)
{
    each_tier(check_parts);
}
END_TEST

START_TEST(products_over_rows)
{
    each_tier(check_rows);
}
END_TEST

DT_TEST_MAIN("gemm", products, parts_of_wider_matrices, products_over_rows)
