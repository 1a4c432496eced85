/* Rounding contracts against exact arithmetic and against their sources' wording. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "integer/contract.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "tests/support/run.h"

static const dt_contract *contract(const char *name)
{
    const dt_contract *c;
    ck_assert_int_eq(dt_contract_get(name, NULL, &c, NULL), DT_OK);
    return c;
}

START_TEST(contracts_have_names)
{
    dt_error err;
    const dt_contract *c = NULL;
    ck_assert_str_eq(dt_contracts[0].name, "fp32");
    ck_assert_int_eq(dt_contract_get("dubble", "quant.rounding", &c, &err), DT_ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.text, "'double'"));
    ck_assert_ptr_null(c);
}
END_TEST

enum { LOW = -100000, HIGH = 100000 };

static int32_t apply(const char *name, float x, float w, float y, int32_t sum)
{
    const dt_multiplier m = dt_multiplier_product(contract(name), x, w, y);
    return dt_multiplier_apply(&m, sum, LOW, HIGH);
}

/* M = 1/2: every odd sum is a tie. */
START_TEST(ties_go_where_the_contract_says)
{
    static const int sum[] = { -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5 };
    static const int even[] = { -2, -2, -2, -1, 0, 0, 0, 1, 2, 2, 2 };
    static const int up[] = { -2, -2, -1, -1, 0, 0, 1, 1, 2, 2, 3 };
    for (size_t i = 0; i < DT_ARRAY_LEN(sum); i++) {
        ck_assert_int_eq(apply("fp32", .5f, 1, 1, sum[i]), even[i]);
        ck_assert_int_eq(apply("xnnpack", .5f, 1, 1, sum[i]), even[i]);
        ck_assert_int_eq(apply("single", .5f, 1, 1, sum[i]), up[i]);
        ck_assert_int_eq(apply("double", .5f, 1, 1, sum[i]), up[i]);
    }
    /* M = 1/8 = 2^-1 2^-2: the second rounding of `double` is half away from zero */
    ck_assert_int_eq(apply("double", .125f, 1, 1, 4), 1);
    ck_assert_int_eq(apply("double", .125f, 1, 1, -4), -1);
    ck_assert_int_eq(apply("single", .125f, 1, 1, -4), 0);
    ck_assert_int_eq(apply("fp32", .125f, 1, 1, -4), 0);
    /* and it rounds 3/8 twice: 3/2 -> 2 -> 1/2 -> 1 */
    ck_assert_int_eq(apply("double", .125f, 1, 1, 3), 1);
    ck_assert_int_eq(apply("single", .125f, 1, 1, 3), 0);
}
END_TEST

/* gemmlowp's words: (ab + nudge) / 2^31 truncated, then RoundingDivideByPOT. */
static int32_t gemmlowp(int32_t x, int32_t m, int exponent)
{
    int64_t ab = (int64_t)x * m, nudge = ab >= 0 ? 1 << 30 : 1 - (1 << 30);
    int32_t high = (int32_t)((ab + nudge) / (INT64_C(1) << 31)), mask = (1 << exponent) - 1;
    int32_t rest = high & mask, threshold = (mask >> 1) + (high < 0);
    return (high >> exponent) + (rest > threshold);
}

START_TEST(double_is_gemmlowp)
{
    dt_rng rng;
    dt_rng_open(&rng, 1, DT_RNG_TEST, 0, 0);
    int differ = 0;
    for (int i = 0; i < 200000; i++) {
        int exponent = (int)dt_rng_below(&rng, 12), f;
        double M = ldexp(.5 + dt_rng_uniform(&rng) / 2, -exponent);
        float w = (float)M;
        int32_t sum = (int32_t)dt_rng_below(&rng, 200000) - 100000;
        int32_t m = (int32_t)llround(frexp((double)w, &f) * 2147483648.0);
        if (f > 0) continue;
        ck_assert_int_eq(apply("double", 1, w, 1, sum),
                         fmin(fmax(gemmlowp(sum, m, -f), LOW), HIGH));
        differ += apply("double", 1, w, 1, sum) != apply("single", 1, w, 1, sum);
    }
    ck_assert_int_gt(differ, 1000); /* the two are not one */
}
END_TEST

/* Random multipliers: single is floor(M sum + 1/2) of the 31-bit M, fp32 the float product. */
START_TEST(single_and_fp32_are_their_formulas)
{
    dt_rng rng;
    dt_rng_open(&rng, 2, DT_RNG_TEST, 0, 0);
    for (int i = 0; i < 200000; i++) {
        float x = (float)(.001 + dt_rng_uniform(&rng)), w = (float)(.001 + dt_rng_uniform(&rng));
        float y = (float)(.001 + dt_rng_uniform(&rng));
        int32_t sum = (int32_t)dt_rng_below(&rng, 1000) - 500;
        double M = (double)x * (double)w / (double)y, exact = M * sum, r = floor(exact + .5);
        if (fabs(exact + .5 - r) > 1e-6 && fabs(r) < HIGH)
            ck_assert_int_eq(apply("single", x, w, y, sum), (int)r);
        float product = x * w, ratio = product / y, v = (float)sum * ratio;
        ck_assert_int_eq(apply("fp32", x, w, y, sum), (int)rint(fmin(fmax((double)v, LOW), HIGH)));
    }
    /* a sum above 2^24 is rounded to float first */
    ck_assert_int_eq(apply("fp32", 1.f / 512, 1, 1, 16777217), 32768);
    ck_assert_int_eq(apply("fp32", 1e20f, 1, 1, 5), HIGH);
    ck_assert_int_eq(apply("double", 1e20f, 1, 1, -5), LOW);
    ck_assert_int_eq(apply("single", 1e-20f, 1, 1, INT_MAX), 0);
    ck_assert_int_eq(apply("double", 1e-20f, 1, 1, INT_MIN), 0);
}
END_TEST

/* Contracts that share a formula must stay apart where the sources differ. */
START_TEST(means)
{
    int differ = 0;
    for (int i = 1; i < 400; i++) {
        float x = .01f * (float)i, y = .37f;
        dt_multiplier a = dt_multiplier_mean(contract("fp32"), x, y, 49);
        dt_multiplier b = dt_multiplier_mean(contract("xnnpack"), x, y, 49);
        dt_multiplier c = dt_multiplier_mean(contract("double"), x, y, 49);
        float n = y * 49;
        ck_assert(a.f == x / n);
        ck_assert_double_eq_tol((double)b.f, (double)a.f, 2e-7 * (double)a.f);
        ck_assert_double_eq_tol(dt_multiplier_value(&c), (double)a.f, 2e-7 * (double)a.f);
        ck_assert(dt_multiplier_value(&a) == (double)a.f);
        differ += a.f != b.f;
    }
    ck_assert_int_gt(differ, 0);
}
END_TEST

static const dt_lower_grid A = { .25f, 3, 0, 255 }, B = { .25f, 128, 0, 255 },
                           Y = { .5f, 7, 0, 255 };

/* Dyadic scales: half the pairs are ties, an odd zero point moves them. */
START_TEST(additions)
{
    int fp32_even = 0, differ = 0, fixed_differ = 0;
    const dt_adder f = dt_adder_make(contract("fp32"), &A, &B, &Y);
    const dt_adder x = dt_adder_make(contract("xnnpack"), &A, &B, &Y);
    const dt_adder d = dt_adder_make(contract("double"), &A, &B, &Y);
    for (int a = 0; a < 256; a++)
        for (int b = 0; b < 256; b++) {
            double exact = (a - 3) * .5 + (b - 128) * .5;
            double up = fmin(fmax(floor(exact + .5) + 7, 0), 255);
            double whole = fmin(fmax(rint(exact + 7), 0), 255); /* zero point inside the rounding */
            ck_assert_int_eq(dt_adder_apply(&x, a, b), (int)up);
            ck_assert_int_eq(dt_adder_apply(&f, a, b), (int)whole);
            fp32_even += fmin(fmax(rint(exact) + 7, 0), 255) == whole;
            differ += up != whole;
            int fixed = dt_adder_apply(&d, a, b);
            ck_assert(fabs(fixed - up) <= 1);
            fixed_differ += fixed != (int)up;
        }
    ck_assert_int_gt(differ, 1000);
    ck_assert_int_lt(fp32_even, 65536);
    ck_assert_int_gt(fixed_differ, 0); /* half away from zero in its last rounding */
}
END_TEST

START_TEST(additions_stay_in_range)
{
    static const char *const names[] = { "fp32", "unfused", "xnnpack", "single", "double" };
    const dt_lower_grid a = { .013f, 0, 0, 255 }, b = { .0077f, 128, 1, 255 },
                        y = { .021f, 128, 128, 250 };
    for (size_t i = 0; i < DT_ARRAY_LEN(names); i++) {
        const dt_adder r = dt_adder_make(contract(names[i]), &a, &b, &y);
        for (int p = 0; p < 256; p += 3)
            for (int q = 0; q < 256; q++) {
                double exact =
                    (p * (double)a.scale + (q - 128) * (double)b.scale) / (double)y.scale;
                double want = fmin(fmax(exact + 128, 128), 250);
                ck_assert(fabs(dt_adder_apply(&r, p, q) - want) <= .501);
            }
    }
}
END_TEST

/* Grids where onnxruntime 1.31.1 on a processor with FMA was seen to give 1 code of all pairs
 * another value than the unfused formula: fused, it is a code of one pair that changes. */
START_TEST(fused_and_unfused_additions)
{
    const dt_lower_grid a = { 0.03880936f, 128, 0, 255 }, b = { 0.04028299f, 0, 0, 255 },
                        y = { 0.05137135f, 0, 0, 255 };
    const dt_adder f = dt_adder_make(contract("fp32"), &a, &b, &y);
    const dt_adder u = dt_adder_make(contract("unfused"), &a, &b, &y);
    int differ = 0;
    for (int p = 0; p < 256; p++)
        for (int q = 0; q < 256; q++)
            differ += dt_adder_apply(&f, p, q) != dt_adder_apply(&u, p, q);
    ck_assert_int_eq(differ, 1);
}
END_TEST

START_TEST(codes_of_values)
{
    const dt_lower_grid g = { .5f, 128, 120, 135 };
    ck_assert_int_eq(dt_grid_encode(&g, .25f), 128); /* tie to even */
    ck_assert_int_eq(dt_grid_encode(&g, .75f), 130);
    ck_assert_int_eq(dt_grid_encode(&g, -99), 120);
    ck_assert_int_eq(dt_grid_encode(&g, INFINITY), 135);
    ck_assert_int_eq(dt_grid_encode(&g, NAN), 128);
    ck_assert(dt_grid_value(&g, 130) == 1);
    ck_assert_int_eq(dt_grid_move(&g, &A, 130), 7);
}
END_TEST

DT_TEST_MAIN("contract", contracts_have_names, ties_go_where_the_contract_says, double_is_gemmlowp,
             single_and_fp32_are_their_formulas, means, additions, additions_stay_in_range,
             fused_and_unfused_additions, codes_of_values)
