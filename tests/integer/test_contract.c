/* Rounding contracts against exact arithmetic and against their sources' wording. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "integer/contract.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "tests/integer/exact.h"
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

/* M > 0 to 31 bits, half away from zero. */
static number bits31(double M)
{
    number x = exact_of(M);
    while (x.m < wide_power(60))
        x.m *= 2, x.e--;
    int e = 0;
    while (x.m >= wide_power(31 + e))
        e++;
    return (number){ wide_nearest(x.m, wide_power(e), TIE_AWAY), x.e + e };
}

/* What a contract gives before it clamps: the float product of float M, or M to 31 bits times the
 * sum, to the nearest, up from the middle. */
static wide product_of(dt_rounding rounding, float x, float w, float y, int32_t sum)
{
    if (rounding == DT_ROUND_SINGLE) {
        double M = (double)x * (double)w / (double)y;
        return exact_nearest(exact_times(bits31(M), exact_int(sum)), TIE_UP);
    }
    number both = exact_round24(exact_times(exact_of((double)x), exact_of((double)w)));
    number M = exact_ratio24(both, exact_of((double)y));
    number s = exact_round24(exact_int(sum)); /* a float, too */
    return exact_nearest(exact_round24(exact_times(s, M)), TIE_EVEN);
}

START_TEST(products_in_exact_arithmetic)
{
    dt_rng rng;
    dt_rng_open(&rng, 2, DT_RNG_TEST, 0, 0);
    int differ = 0;
    for (int i = 0; i < 100000; i++) {
        float x = (float)(.001 + dt_rng_uniform(&rng)), w = (float)(.001 + dt_rng_uniform(&rng));
        float y = (float)(.001 + dt_rng_uniform(&rng));
        int bits = 4 + i % 24; /* sums above 2^24 are no floats */
        int32_t sum = (int32_t)dt_rng_below(&rng, 2u << bits) - (1 << bits);
        if (i % 3 == 0)
            x = ldexpf(1, -i % 7), w = ldexpf(1, -i % 5), y = ldexpf(1, -i % 2); /* ties */
        wide single = product_of(DT_ROUND_SINGLE, x, w, y, sum);
        wide fp32 = product_of(DT_ROUND_FP32, x, w, y, sum);
        ck_assert_int_eq(apply("single", x, w, y, sum), exact_clamp(single, LOW, HIGH));
        ck_assert_int_eq(apply("fp32", x, w, y, sum), exact_clamp(fp32, LOW, HIGH));
        ck_assert_int_eq(apply("xnnpack", x, w, y, sum), exact_clamp(fp32, LOW, HIGH));
        differ += single != fp32;
    }
    ck_assert_int_gt(differ, 1000);
    /* a sum above 2^24 is rounded to float first */
    ck_assert_int_eq(apply("fp32", 1.f / 512, 1, 1, 16777217), 32768);
    ck_assert_int_eq(apply("fp32", 1e20f, 1, 1, 5), HIGH);
    ck_assert_int_eq(apply("double", 1e20f, 1, 1, -5), LOW);
    ck_assert_int_eq(apply("single", 1e-20f, 1, 1, INT_MAX), 0);
    ck_assert_int_eq(apply("double", 1e-20f, 1, 1, INT_MIN), 0);
}
END_TEST

static bool same(number a, number b)
{
    return exact_plus(a, exact_minus(b)).m == 0;
}

static dt_lower_grid grid_of(float scale)
{
    return (dt_lower_grid){ scale, 3, 0, 255 };
}

/* Contracts that share a formula must stay apart where the sources differ. */
START_TEST(means)
{
    int differ = 0;
    for (int i = 1; i < 400; i++) {
        const dt_lower_grid x = grid_of(.01f * (float)i), y = grid_of(.37f);
        dt_multiplier a = dt_multiplier_mean(contract("fp32"), &x, &y, 49);
        dt_multiplier b = dt_multiplier_mean(contract("xnnpack"), &x, &y, 49);
        dt_multiplier c = dt_multiplier_mean(contract("double"), &x, &y, 49);
        number nx = exact_of((double)x.scale), ny = exact_of((double)y.scale), n = exact_int(49);
        ck_assert(
            same(exact_of((double)a.f), exact_ratio24(nx, exact_round24(exact_times(ny, n)))));
        ck_assert(same(exact_of((double)b.f), exact_round24(exact_times(
                                                  exact_ratio24(nx, ny),
                                                  exact_ratio24(exact_int(1), n)))));
        ck_assert_double_eq_tol(dt_multiplier_value(&c), (double)a.f, 2e-7 * (double)a.f);
        ck_assert(dt_multiplier_value(&a) == (double)a.f);
        differ += a.f != b.f;
    }
    ck_assert_int_gt(differ, 0);
}
END_TEST

static const struct {
    int64_t n;
    dt_lower_grid x, y;
    int32_t sum;
    int code, plain;
} litert_means[] = {
#include "tests/integer/litert_means.inc"
};

START_TEST(means_of_litert)
{
    for (size_t i = 0; i < DT_ARRAY_LEN(litert_means); i++) {
        const dt_lower_grid *y = &litert_means[i].y;
        dt_multiplier m =
            dt_multiplier_mean(contract("xnnpack"), &litert_means[i].x, y, litert_means[i].n);
        int32_t code = dt_multiplier_apply(&m, litert_means[i].sum, y->low - y->zero_point,
                                           y->high - y->zero_point);
        ck_assert_int_eq(code + y->zero_point, litert_means[i].code);
        ck_assert_int_ne(litert_means[i].code, litert_means[i].plain);
    }
}
END_TEST

/* Fixed point: m divided by the pixels and rounded down, so M / n is less than one step above it.
 */
START_TEST(means_in_fixed_point_round_down)
{
    for (int64_t n = 1; n < 600; n++) {
        double M = (.01 * (double)n) / (double).37f;
        const dt_lower_grid x = grid_of(.01f * (float)n), y = grid_of(.37f);
        dt_multiplier c = dt_multiplier_mean(contract("double"), &x, &y, n);
        M = (double)(.01f * (float)n) / (double).37f;
        number whole = bits31(M), step = { 1, c.e - 31 };
        number times = exact_times((number){ c.m, c.e - 31 }, exact_int(n));
        number more = exact_times(exact_plus((number){ c.m, c.e - 31 }, step), exact_int(n));
        ck_assert_int_ge(c.m, 1 << 29);
        ck_assert(exact_plus(whole, exact_minus(times)).m >= 0);
        ck_assert(exact_plus(whole, exact_minus(more)).m < 0);
    }
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

static number scale_of(const dt_lower_grid *g)
{
    return exact_of((double)g->scale);
}

/* What is left of both zero points, in float32. */
static number fixed_part(bool fused, const dt_lower_grid *ga, const dt_lower_grid *gb,
                         const dt_lower_grid *gy)
{
    number ra = exact_ratio24(scale_of(ga), scale_of(gy));
    number rb = exact_ratio24(scale_of(gb), scale_of(gy));
    number zb = exact_round24(exact_times(rb, exact_int(gb->zero_point)));
    number za = exact_times(ra, exact_int(ga->zero_point));
    number zeros = exact_round24(exact_plus(fused ? za : exact_round24(za), zb));
    return exact_round24(exact_plus(exact_int(gy->zero_point), exact_minus(zeros)));
}

/* a a_ratio + b b_ratio + fixed in float32, where `fused` rounds each product with its sum. */
static wide float_addition(bool fused, const dt_lower_grid *ga, const dt_lower_grid *gb,
                           const dt_lower_grid *gy, int a, int b)
{
    number ra = exact_ratio24(scale_of(ga), scale_of(gy));
    number rb = exact_ratio24(scale_of(gb), scale_of(gy));
    number fixed = fixed_part(fused, ga, gb, gy);
    number pa = exact_times(ra, exact_int(a)), pb = exact_times(rb, exact_int(b));
    if (fused)
        return exact_nearest(exact_round24(exact_plus(pa, exact_round24(exact_plus(pb, fixed)))),
                             TIE_EVEN);
    number part = exact_round24(exact_plus(fixed, exact_round24(pa)));
    return exact_nearest(exact_round24(exact_plus(part, exact_round24(pb))), TIE_EVEN);
}

/* Ratios as whole numbers over a power of two, so that the larger has 21 bits. */
static wide xnnpack_addition(const dt_lower_grid *ga, const dt_lower_grid *gb,
                             const dt_lower_grid *gy, int a, int b)
{
    number ra = exact_ratio24(scale_of(ga), scale_of(gy)),
           rb = exact_ratio24(scale_of(gb), scale_of(gy));
    number most = ga->scale > gb->scale ? ra : rb;
    int shift = 1;
    while (exact_floor((number){ most.m, most.e + shift }) < wide_power(20))
        shift++;
    wide ta = exact_nearest((number){ ra.m, ra.e + shift }, TIE_EVEN);
    wide tb = exact_nearest((number){ rb.m, rb.e + shift }, TIE_EVEN);
    wide sum = (a - ga->zero_point) * ta + (b - gb->zero_point) * tb;
    return wide_nearest(sum, wide_power(shift), TIE_UP) + gy->zero_point;
}

/* TFLite's: codes << 20, times half of their scale in the larger one, back to y's. `single` rounds
 * up from the middle, `double` is gemmlowp above. */
static wide fixed_times(bool twice, double M, wide v)
{
    number m = bits31(M);
    if (!twice) return exact_nearest((number){ m.m * v, m.e }, TIE_UP);
    int exponent = -(m.e + 31); /* M < 1 in these */
    return gemmlowp((int32_t)v, (int32_t)m.m, exponent);
}

static wide fixed_addition(bool twice, const dt_lower_grid *ga, const dt_lower_grid *gb,
                           const dt_lower_grid *gy, int a, int b)
{
    double sa = (double)ga->scale, sb = (double)gb->scale, most = 2 * fmax(sa, sb);
    wide sum = fixed_times(twice, sa / most, (wide)(a - ga->zero_point) * 1048576) +
               fixed_times(twice, sb / most, (wide)(b - gb->zero_point) * 1048576);
    return fixed_times(twice, most / (1048576.0 * (double)gy->scale), sum) + gy->zero_point;
}

static number multiplier_of(const dt_multiplier *m)
{
    return (number){ m->m, m->e - 31 };
}

/* The numbers that an addition is made of; codes seldom tell their last bits. */
static void check_constants(const dt_contract *c, const dt_adder *r)
{
    double sa = (double)r->a.scale, sb = (double)r->b.scale, most = 2 * fmax(sa, sb);
    if (c->adding == DT_ADD_FUSED || c->adding == DT_ADD_UNFUSED) {
        number fixed = fixed_part(c->adding == DT_ADD_FUSED, &r->a, &r->b, &r->y);
        ck_assert(same(exact_of((double)r->fixed), fixed));
    } else if (c->adding == DT_ADD_FIXED) {
        ck_assert(same(multiplier_of(&r->a_scale), bits31(sa / most)));
        ck_assert(same(multiplier_of(&r->b_scale), bits31(sb / most)));
        double back = most / (1048576.0 * (double)r->y.scale);
        ck_assert(same(multiplier_of(&r->y_scale), bits31(back)));
    }
}

static wide addition_of(const dt_contract *c, const dt_lower_grid *ga, const dt_lower_grid *gb,
                        const dt_lower_grid *gy, int a, int b)
{
    if (c->adding == DT_ADD_XNNPACK) return xnnpack_addition(ga, gb, gy, a, b);
    if (c->adding == DT_ADD_FIXED)
        return fixed_addition(c->rounding == DT_ROUND_DOUBLE, ga, gb, gy, a, b);
    return float_addition(c->adding == DT_ADD_FUSED, ga, gb, gy, a, b);
}

static dt_lower_grid draw_grid(dt_rng *rng, bool dyadic)
{
    dt_lower_grid g = { .zero_point = (int)dt_rng_below(rng, 256), .high = 255 };
    int e = (int)dt_rng_below(rng, 5);
    g.scale = dyadic ? ldexpf(1, -e) : (float)(.004 + .1 * dt_rng_uniform(rng));
    return g;
}

START_TEST(additions_in_exact_arithmetic)
{
    dt_rng rng;
    dt_rng_open(&rng, 3, DT_RNG_TEST, 0, 0);
    for (int i = 0; i < 50; i++) {
        bool dyadic = i % 3 == 0; /* ties */
        dt_lower_grid a = draw_grid(&rng, dyadic), b = draw_grid(&rng, dyadic);
        dt_lower_grid y = draw_grid(&rng, dyadic);
        for (const dt_contract *c = dt_contracts; c->name; c++) {
            const dt_adder r = dt_adder_make(c, &a, &b, &y);
            check_constants(c, &r);
            for (int p = i % 3; p < 256; p += 3)
                for (int q = i % 5; q < 256; q += 5)
                    ck_assert_msg(dt_adder_apply(&r, p, q) ==
                                      exact_clamp(addition_of(c, &a, &b, &y, p, q), y.low, y.high),
                                  "%s: %d + %d: %d, not %d (scales %.9g %.9g %.9g)", c->name, p, q,
                                  dt_adder_apply(&r, p, q),
                                  (int)exact_clamp(addition_of(c, &a, &b, &y, p, q), y.low, y.high),
                                  (double)a.scale, (double)b.scale, (double)y.scale);
        }
    }
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
             products_in_exact_arithmetic, means, means_of_litert, means_in_fixed_point_round_down, additions,
             additions_in_exact_arithmetic, additions_stay_in_range, fused_and_unfused_additions,
             codes_of_values)
