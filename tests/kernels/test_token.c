/* Row kernels: every tier gives the scalar tier's bits; values against libm in double; what is
 * added is added; nothing is written beside the output. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/token.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/kernels.h"
#include "tests/kernels/conv_case.h"
#include "tests/support/run.h"

enum { ROWS = 5, MOST = 1000, N = ROWS * MOST };

typedef struct result {
    float y[N + GUARD], stats[2 * ROWS], ln[N], ln_back[N], dgamma[MOST], dbeta[MOST];
    float gelu[2][N], gelu_back[2][N], both[2][N], slope[2][N], soft[N], soft_back[N], added[3][N];
} result;

static result out[3];

static void run_all(const dt_token_kernels *k, int64_t C, const float *x, const float *g,
                    const float *gamma, const float *beta, result *o)
{
    size_t bytes = (size_t)(ROWS * C) * sizeof *x;
    memset(o, 0, sizeof *o);
    memset(o->y, 0x5a, sizeof o->y);
    k->layernorm(ROWS, C, 1e-6f, x, gamma, beta, o->y, o->stats);
    memcpy(o->ln, o->y, bytes);
    k->layernorm_back(ROWS, C, x, g, gamma, o->stats, o->ln_back, false, o->dgamma, o->dbeta);
    for (int i = 0; i < 3; i++)
        memcpy(o->added[i], x, bytes);
    k->layernorm_back(ROWS, C, x, g, gamma, o->stats, o->added[0], true, NULL, NULL);
    for (int t = 0; t < 2; t++) {
        k->gelu(ROWS * C, t, x, o->gelu[t]);
        k->gelu_back(ROWS * C, t, x, g, o->gelu_back[t], false);
        k->gelu_slope(ROWS * C, t, x, o->both[t], o->slope[t]);
    }
    k->gelu_back(ROWS * C, false, x, g, o->added[1], true);
    k->softmax(ROWS, C, x, o->soft);
    memcpy(o->soft_back, g, bytes);
    k->softmax_back(ROWS, C, o->soft, o->soft_back, o->soft_back, false);
    k->softmax_back(ROWS, C, o->soft, g, o->added[2], true);
    for (size_t i = (size_t)(ROWS * C) * sizeof *x; i < sizeof o->y; i++)
        ck_assert(((unsigned char *)o->y)[i] == 0x5a);
}

static void check_values(int64_t C, const float *x, const float *g, const float *gamma,
                         const float *beta, const result *o)
{
    for (int64_t r = 0; r < ROWS; r++) {
        double mean = 0, var = 0, sum = 0, most = -INFINITY;
        for (int64_t j = 0; j < C; j++) {
            mean += (double)x[r * C + j] / (double)C;
            most = fmax(most, (double)x[r * C + j]);
        }
        for (int64_t j = 0; j < C; j++) {
            var += pow((double)x[r * C + j] - mean, 2) / (double)C;
            sum += exp((double)x[r * C + j] - most);
        }
        for (int64_t j = 0; j < C; j++) {
            int64_t i = r * C + j;
            double v = (double)x[i], n = (v - mean) / sqrt(var + 1e-6);
            double cdf = 0.5 * erfc(-v / sqrt(2)), p = exp(v - most) / sum;
            double u = sqrt(2 / M_PI) * (v + 0.044715 * v * v * v);
            double want[] = { n * (double)gamma[j] + (double)beta[j], v * cdf,
                              0.5 * v * (1 + tanh(u)), p,
                              (double)g[i] * (cdf + v * exp(-v * v / 2) / sqrt(2 * M_PI)) };
            double got[] = { (double)o->ln[i], (double)o->gelu[0][i], (double)o->gelu[1][i],
                             (double)o->soft[i], (double)o->gelu_back[0][i] };
            for (size_t k = 0; k < DT_ARRAY_LEN(want); k++)
                ck_assert_msg(fabs(got[k] - want[k]) <= 4e-6 * (fabs(want[k]) + (k == 3 ? 0 : 1)),
                              "C %d, %d of row %d, kernel %d: %.9g, not %.9g", (int)C, (int)j,
                              (int)r, (int)k, got[k], want[k]);
            ck_assert(o->added[0][i] == x[i] + o->ln_back[i]);
            ck_assert(o->added[1][i] == x[i] + o->gelu_back[0][i]);
            for (int t = 0; t < 2; t++) {
                ck_assert(o->both[t][i] == o->gelu[t][i]);
                ck_assert(g[i] * o->slope[t][i] == o->gelu_back[t][i]);
            }
            ck_assert(o->added[2][i] == x[i] + o->soft_back[i]);
        }
    }
}

START_TEST(tiers_agree)
{
    static const int64_t columns[] = { 1, 2, 15, 16, 17, 65, 197, MOST };
    static const char *const names[] = { "scalar", "avx2", "avx512" };
    float *x = random_array(N, 1), *g = random_array(N, 2);
    float *gamma = random_array(MOST, 3), *beta = random_array(MOST, 4);
    ck_assert(x && g && gamma && beta);
    for (int i = 0; i < N; i++)
        x[i] *= i % 7 ? 3 : 12;
    for (size_t c = 0; c < DT_ARRAY_LEN(columns); c++)
        for (size_t t = 0; t < DT_ARRAY_LEN(names); t++) {
            dt_kernels k;
            if (t == 0) /* what the others must be */
                ck_assert_int_eq(dt_kernels_init(&k, names[t], NULL), DT_OK);
            else if (!test_tier(names[t], &k))
                continue;
            run_all(&k.token, columns[c], x, g, gamma, beta, &out[t]);
            if (t == 0) check_values(columns[c], x, g, gamma, beta, &out[t]);
            ck_assert_msg(memcmp(&out[t], &out[0], sizeof out[0]) == 0, "%s differs at %d columns",
                          names[t], (int)columns[c]);
        }
    dt_put(NULL, x);
    dt_put(NULL, g);
    dt_put(NULL, gamma);
    dt_put(NULL, beta);
}
END_TEST

START_TEST(extremes)
{
    static const char *const names[] = { "scalar", "avx2", "avx512" };
    for (size_t t = 0; t < DT_ARRAY_LEN(names); t++) {
        dt_kernels k;
        float x[] = { -300, -40, 0, 40, 300, NAN }, y[6];
        if (!test_tier(names[t], &k)) continue;
        for (int by_tanh = 0; by_tanh < 2; by_tanh++) {
            k.token.gelu(6, by_tanh, x, y);
            ck_assert(fabsf(y[0]) < 1e-30f && fabsf(y[1]) < 1e-30f && y[2] == 0);
            ck_assert(y[3] == 40 && y[4] == 300 && isnan(y[5]));
        }
        k.token.softmax(1, 5, x, y);
        ck_assert(y[0] == 0 && y[3] == 0 && y[4] == 1);
        k.token.softmax(1, 6, x, y);
        ck_assert(isnan(y[0]) && isnan(y[5]));
    }
}
END_TEST

DT_TEST_MAIN("token", tiers_agree, extremes)
