/* First scales on a unit Gaussian, against values by numeric integration. The sample is the
 * Gaussian's quantiles, so nothing is random; 2 % covers the flat minimum of the square error and
 * the tail that a finite sample lacks. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "fakequant/range.h"

#include <math.h>
#include <string.h>

#include "core/alloc.h"
#include "fakequant/quantizers.h"
#include "tests/support/run.h"

enum { COUNT = 65536 };

/* The p-quantile of N(0,1), by bisection. */
static double quantile(double p)
{
    double low = -10, high = 10;
    for (int i = 0; i < 60; i++) {
        double mid = (low + high) / 2;
        if (erfc(-mid / sqrt(2)) / 2 < p)
            low = mid;
        else
            high = mid;
    }
    return low;
}

static real *gaussian(bool rectified)
{
    real *x = dt_get_array(NULL, COUNT, sizeof *x, "test");
    ck_assert_ptr_nonnull(x);
    for (int i = 0; i < COUNT / 2; i++) {
        x[i] = (real)quantile((i + 0.5) / COUNT);
        x[COUNT - 1 - i] = -x[i];
        if (rectified) x[i] = 0;
    }
    return x;
}

static void check_near(double got, double want, const char *what, int bits)
{
    ck_assert_msg(fabs(got / want - 1) < 0.02, "%s at %d bits: %.5f, not %.5f", what, bits, got,
                  want);
}

START_TEST(rule_of_lsq)
{
    static const struct {
        int bits;
        double s, rectified;
    } want[] = {
        { 2, 1.5958, .4607 }, { 3, .9213, .3016 }, { 4, .6031, .2060 }, { 8, .1416, .0500 }
    };
    real *x = gaussian(false), *half = gaussian(true);
    for (size_t i = 0; i < DT_ARRAY_LEN(want); i++) {
        int b = want[i].bits;
        check_near(dt_range_lsq(COUNT, x, (1 << (b - 1)) - 1), want[i].s, "signed", b);
        check_near(dt_range_lsq(COUNT, half, (1 << b) - 1), want[i].rectified, "unsigned", b);
    }
    dt_put(NULL, x);
    dt_put(NULL, half);
}
END_TEST

START_TEST(least_square_error)
{
    static const struct {
        int bits;
        double wide, narrow, rectified;
    } want[] = { { 2, 1.0480, 1.2244, .6509 },
                 { 3, .6014, .6509, .3535 },
                 { 4, .3384, .3535, .1937 },
                 { 8, .0307, .0309, .0165 } };
    real *x = gaussian(false), *half = gaussian(true);
    for (size_t i = 0; i < DT_ARRAY_LEN(want); i++) {
        int b = want[i].bits, most = (1 << (b - 1)) - 1;
        check_near(dt_range_mse(COUNT, x, -most - 1, most), want[i].wide, "signed", b);
        check_near(dt_range_mse(COUNT, x, -most, most), want[i].narrow, "narrow", b);
        check_near(dt_range_mse(COUNT, half, 0, (1 << b) - 1), want[i].rectified, "unsigned", b);
    }
    dt_put(NULL, x);
    dt_put(NULL, half);
}
END_TEST

/* A channels-last activation whose 16 channels differ in size by up to 16: the sample of a large
 * tensor must see every channel, so it agrees with the scale of the whole. */
START_TEST(sample_sees_every_channel)
{
    enum { CHANNELS = 16, LARGE = 32 * COUNT };
    real *x = gaussian(false), *large = dt_get_array(NULL, LARGE, sizeof *large, "test");
    real *small = dt_get_array(NULL, COUNT, sizeof *small, "test");
    ck_assert_ptr_nonnull(large);
    ck_assert_ptr_nonnull(small);
    for (int i = 0; i < LARGE; i++)
        large[i] = x[(int)((uint32_t)i * 2246822519u >> 16)] * (real)(1 + i % CHANNELS);
    for (int i = 0; i < COUNT; i++)
        small[i] = large[(int64_t)i * (LARGE / COUNT - 1)];
    double sampled = dt_range_mse(LARGE, large, -8, 7), whole = dt_range_mse(COUNT, small, -8, 7);
    ck_assert_msg(fabs(sampled / whole - 1) < 0.03, "%.5f, not %.5f", sampled, whole);
    dt_put(NULL, x);
    dt_put(NULL, large);
    dt_put(NULL, small);
}
END_TEST

START_TEST(nothing_is_clipped_by_minmax)
{
    const real x[] = { -3, 1, 2.5 }, zero[] = { 0, 0 };
    ck_assert_double_eq_tol(dt_range_minmax(3, x, -8, 7), 0.375, 1e-12);   /* -3 / -8 */
    ck_assert_double_eq_tol(dt_range_minmax(3, x, -4, 3), 2.5 / 3, 1e-12); /* the upper end */
    ck_assert_double_eq_tol(dt_range_minmax(3, x, 0, 10), 0.25, 1e-12);
    ck_assert_double_eq(dt_range_minmax(2, zero, -8, 7), 0);
    ck_assert_double_eq(dt_range_mse(2, zero, -8, 7), 0);
    ck_assert_double_eq(dt_range_lsq(2, zero, 7), 0);
    ck_assert_double_eq(dt_range_lsq(0, zero, 7), 0);
}
END_TEST

/* Scale (and offset) by a row of the table. */
static double by_rule(const char *name, dt_range_call call, double *offset)
{
    const dt_range *rule = (const dt_range *)(const void *)dt_table_find(&dt_ranges, name);
    dt_range_conf conf = { .percentile = 0.99, .momentum = 0.5, .norm = 2 };
    double scale;
    dt_error err;
    call.conf = &conf;
    ck_assert_ptr_nonnull(rule);
    ck_assert_msg(rule->fit(&call, &scale, offset, &err) == DT_OK, "%s", err.text);
    return scale;
}

START_TEST(rules_of_the_table)
{
    /* Samples (-1, 3) (-5, 1) (-3, 3): ema of 1/2 ends at -3, 2.5. */
    const real batch[] = { -1, 3, -5, 1, -3, 3 };
    const dt_range_call ends = {
        .n = 6, .sample = 2, .x = batch, .qmin = 0, .qmax = 10, .offset = true
    };
    double offset;
    ck_assert_double_eq_tol(by_rule("minmax", ends, &offset), .8, 1e-12);
    ck_assert_double_eq_tol(offset, -5, 1e-12);
    ck_assert_double_eq_tol(by_rule("ema", ends, &offset), .55, 1e-12);
    ck_assert_double_eq_tol(offset, -3, 1e-12);
    real *x = gaussian(false);
    const dt_range_call wide = { .n = COUNT, .sample = COUNT, .x = x, .qmin = -8, .qmax = 7 };
    /* 2.3263 is the .99 quantile of N(0,1). */
    ck_assert_double_eq_tol(by_rule("percentile", wide, &offset), 2.3263 / 7, 1e-3);
    check_near(by_rule("mse", wide, &offset), .3384, "mse", 4);
    check_near(by_rule("pnorm", wide, &offset), .3384, "pnorm 2", 4);
    ck_assert_double_eq_tol(by_rule("mse_grid", wide, &offset), .3384, .01);
    check_near(by_rule("lsq", wide, &offset), .6031, "lsq", 4);
    dt_put(NULL, x);
}
END_TEST

/* A Gaussian far from 0: both ends follow it, as on the symmetric grid whose middle is a level's
 * edge (16 levels, mid-rise: step .3352 of a unit Gaussian, Max 1960, IRE Trans. IT-6). */
START_TEST(both_ends_of_least_error)
{
    real *x = gaussian(false);
    for (int i = 0; i < COUNT; i++)
        x[i] += 5;
    const dt_range_call call = {
        .n = COUNT, .sample = COUNT, .x = x, .qmin = 0, .qmax = 15, .offset = true
    };
    double offset, scale = by_rule("mse", call, &offset);
    check_near(scale, .3352, "step", 4);
    ck_assert_double_eq_tol(offset + 7.5 * scale, 5, .05);
    dt_put(NULL, x);
}
END_TEST

START_TEST(what_has_no_extent_or_is_not_finite)
{
    static const char *const rules[] = { "minmax",   "ema",   "percentile", "mse",
                                         "mse_grid", "pnorm", "lsq" };
    const real zero[] = { 0, 0, 0, 0 }, bad[] = { 1, (real)NAN, 2, 0 };
    const dt_quant_site site = { .bits = 4, .count = 4, .features = 4, .groups = 1 };
    for (size_t i = 0; i < DT_ARRAY_LEN(rules); i++) {
        dt_range_conf conf = { .percentile = 1, .momentum = 1, .norm = 2 };
        dt_range_call call = { .conf = &conf, .x = zero, .qmin = 0, .qmax = 15 };
        double scale, offset;
        ck_assert_int_eq(dt_range_start(&call, rules[i], &site, &scale, &offset, NULL), DT_OK);
        ck_assert_double_eq(scale, 1);
        call.x = bad;
        ck_assert_msg(dt_range_start(&call, rules[i], &site, &scale, &offset, NULL) ==
                          DT_ERR_NUMERIC,
                      "%s", rules[i]);
    }
    dt_range_conf own = { .percentile = 1, .momentum = 1, .norm = 2 };
    dt_range_call call = { .conf = &own, .x = (const real[]){ 1, 2, 3, 4 }, .qmin = 0, .qmax = 15 };
    double scale, offset;
    ck_assert_int_eq(dt_range_start(&call, "lsqq", &site, &scale, &offset, NULL), DT_ERR_NOT_FOUND);
    dt_range_conf offset_by_lsq = { .rule = 7 };
    ck_assert_int_eq(dt_range_check(&offset_by_lsq, true, NULL), DT_ERR_ARG);
    ck_assert_int_eq(dt_range_check(&offset_by_lsq, false, NULL), DT_OK);
}
END_TEST

static double first_scale(int bits, bool is_signed, const real *x)
{
    const dt_quantizer *q = dt_quantizer_of(dt_table_find(&dt_quantizers, "lsq"));
    unsigned char options[256];
    real params[DT_QUANT_MAX_PARAMS] = { 0 };
    ck_assert_uint_le(q->row.conf_size, sizeof options);
    dt_opt_defaults(q->row.opts, options);
    const dt_quant_site site = {
        .bits = bits, .is_signed = is_signed, .groups = 1, .count = COUNT, .features = COUNT
    };
    ck_assert_int_eq(q->init(options, &site, x, params, NULL), DT_OK);
    return (double)params[0];
}

START_TEST(lsq_starts_by_its_rule_and_at_8_bits_by_error)
{
    real *x = gaussian(false), *half = gaussian(true);
    check_near(first_scale(4, true, x), .6031, "lsq", 4);
    check_near(first_scale(2, false, half), .4607, "lsq", 2);
    check_near(first_scale(8, true, x), .0307, "lsq", 8);
    check_near(first_scale(8, false, half), .0165, "lsq", 8);
    dt_put(NULL, x);
    dt_put(NULL, half);
}
END_TEST

DT_TEST_MAIN("range", rules_of_the_table, both_ends_of_least_error,
             what_has_no_extent_or_is_not_finite, rule_of_lsq, least_square_error,
             sample_sees_every_channel, nothing_is_clipped_by_minmax,
             lsq_starts_by_its_rule_and_at_8_bits_by_error)
