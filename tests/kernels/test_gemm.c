/* Dense products against a triple loop in double; the same bits on any number of threads. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/gemm.h"

#include <math.h>
#include <string.h>

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
    static const int64_t ms[] = { 1, 3, 63, 64, 65, 130 }, ns[] = { 1, 10, 33 }, ks[] = { 1, 64 };
    for (size_t m = 0; m < DT_ARRAY_LEN(ms); m++)
        for (size_t n = 0; n < DT_ARRAY_LEN(ns); n++)
            for (size_t k = 0; k < DT_ARRAY_LEN(ks); k++)
                for (int flags = 0; flags < 8; flags++)
                    check(flags & 1, flags & 2, ms[m], ns[n], ks[k], flags & 4);
}
END_TEST

DT_TEST_MAIN("gemm", products)
