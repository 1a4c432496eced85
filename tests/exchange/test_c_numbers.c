/* Packed weights by hand, and float32 additions in integers against the contract, over all pairs.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/c99/c_numbers.h"

#include <math.h>

#include "tests/support/run.h"

static dt_int_node product_of(int8_t *w, bool *negated, int64_t O, int64_t K, int bits, int gain)
{
    return (dt_int_node){ .name = "conv",
                          .shape = { 1, 1, 1, K, O, 1, 1, 1, 1, 0, 0, 1, 1, 1 },
                          .weight = w,
                          .negated = negated,
                          .bits = bits,
                          .gain = gain };
}

/* 3 bits: -4 = 100, 3 = 011, -1 = 111, 2 = 010; the second channel was negated. */
START_TEST(codes_follow_each_other_from_the_low_bit)
{
    int8_t w[] = { -8, 6, -2, 8, -4, 0 }; /* gain 2: -4 3 -1 | -(4 -2 0) = -4 2 0 */
    bool negated[] = { false, true };
    dt_arena *arena = dt_arena_new(NULL, "test");
    dt_int_node n = product_of(w, negated, 2, 3, 3, 2);
    dt_c_weights p;
    ck_assert_int_eq(dt_c_pack(&n, arena, &p, NULL), DT_OK);
    ck_assert_uint_eq(p.size, 3); /* 18 bits */
    ck_assert_ptr_null(p.level);
    /* 000 010 100 111 011 100, the first code on the right */
    ck_assert_uint_eq(p.bytes[0], 0xDC); /* 11 011 100 */
    ck_assert_uint_eq(p.bytes[1], 0x29); /* 0 010 100 1 */
    ck_assert_uint_eq(p.bytes[2], 0x00);
    dt_arena_free(arena);
}
END_TEST

START_TEST(uneven_weights_have_a_table)
{
    int8_t w[] = { -3, -1, 1, 3, 3, 1 }, many[] = { -3, -1, 1, 3, 0 };
    bool negated[] = { false };
    dt_error err;
    dt_arena *arena = dt_arena_new(NULL, "test");
    dt_int_node n = product_of(w, negated, 1, 6, 2, 1);
    dt_c_weights p;
    ck_assert_int_eq(dt_c_pack(&n, arena, &p, NULL), DT_OK);
    ck_assert_int_eq(p.levels, 4);
    ck_assert_int_eq(p.level[0], -3);
    ck_assert_int_eq(p.level[3], 3);
    ck_assert_uint_eq(p.bytes[0], 0xE4); /* 11 10 01 00 */
    ck_assert_uint_eq(p.bytes[1], 0x0B); /* 10 11 */
    n = product_of(many, negated, 1, 5, 2, 1);
    ck_assert_int_eq(dt_c_pack(&n, arena, &p, &err), DT_ERR_UNSUPPORTED);
    ck_assert_msg(strstr(err.text, "conv") && strstr(err.text, "5"), "%s", err.text);
    dt_arena_free(arena);
}
END_TEST

START_TEST(a_code_beyond_a_byte_is_refused)
{
    int8_t w[] = { -128, 5 };
    bool negated[] = { true }, plain[] = { false };
    dt_error err;
    dt_arena *arena = dt_arena_new(NULL, "test");
    dt_int_node n = product_of(w, plain, 1, 2, 8, 1);
    dt_c_weights p;
    ck_assert_int_eq(dt_c_pack(&n, arena, &p, NULL), DT_OK);
    ck_assert(!p.level && p.bytes[0] == 0x80);
    n = product_of(w, negated, 1, 2, 8, 1);
    ck_assert_int_eq(dt_c_pack(&n, arena, &p, &err), DT_ERR_UNSUPPORTED);
    ck_assert_msg(strstr(err.text, "conv") && strstr(err.text, "narrow"), "%s", err.text);
    dt_arena_free(arena);
}
END_TEST

/* x as a float32 keeps it; x has at most 62 bits. */
static int64_t round_float(int64_t x)
{
    return (int64_t)(float)x;
}

static int32_t sum_code(const dt_adder *d, const dt_c_sum *s, int a, int b)
{
    int64_t t = round_float(a * s->a + round_float(b * s->b + s->fixed));
    int64_t low = d->y.low, high = d->y.high;
    if (d->adding == DT_ADD_UNFUSED)
        t = round_float(round_float(s->fixed + round_float(a * s->a)) + round_float(b * s->b));
    if (d->adding == DT_ADD_XNNPACK) {
        t = (a * s->a + b * s->b + s->fixed) >> s->shift;
        return (int32_t)(t < low ? low : t > high ? high : t);
    }
    double v = rint(ldexp((double)t, -s->shift)); /* 24 bits: exact */
    return (int32_t)(v < (double)low ? low : v > (double)high ? high : (int64_t)v);
}

START_TEST(additions_are_exact_in_integers)
{
    static const float scales[][3] = { { 0.031f, 0.0173f, 0.04f },
                                       { 0.25f, 0.25f, 0.5f },
                                       { 1.7e-3f, 0.9f, 0.3f },
                                       { 3.0f, 2e-4f, 0.02f },
                                       { 1e-6f, 0.07f, 0.0701f } };
    static const char *const names[] = { "fp32", "unfused", "xnnpack" };
    for (size_t i = 0; i < DT_ARRAY_LEN(scales); i++)
        for (size_t k = 0; k < DT_ARRAY_LEN(names); k++) {
            const dt_lower_grid ga = { scales[i][0], 128, 0, 255 },
                                gb = { scales[i][1], 3, 0, 255 };
            const dt_lower_grid gy = { scales[i][2], 127, 0, 255 };
            const dt_contract *c;
            dt_c_sum s;
            ck_assert_int_eq(dt_contract_get(names[k], NULL, &c, NULL), DT_OK);
            const dt_adder d = dt_adder_make(c, &ga, &gb, &gy);
            ck_assert(dt_c_sum_of(&d, &s));
            for (int a = 0; a < 256; a++)
                for (int b = 0; b < 256; b++)
                    ck_assert_int_eq(sum_code(&d, &s, a, b), dt_adder_apply(&d, a, b));
        }
}
END_TEST

START_TEST(scales_too_far_apart_are_told)
{
    const dt_lower_grid a = { 1e-12f, 128, 0, 255 }, b = { 100.0f, 3, 0, 255 };
    const dt_lower_grid y = { 0.3f, 127, 0, 255 };
    dt_c_sum s;
    const dt_adder d = dt_adder_make(dt_contracts, &a, &b, &y);
    ck_assert(!dt_c_sum_of(&d, &s));
}
END_TEST

START_TEST(multipliers_that_decide_nothing)
{
    const dt_multiplier tiny = { .rounding = DT_ROUND_FP32, .f = 1e-20f };
    const dt_multiplier huge = { .rounding = DT_ROUND_FP32, .f = 1e20f };
    const dt_multiplier half = { .rounding = DT_ROUND_FP32, .f = 0.5f };
    ck_assert_int_eq(dt_c_scale_of(&tiny).m, 0);
    ck_assert_int_eq(dt_c_scale_of(&huge).shift, 0);
    ck_assert_int_eq(dt_c_scale_of(&half).m, 1 << 23);
    ck_assert_int_eq(dt_c_scale_of(&half).shift, 24);
}
END_TEST

DT_TEST_MAIN("c_numbers", a_code_beyond_a_byte_is_refused, codes_follow_each_other_from_the_low_bit,
             uneven_weights_have_a_table, additions_are_exact_in_integers,
             scales_too_far_apart_are_told, multipliers_that_decide_nothing)
