/* Vector tiers of the convolution against the scalar one: agreement, guard bytes, accumulation and
 * independence of the thread count. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/kernels.h"
#include "tests/kernels/conv_case.h"
#include "tests/support/run.h"

/* Largest difference relative to the sum of |x| |w| of an element: rounding of a few thousand terms
 * in two different orders, 24-bit mantissa. */
static const double bound = 1e-5;

static const char *const tiers[] = { "avx2", "avx512" };

static void make_positive(real *a, size_t count)
{
    for (size_t i = 0; i < count; i++)
        a[i] = fabsf(a[i]);
}

static real *magnitude(const dt_conv_kernels *k, const dt_conv_shape *s, dt_conv_pass pass)
{
    conv_case c = conv_open(*s);
    make_positive(c.x, c.x_count);
    make_positive(c.w, c.w_count);
    make_positive(c.dy, c.y_count);
    real *out = run_pass(k, &c, pass, 0, 1, 0);
    conv_close(&c);
    return out;
}

/* One pass of one tier: values from the scalar tier, then bit-equality over threads. */
static void check_pass(const dt_kernels *k, const conv_case *c, dt_conv_pass pass, int accumulate,
                       int most_threads)
{
    dt_conv_kernels scalar;
    dt_conv_scalar(&scalar);
    char name[160];
    conv_print(&c->s, name, sizeof name);
    size_t count = pass_count(c, pass);
    real fill = accumulate ? (real)0.5 : (real)NAN;
    real *want = run_pass(&scalar, c, pass, accumulate, 1, fill);
    real *size = magnitude(&scalar, &c->s, pass);
    real *one = run_pass(&k->conv, c, pass, accumulate, 1, fill);
    ck_assert_msg(want && one, "%s pass %d %s: a guard byte was written", k->isa, pass, name);
    size_t bad = 0, last = 0; /* counted here: one assertion for each element would be slow */
    for (size_t i = GUARD; i < GUARD + count; i++) {
        double limit = bound * ((double)size[i] + accumulate);
        if (!(fabs((double)one[i] - (double)want[i]) <= limit)) bad++, last = i;
    }
    ck_assert_msg(bad == 0, "%s pass %d %s: %zu elements, [%zu] is %.9g, not %.9g", k->isa, pass,
                  name, bad, last - GUARD, (double)one[last], (double)want[last]);
    for (int threads = 2; threads <= most_threads; threads++) {
        real *many = run_pass(&k->conv, c, pass, accumulate, threads, fill);
        ck_assert_msg(many && memcmp(one + GUARD, many + GUARD, count * sizeof *one) == 0,
                      "%s pass %d %s: %d threads differ from one", k->isa, pass, name, threads);
        dt_put(NULL, many);
    }
    dt_put(NULL, want);
    dt_put(NULL, size);
    dt_put(NULL, one);
}

/* A weight gradient from codes has the bits of one from their values. */
static void check_codes(const dt_kernels *k, dt_conv_shape s, int threads)
{
    conv_case c = conv_open(s);
    uint8_t *codes = dt_get(NULL, c.x_count, "test");
    dt_rng rng;
    dt_rng_open(&rng, 1, DT_RNG_TEST, 9, 0);
    for (size_t i = 0; i < c.x_count; i++) {
        codes[i] = (uint8_t)dt_rng_below(&rng, 256);
        c.x[i] = (real)(codes[i] - CODES_ZERO) * CODES_SCALE;
    }
    real *want = run_pass(&k->conv, &c, DT_CONV_WGRAD, 0, threads, 0);
    c.codes = codes;
    real *got = run_pass(&k->conv, &c, DT_CONV_WGRAD, 0, threads, 0);
    char name[160];
    ck_assert_msg(want && got && memcmp(want, got, (c.w_count + 2 * GUARD) * sizeof *got) == 0,
                  "%s %s: codes differ from values", k->isa, conv_print(&s, name, sizeof name));
    dt_put(NULL, want);
    dt_put(NULL, got);
    dt_put(NULL, codes);
    conv_close(&c);
}

static void check(const dt_kernels *k, dt_conv_shape s, int threads)
{
    conv_case c = conv_open(s);
    check_pass(k, &c, DT_CONV_FORWARD, 0, threads);
    check_pass(k, &c, DT_CONV_DGRAD, 0, threads);
    check_pass(k, &c, DT_CONV_DGRAD, 1, threads);
    check_pass(k, &c, DT_CONV_WGRAD, 0, threads);
    conv_close(&c);
    check_codes(k, s, threads);
}

START_TEST(fixed_shapes)
{
    dt_kernels k;
    if (!test_tier(tiers[_i], &k)) return;
    check(&k, conv_shape(2, 32, 32, 16, 16, 3, 3, 1, 1, 1), 4); /* the shapes of ResNet-20 */
    check(&k, conv_shape(2, 32, 32, 3, 16, 3, 3, 1, 1, 1), 4);
    check(&k, conv_shape(2, 32, 32, 16, 32, 3, 3, 2, 1, 1), 4);
    check(&k, conv_shape(2, 16, 16, 32, 32, 3, 3, 1, 1, 1), 4);
    check(&k, conv_shape(2, 16, 16, 32, 64, 3, 3, 2, 1, 1), 4);
    check(&k, conv_shape(3, 8, 8, 64, 64, 3, 3, 1, 1, 1), 4);
    check(&k, conv_shape(1, 20, 20, 3, 24, 7, 7, 2, 3, 1), 4); /* first layer of larger nets */
    check(&k, conv_shape(2, 21, 20, 3, 32, 7, 7, 2, 3, 1), 4);
    check(&k, conv_shape(2, 9, 17, 4, 16, 3, 5, 3, 1, 1), 4);
    check(&k, conv_shape(2, 9, 5, 1, 16, 3, 5, 1, 0, 1), 4);
    check(&k, conv_shape(1, 9, 9, 64, 40, 1, 1, 2, 0, 1), 4);    /* projection */
    check(&k, conv_shape(2, 12, 12, 32, 32, 3, 3, 1, 1, 32), 4); /* depthwise */
    check(&k, conv_shape(1, 12, 12, 32, 64, 5, 5, 2, 2, 32), 4);
    check(&k, conv_shape(2, 9, 9, 66, 99, 3, 3, 1, 1, 3), 4);
    check(&k, conv_shape(128, 3, 3, 17, 5, 3, 3, 1, 1, 1), 4);
    /* Minimal filtering: odd pictures, other zeros around them, units of several, many channels. */
    check(&k, conv_shape(2, 33, 35, 16, 48, 3, 3, 1, 1, 1), 4);
    check(&k, conv_shape(3, 7, 9, 32, 80, 3, 3, 1, 0, 1), 4);
    check(&k, conv_shape(2, 5, 5, 48, 16, 3, 3, 1, 2, 1), 4);
    check(&k, conv_sided(conv_shape(2, 9, 10, 16, 32, 3, 3, 1, 0, 1), 1, 2), 4);
    check(&k, conv_sided(conv_shape(2, 8, 7, 16, 32, 3, 3, 1, 2, 1), 0, 0), 4);
    check(&k, conv_shape(70, 5, 6, 16, 32, 3, 3, 1, 1, 1), 4);
    check(&k, conv_shape(2, 14, 14, 256, 32, 3, 3, 1, 1, 1), 4);
    check(&k, conv_shape(1, 60, 61, 8, 8, 3, 3, 1, 1, 1), 4);   /* several bands */
    check(&k, conv_shape(1, 4, 4, 200, 130, 3, 3, 1, 1, 1), 4); /* several passes over weights */
    check(&k, conv_shape(2, 14, 7, 20, 48, 3, 3, 1, 1, 1), 4);  /* rows of 7 and 14 */
    check(&k, conv_shape(1, 7, 14, 16, 48, 1, 1, 1, 0, 1), 4);
    check(&k, conv_shape(1, 28, 28, 3, 48, 7, 7, 2, 3, 1), 4);
    check(&k, conv_shape(2, 9, 14, 24, 24, 3, 3, 1, 1, 24), 4);
    check(&k, conv_shape(1, 4, 4, 5, 3, 1, 1, 6, 0, 1), 4); /* stride beyond the picture */
    check(&k, conv_shape(1, 3, 5, 2, 2, 1, 1, 1, 3, 1), 4); /* outputs that see only padding */
    check(&k, conv_sided(conv_shape(2, 32, 32, 16, 32, 3, 3, 2, 0, 1), 1, 1), 4); /* Keras' same */
    check(&k, conv_sided(conv_shape(2, 14, 14, 24, 24, 5, 5, 2, 1, 24), 2, 2), 4);
    check(&k, conv_sided(conv_shape(1, 9, 9, 3, 8, 3, 3, 1, 2, 1), 0, 1), 4);
    check(&k, conv_sided(conv_shape(1, 6, 6, 8, 8, 1, 1, 1, 0, 1), 1, 2), 4);
    check(&k, conv_dilated(conv_shape(2, 14, 14, 32, 32, 3, 3, 1, 2, 1), 1, 1), 4);
    check(&k, conv_dilated(conv_shape(2, 14, 14, 32, 32, 3, 3, 1, 2, 32), 1, 1), 4);
    check(&k, conv_dilated(conv_shape(2, 21, 21, 24, 24, 7, 7, 1, 9, 24), 2, 2), 4);
    check(&k, conv_dilated(conv_shape(1, 17, 19, 3, 16, 3, 5, 2, 4, 1), 1, 3), 4);
    check(&k, conv_dilated(conv_shape(1, 17, 19, 40, 30, 3, 5, 2, 4, 2), 2, 0), 4);
    check(&k, conv_dilated(conv_shape(2, 16, 16, 16, 16, 3, 3, 2, 2, 1), 1, 1), 4); /* one phase */
}
END_TEST

static int64_t pick(dt_rng *rng, const int64_t *list, size_t count)
{
    return list[dt_rng_below(rng, (uint32_t)count)];
}

/* A shape from the lists; sizes at least fit the kernel. */
static dt_conv_shape random_shape(dt_rng *rng)
{
    static const int64_t channels[] = { 1, 2, 3, 5, 8, 15, 16, 17, 24, 32, 33, 64 };
    static const int64_t kernels[][2] = { { 1, 1 }, { 3, 3 }, { 5, 5 }, { 7, 7 },
                                          { 1, 7 }, { 7, 1 }, { 2, 4 } };
    static const int64_t groups[] = { 1, 1, 1, 2, 3, 4 };
    const int64_t *kernel = kernels[dt_rng_below(rng, DT_ARRAY_LEN(kernels))];
    int64_t G = pick(rng, groups, DT_ARRAY_LEN(groups));
    dt_conv_shape s = { .N = 1 + dt_rng_below(rng, 5), .G = G, .KH = kernel[0], .KW = kernel[1] };
    s.C = pick(rng, channels, DT_ARRAY_LEN(channels)) * G;
    s.O = pick(rng, channels, DT_ARRAY_LEN(channels)) * G;
    if (dt_rng_below(rng, 8) == 0) s.G = s.C, s.O = s.C * (1 + dt_rng_below(rng, 2));
    s.SH = 1 + dt_rng_below(rng, 3), s.SW = 1 + dt_rng_below(rng, 3);
    s.PH = dt_rng_below(rng, 4), s.PW = dt_rng_below(rng, 4);
    if (dt_rng_below(rng, 3) == 0) s.DH = dt_rng_below(rng, 3), s.DW = dt_rng_below(rng, 4);
    s.H = dt_conv_reach(s.KH, s.DH) + dt_rng_below(rng, 7);
    s.W = dt_conv_reach(s.KW, s.DW) + dt_rng_below(rng, 18);
    return conv_sided(s, dt_rng_below(rng, 4), dt_rng_below(rng, 4));
}

START_TEST(random_shapes)
{
    enum { SHAPES = 200 };
    const double most = 5e5; /* products of one pass: keeps the test short */
    dt_kernels k;
    if (!test_tier(tiers[_i], &k)) return;
    dt_rng rng;
    dt_rng_open(&rng, 7, DT_RNG_TEST, 4, 0);
    for (int done = 0; done < SHAPES;) {
        dt_conv_shape s = random_shape(&rng);
        if ((double)(s.N * s.OH * s.OW * s.O * s.KH * s.KW) * (double)(s.C / s.G) > most) continue;
        check(&k, s, 2);
        done++;
    }
}
END_TEST

int main(int argc, char **argv)
{
    int status = test_start(argc, argv);
    if (status) return status;
    Suite *suite = suite_create("conv");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 600);
    tcase_add_loop_test(all, fixed_shapes, 0, DT_ARRAY_LEN(tiers));
    tcase_add_loop_test(all, random_shapes, 0, DT_ARRAY_LEN(tiers));
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
