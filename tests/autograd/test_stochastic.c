/* Rounding at random: unbiased, to the two levels beside a value, the same for any number of
 * threads; its gradient is that of LSQ with the codes that were drawn; evaluation rounds to
 * nearest. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/stochastic.h"

#include <math.h>
#include <string.h>

#include "autograd/quantizer.h"
#include "core/rng.h"
#include "fakequant/quantizers.h"
#include "kernels/kernels.h"
#include "tests/support/run.h"

enum { N = 70001 };

static real x[N], y[N], again[N], g[N], dx[N];
static unsigned char options[512], work[1 << 16];
static dt_kernels kernels;
static real scale = (real)0.5, start = (real)0.5, d_scale;
static dt_fakequant_conf conf;
static const dt_shape shape = { 1, { N } }, one = { 1, { 1 } };
static dt_shape in_shape[3];

static dt_op_run run(dt_mode mode, int threads, int64_t step, real *to)
{
    const dt_quantizer *q = dt_quantizer_of(dt_table_find(&dt_quantizers, "lsq"));
    ck_assert_int_eq(dt_kernels_init(&kernels, test_isa, NULL), DT_OK);
    dt_opt_defaults(q->row.opts, options);
    conf =
        (dt_fakequant_conf){ .quantizer = q,
                             .options = options,
                             .site = { .bits = 3, .is_signed = true, .weight = true, .groups = 1 },
                             .ste = { DT_STE_STOCHASTIC, 0 } };
    in_shape[0] = shape;
    in_shape[1] = in_shape[2] = one;
    return (dt_op_run){ .conf = &conf,
                        .mode = mode,
                        .threads = threads,
                        .kernels = &kernels,
                        .in_shape = in_shape,
                        .out_shape = &shape,
                        .seed = 3,
                        .step = step,
                        .stream = 4,
                        .in = { x, &scale, &start },
                        .out = { to },
                        .d_out = { g },
                        .d_in = { dx, &d_scale },
                        .work = work };
}

static void encode(dt_mode mode, int threads, int64_t step, real *to)
{
    dt_op_run r = run(mode, threads, step, to);
    dt_op_find("fakequant")->forward(&r);
}

static void draw(void)
{
    dt_rng rng;
    dt_rng_open(&rng, 1, DT_RNG_TEST, 0, 0);
    for (int i = 0; i < N; i++) {
        x[i] = (real)(1.2 * dt_rng_normal(&rng));
        g[i] = (real)dt_rng_normal(&rng);
    }
}

START_TEST(codes_are_beside_the_value_and_unbiased)
{
    enum { STEPS = 400 };
    static double mean[1000];
    draw();
    for (int step = 0; step < STEPS; step++) {
        encode(DT_MODE_TRAIN, 2, step, y);
        for (int i = 0; i < 1000; i++) {
            double u = fmin(fmax((double)x[i] / .5, -4), 3), q = (double)y[i] / .5;
            ck_assert_msg(q == rint(q) && fabs(q - u) < 1 && q >= -4 && q <= 3, "%g for %g", q, u);
            mean[i] += q / STEPS;
        }
    }
    double all = 0;
    for (int i = 0; i < 1000; i++) { /* deviation of a mean: at most .5 / sqrt(STEPS) = .025 */
        double u = fmin(fmax((double)x[i] / .5, -4), 3);
        ck_assert_msg(fabs(mean[i] - u) < .125, "mean %g of %g", mean[i], u);
        all += (mean[i] - u) / 1000;
    }
    ck_assert_double_lt(fabs(all), .004);
}
END_TEST

START_TEST(threads_steps_and_evaluation)
{
    draw();
    encode(DT_MODE_TRAIN, 1, 7, y);
    for (int threads = 2; threads < 5; threads++) {
        encode(DT_MODE_TRAIN, threads, 7, again);
        ck_assert_mem_eq(y, again, sizeof y);
    }
    encode(DT_MODE_TRAIN, 2, 8, again);
    ck_assert(memcmp(y, again, sizeof y) != 0);
    encode(DT_MODE_EVAL, 2, 8, again);
    for (int i = 0; i < N; i++)
        ck_assert_double_eq((double)again[i], .5 * fmin(fmax(rint((double)x[i] / .5), -4), 3));
}
END_TEST

START_TEST(gradients_know_the_codes_that_were_drawn)
{
    double want = 0;
    draw();
    encode(DT_MODE_TRAIN, 2, 7, y);
    dt_op_run r = run(DT_MODE_TRAIN, 3, 7, y);
    dt_op_find("fakequant")->backward(&r);
    for (int i = 0; i < N; i++) {
        double u = (double)x[i] / .5, q = (double)y[i] / .5;
        bool inside = u > -4 && u < 3;
        ck_assert_double_eq((double)dx[i], inside ? (double)g[i] : 0);
        want += (double)g[i] * (inside ? q - u : q);
    }
    ck_assert_double_eq_tol((double)d_scale, want / sqrt(N * 3.), 1e-4 * fabs(want / sqrt(N * 3.)));
}
END_TEST

DT_TEST_MAIN("stochastic", codes_are_beside_the_value_and_unbiased,
             gradients_know_the_codes_that_were_drawn, threads_steps_and_evaluation)
