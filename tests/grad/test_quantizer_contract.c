/* The contract carries what the table does not use yet: thresholds, and transforms with statistics.
 * Three quantizers of this file go through the fakequant op: powers of two as in APoT (Li, Dong,
 * Wang 2020, arXiv:1909.13144), tanh over its largest value as in DoReFa (Zhou 2016,
 * arXiv:1606.06160), and rows without their means. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "fakequant/quantizers.h"
#include "tests/property/fq_call.h"
#include "tests/support/gradcheck.h"

enum { ROWS = 3, COLS = 40, COUNT = ROWS * COLS };

static const dt_quant_param scale_param[] = { { "scale", true } };

/* ---- levels 0 1 2 4, with a sign below ---- */

static void apot_plan(const void *conf, const dt_quant_site *site, const real *p, const real *stats,
                      dt_encode *out)
{
    static const real level[] = { -4, -2, -1, 0, 1, 2, 4 };
    static const real threshold[] = { -3, -1.5, -.5, .5, 1.5, 3 };
    (void)conf;
    (void)stats;
    int first = site->is_signed ? 0 : 3;
    out->scale = p[0];
    out->thresholds = 6 - first;
    out->threshold = threshold + first;
    out->level = level + first;
    out->qmin = level[first];
    out->qmax = 4;
}

static void scale_grad(const void *conf, const dt_quant_site *site, const real *p,
                       const dt_encode *e, const dt_encode_sums *sums, real *grads)
{
    (void)conf;
    (void)site;
    (void)p;
    grads[0] = sums->residual + sums->below * e->qmin + sums->above * e->qmax;
}

static const dt_quantizer apot = { .row = { .name = "apot" },
                                   .min_bits = 2,
                                   .max_bits = 3,
                                   .params = scale_param,
                                   .param_count = 1,
                                   .plan = apot_plan,
                                   .param_grad = scale_grad };

/* ---- t = tanh(x) / max |tanh| over the whole tensor, then an even grid on [-1, 1] ---- */

static void tanh_transform(const void *conf, const dt_quant_site *site, const real *x, real *t,
                           real *stats)
{
    (void)conf;
    double most = 0;
    int64_t n = site->groups * site->count;
    for (int64_t i = 0; i < n; i++)
        most = fmax(most, fabs(tanh(x[i])));
    for (int64_t i = 0; i < n; i++)
        t[i] = tanh(x[i]) / most;
    for (int64_t k = 0; k < site->groups; k++)
        stats[k] = most;
}

static void tanh_back(const void *conf, const dt_quant_site *site, const real *x, const real *t,
                      const real *stats, const real *dt, real *dx)
{
    (void)conf;
    double sum = 0, most = stats[0];
    int64_t n = site->groups * site->count;
    for (int64_t i = 0; i < n; i++)
        sum += dt[i] * t[i];
    for (int64_t i = 0; i < n; i++) {
        double slope = 1 - tanh(x[i]) * tanh(x[i]), largest = fabs(t[i]) == 1 ? t[i] * sum : 0;
        dx[i] = slope / most * (dt[i] - largest);
    }
}

static void tanh_plan(const void *conf, const dt_quant_site *site, const real *p, const real *stats,
                      dt_encode *out)
{
    (void)conf;
    (void)p;
    ck_assert_double_gt(stats[0], 0);
    out->qmax = (1 << site->bits) - 1;
    out->scale = 2 / out->qmax;
    out->offset = -1;
    out->plain = true;
}

static const dt_quantizer dorefa = { .row = { .name = "dorefa" },
                                     .min_bits = 2,
                                     .max_bits = 8,
                                     .stat_count = 1,
                                     .transform = tanh_transform,
                                     .transform_back = tanh_back,
                                     .plan = tanh_plan };

/* ---- rows without their means; statistics: mean, and mean distance from it ---- */

static void center_transform(const void *conf, const dt_quant_site *site, const real *x, real *t,
                             real *stats)
{
    (void)conf;
    for (int64_t k = 0; k < site->groups; k++) {
        const real *row = x + k * site->count;
        double mean = 0, spread = 0;
        for (int64_t i = 0; i < site->count; i++)
            mean += row[i] / (double)site->count;
        for (int64_t i = 0; i < site->count; i++) {
            t[k * site->count + i] = row[i] - mean;
            spread += fabs(row[i] - mean) / (double)site->count;
        }
        stats[2 * k] = mean;
        stats[2 * k + 1] = spread;
    }
}

static void center_back(const void *conf, const dt_quant_site *site, const real *x, const real *t,
                        const real *stats, const real *dt, real *dx)
{
    (void)conf;
    (void)x;
    (void)t;
    (void)stats;
    for (int64_t k = 0; k < site->groups; k++) {
        double mean = 0;
        for (int64_t i = 0; i < site->count; i++)
            mean += dt[k * site->count + i] / (double)site->count;
        for (int64_t i = 0; i < site->count; i++)
            dx[k * site->count + i] = dt[k * site->count + i] - mean;
    }
}

static void center_plan(const void *conf, const dt_quant_site *site, const real *p,
                        const real *stats, dt_encode *out)
{
    (void)conf;
    (void)stats;
    out->scale = p[0];
    out->qmin = -(1 << (site->bits - 1));
    out->qmax = -out->qmin - 1;
}

static const dt_quantizer centered = { .row = { .name = "centered" },
                                       .min_bits = 2,
                                       .max_bits = 8,
                                       .params = scale_param,
                                       .param_count = 1,
                                       .stat_count = 2,
                                       .transform = center_transform,
                                       .transform_back = center_back,
                                       .plan = center_plan,
                                       .param_grad = scale_grad };

/* The scale is a statistic that gets no gradient, as in StatsQ (Liu 2023, arXiv:2302.02210). */
static void statistic_plan(const void *conf, const dt_quant_site *site, const real *p,
                           const real *stats, dt_encode *out)
{
    const real scale = stats[1];
    (void)p;
    center_plan(conf, site, &scale, stats, out);
}

static const dt_quantizer statistic = { .row = { .name = "statistic" },
                                        .min_bits = 2,
                                        .max_bits = 8,
                                        .stat_count = 2,
                                        .transform = center_transform,
                                        .transform_back = center_back,
                                        .plan = statistic_plan };

static void draw(real *x, int64_t n, bool is_signed)
{
    dt_rng rng;
    dt_rng_open(&rng, 21, DT_RNG_TEST, 0, 0);
    for (int64_t i = 0; i < n; i++) {
        x[i] = dt_rng_normal(&rng);
        if (!is_signed) x[i] = fabs(x[i]);
    }
}

static void check(const dt_quantizer *q, int bits, bool is_signed, int64_t groups)
{
    real x[COUNT], scale[ROWS] = { .31, .24, .4 };
    dt_fakequant_conf conf = {
        .quantizer = q,
        .site = { .bits = bits, .is_signed = is_signed, .weight = true, .groups = groups }
    };
    gradcheck g = { .op = dt_op_find("fakequant"),
                    .conf = &conf,
                    .threads = 2,
                    .in_count = 1 + q->param_count,
                    .in_shape = { DT_SHAPE(ROWS, COLS), DT_SHAPE(groups) },
                    .in = { x, scale } };
    g.out_shape[0] = g.in_shape[0];
    draw(x, COUNT, is_signed);
    ck_assert(gradcheck_run(&g));
    ck_assert_msg(g.worst < 1e-6, "%s, %lld groups: %s", q->row.name, (long long)groups,
                  g.worst_at);
    ck_assert_int_gt(g.checked, 3 * g.skipped);
}

START_TEST(gradients_of_thresholds)
{
    check(&apot, 3, true, 1);
    check(&apot, 3, true, ROWS);
    check(&apot, 2, false, 1);
}
END_TEST

START_TEST(gradients_through_transforms)
{
    check(&dorefa, 4, true, 1);
    check(&dorefa, 2, true, ROWS);
    check(&centered, 3, true, 1);
    check(&centered, 3, true, ROWS);
}
END_TEST

START_TEST(values_of_thresholds)
{
    /* Ties go to the lower level, and 4 is as far as it goes. */
    const real x[] = { -9, 0, .25, .26, .75, 1, 1.5, 1.51, 7 };
    const double want[] = { 0, 0, 0, .5, .5, 1, 1, 2, 2 };
    real y[9], scale = .5;
    const fq_call c = { .conf = { &apot, NULL, { .bits = 2, .groups = 1 } },
                        .shape = DT_SHAPE(1, 9),
                        .x = x,
                        .params = { &scale },
                        .y = y };
    fq_run(&c, 1);
    for (int i = 0; i < 9; i++)
        ck_assert_double_eq(y[i], want[i]);
}
END_TEST

START_TEST(values_of_a_whole_tensor_statistic)
{
    /* tanh(x) / tanh(2) is 1, -.79, .48; on the grid -1, -1/3, 1/3, 1 of 2 bits. */
    const real x[] = { 2, -1, .5 };
    const double want[] = { 1, -1, 1. / 3 };
    real y[3];
    const fq_call c = { .conf = { &dorefa, NULL, { .bits = 2, .weight = true, .groups = 3 } },
                        .shape = DT_SHAPE(3, 1),
                        .x = x,
                        .y = y };
    fq_run(&c, 1);
    for (int i = 0; i < 3; i++)
        ck_assert_double_eq_tol(y[i], want[i], 1e-12);
}
END_TEST

START_TEST(each_row_has_its_own_statistics)
{
    /* Means 1 and 10, mean distances 1 and 4: the scales. The second row saturates at 1 of 2 bits:
     * its elements 2 and 18 lie at u = -2 and 2. */
    const real x[] = { 0, 2, 0, 2, 2, 10, 18, 10 }, dy[] = { 1, 0, 0, 0, 0, 1, 0, 0 };
    const double want_y[] = { -1, 1, -1, 1, -8, 0, 4, 0 };
    const double want_dx[] = { .75, -.25, -.25, -.25, -.25, .75, -.25, -.25 };
    real y[8], dx[8];
    const fq_call c = {
        .conf = { &statistic, NULL, { .bits = 2, .is_signed = true, .weight = true, .groups = 2 } },
        .shape = DT_SHAPE(2, 4),
        .x = x,
        .dy = dy,
        .y = y,
        .dx = dx
    };
    fq_run(&c, 2);
    for (int i = 0; i < 8; i++) {
        ck_assert_double_eq_tol(y[i], want_y[i], 1e-12);
        ck_assert_double_eq_tol(dx[i], want_dx[i], 1e-12);
    }
}
END_TEST

/* dx and the gradient of the scale of LSQ, codes 0..3 of step s, for one element. `strength`: as an
 * input; NULL: as ste says. */
static real lsq_gradient_of(dt_ste ste, real *strength, real x, real s, real g, real *ds)
{
    unsigned char options[256];
    const dt_quantizer *q = dt_quantizer_of(dt_table_find(&dt_quantizers, "lsq"));
    real start = s, y, dx;
    ck_assert_uint_le(q->row.conf_size, sizeof options);
    dt_opt_defaults(q->row.opts, options);
    ck_assert_int_eq(
        dt_opt_set(dt_opt_find(q->row.opts, "grad_scale"), options, "none", NULL, NULL), DT_OK);
    const fq_call c = {
        .conf = { .quantizer = q,
                  .options = options,
                  .site = { .bits = 2, .groups = 1 },
                  .ste = ste,
                  .strength_in = strength != NULL },
        .shape = DT_SHAPE(1, 1),
        .x = &x,
        .dy = &g,
        .params = { &s, &start, strength },
        .y = &y,
        .dx = &dx,
        .d_params = { ds },
    };
    ck_assert_int_eq(dt_ste_check(&c.conf, NULL), DT_OK);
    fq_run(&c, 1);
    return dx;
}

static real lsq_gradient(dt_ste ste, real x, real s, real g, real *ds)
{
    return lsq_gradient_of(ste, NULL, x, s, g, ds);
}

/* x = .3 of a range of 1: u = .9, q = 1, q_n = 1/3. */
START_TEST(gradients_of_rounding)
{
    real ds, s = 1. / 3;
    ck_assert_double_eq_tol(lsq_gradient((dt_ste){ DT_STE_OWN }, .3, s, 2, &ds), 2, 1e-12);
    ck_assert_double_eq_tol(ds, 2 * .1, 1e-12);
    /* EWGS, delta .2: 2 (1 + .2 (.3 - 1/3)); what rounding keeps from x goes through s as q - h u
     */
    double h = 2 * (1 - .2 / 30);
    ck_assert_double_eq_tol(lsq_gradient((dt_ste){ DT_STE_EWGS, .2 }, .3, s, 2, &ds), h, 1e-12);
    ck_assert_double_eq_tol(ds, 2 - h * .9, 1e-12);
    h = -2 * (1 + .2 / 30);
    ck_assert_double_eq_tol(lsq_gradient((dt_ste){ DT_STE_EWGS, .2 }, .3, s, -2, &ds), h, 1e-12);
    real strength = .2; /* as an input, whatever the configuration says */
    ck_assert_double_eq_tol(lsq_gradient_of((dt_ste){ DT_STE_EWGS, .7 }, &strength, .3, s, -2, &ds),
                            h, 1e-12);
    ck_assert_double_eq_tol(ds, -2 - h * .9, 1e-12);
    ck_assert_double_eq_tol(lsq_gradient((dt_ste){ DT_STE_CLIPPED }, 1.2, s, 2, &ds), 0, 1e-12);
    ck_assert_double_eq_tol(lsq_gradient((dt_ste){ DT_STE_PLAIN }, 1.2, s, 2, &ds), 2, 1e-12);
    ck_assert_double_eq_tol(ds, 2 * 3, 1e-12);
}
END_TEST

/* Quantizers whose gradient passes outside too: what lies outside is told by `clipped`, and keeps
 * its gradient under the others. */
START_TEST(ranges_of_plain_gradients)
{
    enum { N = 6 };
    static const struct {
        const char *method;
        int bits;
        real x[N];
        int outside; /* the last ones */
    } cases[] = {
        { "statsq", 2, { -.6, -.3, -.05, .05, .7, 1 }, 1 }, /* s = .9 */
        { "maxabs", 3, { -1.4, -.8, .2, .3, .9, 1.5 }, 0 },
    };
    static const dt_ste kinds[] = { { DT_STE_CLIPPED }, { DT_STE_EWGS, .5 }, { DT_STE_TANH, .4 } };
    for (size_t k = 0; k < DT_ARRAY_LEN(cases) * DT_ARRAY_LEN(kinds); k++) {
        const dt_ste ste = kinds[k / DT_ARRAY_LEN(cases)];
        const int at = (int)(k % DT_ARRAY_LEN(cases));
        unsigned char options[256];
        const dt_quantizer *q = dt_quantizer_of(dt_table_find(&dt_quantizers, cases[at].method));
        real x[N], y[N], dx[N];
        static const real dy[N] = { 2, 2, 2, 2, 2, 2 };
        memcpy(x, cases[at].x, sizeof x);
        dt_opt_defaults(q->row.opts, options);
        const fq_call c = {
            .conf = { .quantizer = q,
                      .options = options,
                      .site = { .bits = cases[at].bits,
                                .is_signed = true,
                                .weight = true,
                                .groups = 1 },
                      .ste = ste },
            .shape = DT_SHAPE(1, N),
            .x = x,
            .dy = dy,
            .y = y,
            .dx = dx,
        };
        fq_run(&c, 1);
        for (int i = 0; i < N; i++) {
            bool outside = i >= N - cases[at].outside, clipped = ste.kind == DT_STE_CLIPPED;
            if (outside || clipped)
                ck_assert_msg(dx[i] == (outside && clipped ? 0 : 2), "%s, ste %d: dx %d is %g",
                              cases[at].method, (int)ste.kind, i, (double)dx[i]);
            else
                ck_assert(dx[i] > 0 && (dx[i] != 2 || y[i] == x[i]));
        }
    }
}
END_TEST

START_TEST(soft_staircases)
{
    static const double table[][4] = { /* alpha, k, slope where rounding turns, on a code */
                                       { .4, 1.3863, 1.1552, .7394 },
                                       { .2, 2.1972, 1.3733, .4944 },
                                       { .1, 2.9444, 1.6358, .3108 }
    };
    real ds;
    for (size_t i = 0; i < DT_ARRAY_LEN(table); i++) {
        const dt_ste ste = { DT_STE_TANH, table[i][0] };
        const dt_ste sigmoid = { DT_STE_SIGMOID, 2 * log(2 / table[i][0] - 1) };
        ck_assert_double_eq_tol(lsq_gradient(ste, 1.5, 1, 1, &ds), table[i][2], 6e-5);
        ck_assert_double_eq_tol(lsq_gradient(ste, 1 + 1e-9, 1, 1, &ds), table[i][3], 6e-5);
        double mean = 0;
        for (int k = 0; k < 500; k++) {
            real x = 1 + (k + .5) / 500, slope = lsq_gradient(ste, x, 1, 1, &ds);
            mean += slope / 500;
            ck_assert_double_eq_tol(ds, rint(x) - slope * x, 1e-9);
            ck_assert_double_eq_tol(lsq_gradient(sigmoid, x, 1, 1, &ds), slope, 1e-7);
        }
        ck_assert_double_eq_tol(mean, 1, 1e-5);
    }
    ck_assert_double_eq_tol(lsq_gradient((dt_ste){ DT_STE_TANH, .999 }, 1.2, 1, 1, &ds), 1, 1e-3);
}
END_TEST

DT_TEST_MAIN("quantizer_contract", gradients_of_rounding, ranges_of_plain_gradients,
             soft_staircases, gradients_of_thresholds, gradients_through_transforms,
             values_of_thresholds, values_of_a_whole_tensor_statistic,
             each_row_has_its_own_statistics)
