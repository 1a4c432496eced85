/* Convolution on codes: the scalar tier against the float convolution where that is exact, the
 * vector tiers against the scalar one, bit for bit: extremes, guard bytes, threads. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/kernels.h"
#include "tests/kernels/conv_case.h"
#include "tests/support/run.h"

typedef struct int_case {
    dt_conv_int_call call;
    size_t x_count, w_count, y_count;
    unsigned char *x;
    signed char *w;
    int32_t *bias;
} int_case;

/* Of 4 bits: SMALL; LEAST and FULL, the extremes of both signs; GAINED, weights times 16. */
typedef enum fill { RANDOM, HIGHEST, LOWEST, SMALL, LEAST, FULL, GAINED } fill;

static unsigned char fill_code(fill f, bool is_signed, dt_rng *rng)
{
    switch (f) {
    case HIGHEST:
        return is_signed ? 127 : 255;
    case LOWEST:
        return is_signed ? 128 : 0;
    case LEAST:
    case FULL:
        return 15;
    case RANDOM:
        return (unsigned char)dt_rng_below(rng, 256);
    default:
        return (unsigned char)dt_rng_below(rng, 16);
    }
}

static signed char fill_weight(fill f, dt_rng *rng)
{
    switch (f) {
    case HIGHEST:
        return 127;
    case LOWEST:
        return -128;
    case LEAST:
        return dt_rng_below(rng, 64) ? -8 : -7; /* else all end in zero bits */
    case FULL:
        return 7;
    case RANDOM:
        return (signed char)((int)dt_rng_below(rng, 256) - 128);
    case GAINED:
        return (signed char)(((int)dt_rng_below(rng, 16) - 8) * 16);
    default:
        return (signed char)((int)dt_rng_below(rng, 16) - 8);
    }
}

static int_case case_open(dt_conv_shape s, bool is_signed, int zero, fill f, uint64_t seed)
{
    int_case c = { .call = { .shape = s, .is_signed = is_signed, .zero = zero } };
    dt_rng rng;
    dt_rng_open(&rng, seed, DT_RNG_TEST, 9, 0);
    c.x_count = (size_t)(s.N * s.H * s.W * s.C);
    c.w_count = (size_t)(s.O * s.KH * s.KW * (s.C / s.G));
    c.y_count = (size_t)(s.N * s.OH * s.OW * s.O);
    c.x = dt_get_array(NULL, c.x_count, 1, "test");
    c.w = dt_get_array(NULL, c.w_count, 1, "test");
    for (size_t i = 0; i < c.x_count; i++)
        c.x[i] = fill_code(f, is_signed, &rng);
    for (size_t i = 0; i < c.w_count; i++)
        c.w[i] = fill_weight(f, &rng);
    c.bias = dt_get_array(NULL, (size_t)s.O, sizeof *c.bias, "test");
    for (int64_t o = 0; o < s.O; o++)
        c.bias[o] = (int32_t)dt_rng_u32(&rng) / 2;
    c.call.x = c.x;
    c.call.w = c.w;
    c.call.bias = f == RANDOM || f == GAINED ? c.bias : NULL;
    return c;
}

static void case_close(int_case *c)
{
    dt_put(NULL, c->x);
    dt_put(NULL, c->w);
    dt_put(NULL, c->bias);
}

/* What follows a product: undone by doing it again. */
static void flip(void *arg, int64_t first, int64_t count, int32_t *sums)
{
    int32_t *y = arg;
    if (!sums) sums = y + first;
    for (int64_t i = 0; sums != y + first && i < count; i++) /* y was not given */
        y[first + i] = sums[i];
    for (int64_t i = first; i < first + count; i++)
        y[i] ^= 0x55555555;
}

/* `kept`: with a place for all sums. The output starts at GUARD; NULL when a guard was written. */
static int32_t *run(const dt_conv_int_kernels *k, const int_case *c, bool kept, int threads)
{
    size_t bytes = k->workspace(&c->call.shape, threads), all = c->y_count + 2 * GUARD;
    int32_t *y = dt_get_array(NULL, all, sizeof *y, "test");
    unsigned char *work = dt_get(NULL, bytes + GUARD, "test");
    memset(y, 0x5a, all * sizeof *y);
    memset(work, 0xa5, bytes + GUARD);
    dt_conv_int_call call = c->call;
    call.y = kept ? y + GUARD : NULL;
    call.done = flip;
    call.arg = y + GUARD;
    k->forward(&call, work, threads);
    flip(y + GUARD, 0, (int64_t)c->y_count,
         NULL); /* what was not flipped once before is wrong now */
    bool intact = true;
    for (size_t i = 0; i < GUARD; i++)
        intact = intact && y[i] == 0x5a5a5a5a && y[GUARD + c->y_count + i] == 0x5a5a5a5a &&
                 work[bytes + i] == 0xa5;
    dt_put(NULL, work);
    if (intact) return y;
    dt_put(NULL, y);
    return NULL;
}

static void check(const dt_kernels *k, const int_case *c, int most_threads)
{
    dt_conv_int_kernels scalar;
    char name[160];
    dt_conv_int_scalar(&scalar);
    conv_print(&c->call.shape, name, sizeof name);
    int32_t *want = run(&scalar, c, true, 1);
    for (int threads = 1; threads <= most_threads; threads++) {
        int32_t *got = run(&k->conv_int, c, threads % 2, threads);
        ck_assert_msg(got, "%s %s: a guard byte was written", k->conv_int.name, name);
        size_t bad = 0;
        while (bad < c->y_count && got[GUARD + bad] == want[GUARD + bad])
            bad++;
        ck_assert_msg(bad == c->y_count, "%s %s signed %d zero %d threads %d: [%zu] is %d, not %d",
                      k->conv_int.name, name, c->call.is_signed, c->call.zero, threads, bad,
                      got[GUARD + bad], want[GUARD + bad]);
        dt_put(NULL, got);
    }
    dt_put(NULL, want);
}

static void check_all(const dt_kernels *k, dt_conv_shape s, int threads)
{
    static const struct {
        bool is_signed;
        int zero;
        fill f;
        int most;
    } cases[] = {
        { false, 0, RANDOM, 0 },  { false, 128, RANDOM, 255 }, { false, 255, LOWEST, 0 },
        { false, 0, HIGHEST, 0 }, { true, 0, RANDOM, 0 },      { true, -128, HIGHEST, 127 },
        { true, 127, LOWEST, 0 }, { false, 3, SMALL, 0 },      { false, 8, SMALL, 15 },
        { false, 0, LEAST, 15 },  { false, 8, FULL, 15 },      { false, 200, SMALL, 15 },
        { true, 3, SMALL, 15 },   { false, 0, GAINED, 15 },    { false, 7, GAINED, 15 },
    };
    for (size_t i = 0; i < DT_ARRAY_LEN(cases); i++) {
        int_case c = case_open(s, cases[i].is_signed, cases[i].zero, cases[i].f, i + 1);
        c.call.most = cases[i].most;
        check(k, &c, threads);
        case_close(&c);
    }
}

static const char *const tiers[] = { "avx2", "avx512" };

static bool open_tier(size_t i, dt_kernels *k)
{
    if (!test_tier(tiers[i], k)) return false;
    printf("%s: %s\n", tiers[i], k->conv_int.name);
    return true;
}

START_TEST(tiers_give_the_same_bits)
{
    for (size_t i = 0; i < DT_ARRAY_LEN(tiers); i++) {
        dt_kernels k;
        if (!open_tier(i, &k)) continue;
        check_all(&k, conv_shape(2, 32, 32, 16, 16, 3, 3, 1, 1, 1), 3); /* those of ResNet-20 */
        check_all(&k, conv_shape(1, 32, 32, 3, 16, 3, 3, 1, 1, 1), 3);
        check_all(&k, conv_shape(1, 16, 16, 32, 64, 3, 3, 2, 1, 1), 3);
        check_all(&k, conv_shape(3, 8, 8, 64, 64, 3, 3, 1, 1, 1), 3);
        check_all(&k, conv_shape(7, 1, 1, 64, 10, 1, 1, 1, 0, 1), 3); /* linear */
        check_all(&k, conv_shape(67, 1, 1, 5, 33, 1, 1, 1, 0, 1), 3);
        check_all(&k, conv_shape(3, 5, 5, 701, 11, 1, 1, 1, 0, 1), 3); /* sums of many terms */
        check_all(&k, conv_shape(1, 6, 7, 131, 24, 3, 3, 1, 1, 1), 2);
        check_all(&k, conv_shape(1, 20, 20, 3, 24, 7, 7, 2, 3, 1), 3);
        check_all(&k, conv_shape(1, 9, 9, 6, 40, 1, 1, 2, 0, 1), 3);
        check_all(&k, conv_shape(2, 12, 12, 32, 32, 3, 3, 1, 1, 32), 3); /* depthwise */
        check_all(&k, conv_shape(2, 60, 50, 67, 67, 3, 3, 1, 1, 67), 3); /* in several bands */
        check_all(&k, conv_shape(1, 15, 14, 80, 80, 5, 5, 2, 2, 80), 3);
        check_all(&k, conv_shape(2, 9, 9, 66, 99, 3, 3, 1, 1, 3), 3);
        check_all(&k, conv_shape(1, 70, 61, 16, 8, 3, 3, 2, 1, 1), 3); /* several bands */
        check_all(&k, conv_shape(1, 4, 4, 5, 3, 1, 1, 6, 0, 1), 3);
        check_all(&k, conv_shape(1, 3, 5, 2, 2, 1, 1, 1, 3, 1), 3); /* outputs in padding only */
        check_all(&k, conv_sided(conv_shape(2, 32, 32, 16, 32, 3, 3, 2, 0, 1), 1, 1), 3);
        check_all(&k, conv_sided(conv_shape(2, 14, 14, 24, 24, 3, 3, 2, 0, 24), 1, 1), 3);
        check_all(&k, conv_sided(conv_shape(1, 6, 6, 8, 8, 1, 1, 1, 0, 1), 1, 2), 3);
        check_all(&k, conv_dilated(conv_shape(2, 14, 14, 16, 24, 3, 3, 1, 2, 1), 1, 1), 3);
        check_all(&k, conv_dilated(conv_shape(2, 21, 20, 67, 67, 7, 7, 1, 9, 67), 2, 2), 3);
        check_all(&k, conv_dilated(conv_shape(1, 40, 61, 18, 30, 3, 3, 2, 2, 3), 3, 0), 3);
    }
}
END_TEST

START_TEST(random_shapes)
{
    for (size_t i = 0; i < DT_ARRAY_LEN(tiers); i++) {
        dt_kernels k;
        dt_rng rng;
        if (!open_tier(i, &k)) continue;
        dt_rng_open(&rng, 5, DT_RNG_TEST, 6, 0);
        for (int n = 0; n < 150; n++) {
            int64_t G = 1 + dt_rng_below(&rng, 3), K = 1 + dt_rng_below(&rng, 5);
            int64_t S = 1 + dt_rng_below(&rng, 3), P = dt_rng_below(&rng, 3);
            int64_t C = G * (1 + dt_rng_below(&rng, 21)), O = G * (1 + dt_rng_below(&rng, 40));
            dt_conv_shape s = conv_shape(1 + dt_rng_below(&rng, 3), K + dt_rng_below(&rng, 9),
                                         K + dt_rng_below(&rng, 20), C, O, K, K, S, P, G);
            s = conv_sided(s, dt_rng_below(&rng, 3), dt_rng_below(&rng, 3));
            if (n % 3 == 0) {
                s.H += 2 * K, s.W += 2 * K;
                s = conv_dilated(s, dt_rng_below(&rng, 3), dt_rng_below(&rng, 3));
            }
            check_all(&k, s, 1);
            if (C == 1) continue;
            s.G = s.O = s.C; /* depthwise */
            check_all(&k, s, 1);
        }
    }
}
END_TEST

/* As many terms as the header allows, all of them extreme: the sum is at the edge of 32 bits. */
START_TEST(the_longest_sum_does_not_overflow)
{
    const dt_conv_shape s = conv_shape(1, 1, 1, DT_CONV_INT_MAX_TERMS, 2, 1, 1, 1, 0, 1);
    int_case c = case_open(s, false, 0, HIGHEST, 1);
    memset(c.w, -128, c.w_count);
    for (size_t i = 0; i < DT_ARRAY_LEN(tiers); i++) {
        dt_kernels k;
        if (!open_tier(i, &k)) continue;
        int32_t *y = run(&k.conv_int, &c, false, 1);
        ck_assert_int_eq(y[GUARD], -255 * 128 * (int64_t)DT_CONV_INT_MAX_TERMS);
        ck_assert_int_eq(y[GUARD + 1], y[GUARD]);
        dt_put(NULL, y);
    }
    case_close(&c);
}
END_TEST

/* Sums of at most 9 * 21 * 15 * 8 are exact in float32. */
START_TEST(the_scalar_tier_is_the_float_convolution)
{
    const dt_conv_shape shapes[] = { conv_shape(2, 7, 9, 6, 8, 3, 3, 1, 1, 1),
                                     conv_shape(1, 8, 8, 6, 9, 3, 3, 2, 1, 3) };
    dt_conv_int_kernels ints;
    dt_conv_kernels floats;
    dt_conv_int_scalar(&ints);
    dt_conv_scalar(&floats);
    for (size_t i = 0; i < DT_ARRAY_LEN(shapes); i++) {
        const int zero = 5;
        int_case c = case_open(shapes[i], false, zero, SMALL, 3);
        conv_case f = conv_open(shapes[i]);
        for (size_t n = 0; n < c.x_count; n++)
            f.x[n] = (real)(c.x[n] - zero);
        for (size_t n = 0; n < c.w_count; n++)
            f.w[n] = (real)c.w[n];
        c.call.bias = c.bias;
        int32_t *y = run(&ints, &c, false, 1);
        real *want = run_pass(&floats, &f, DT_CONV_FORWARD, 0, 1, 0);
        for (size_t n = 0; n < c.y_count; n++)
            ck_assert_int_eq(y[GUARD + n],
                             (int32_t)want[GUARD + n] + c.bias[n % (size_t)shapes[i].O]);
        dt_put(NULL, y);
        dt_put(NULL, want);
        conv_close(&f);
        case_close(&c);
    }
}
END_TEST

START_TEST(fewer_pictures_want_no_more_memory)
{
    for (size_t i = 0; i < DT_ARRAY_LEN(tiers); i++) {
        dt_kernels k;
        if (!open_tier(i, &k)) continue;
        for (int64_t N = 1; N < 200; N++) {
            const dt_conv_shape few = conv_shape(N, 1, 1, 999, 10, 1, 1, 1, 0, 1);
            const dt_conv_shape more = conv_shape(N + 1, 1, 1, 999, 10, 1, 1, 1, 0, 1);
            ck_assert_uint_le(k.conv_int.workspace(&few, 2), k.conv_int.workspace(&more, 2));
        }
    }
}
END_TEST

DT_TEST_MAIN("conv_int", tiers_give_the_same_bits, random_shapes, the_longest_sum_does_not_overflow,
             the_scalar_tier_is_the_float_convolution, fewer_pictures_want_no_more_memory)
