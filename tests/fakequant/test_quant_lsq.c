/* LSQ beyond its examples: where its gradient leads, and what happens to a scale that vanishes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "core/rng.h"
#include "fakequant/quantizers.h"
#include "tests/support/run.h"

enum { N = 200000, SCALE = 0, START = 1 };
static real x[N], y[N], g[N], dx[N];

typedef struct step {
    const dt_quantizer *q;
    dt_quant_site site;
    unsigned char options[256];
    real params[DT_QUANT_MAX_PARAMS], grads[DT_QUANT_MAX_PARAMS];
} step;

static step lsq(int bits, bool is_signed)
{
    step s = { .q = dt_quantizer_of(dt_table_find(&dt_quantizers, "lsq")) };
    s.site = (dt_quant_site){
        .bits = bits, .is_signed = is_signed, .groups = 1, .count = N, .features = N, .weight = true
    };
    dt_opt_defaults(s.q->row.opts, s.options);
    return s;
}

/* Forward, loss = mean (y - x)^2, gradient of the scale; returns the loss. */
static double square_error(step *s)
{
    static dt_encode_sums work[N / DT_POINT_CHUNK + 1];
    dt_point_kernels k;
    dt_encode e = { .scale = 1 };
    dt_encode_sums sums;
    double loss = 0;
    dt_point_scalar(&k);
    s->q->plan(s->options, &s->site, s->params, NULL, &e);
    k.encode(1, N, x, &e, y);
    for (int i = 0; i < N; i++) {
        double d = (double)y[i] - (double)x[i];
        loss += d * d / N;
        g[i] = (real)(2 * d / N);
    }
    k.encode_back(1, N, x, g, &e, dx, false, work, &sums);
    s->q->param_grad(s->options, &s->site, s->params, &e, &sums, s->grads);
    return loss;
}

/* Stationary points of the straight-through gradient on a unit Gaussian, by numeric integration. */
START_TEST(square_error_leads_to_the_known_scale)
{
    static const struct {
        int bits;
        double scale;
    } want[] = { { 2, 1.098 }, { 3, 0.6109 }, { 4, 0.3402 } };
    dt_rng rng;
    dt_rng_open(&rng, 1, DT_RNG_TEST, 0, 0);
    for (int i = 0; i < N; i++)
        x[i] = (real)dt_rng_normal(&rng);
    for (size_t c = 0; c < DT_ARRAY_LEN(want); c++) {
        step s = lsq(want[c].bits, true);
        ck_assert_int_eq(
            dt_opt_set(dt_opt_find(s.q->row.opts, "grad_scale"), s.options, "none", NULL, NULL),
            DT_OK);
        ck_assert_int_eq(s.q->init(s.options, &s.site, x, s.params, NULL), DT_OK);
        for (int i = 0; i < 150; i++) {
            square_error(&s);
            s.params[SCALE] -= (real)0.2 * s.grads[SCALE];
        }
        ck_assert_msg(fabs((double)s.params[SCALE] / want[c].scale - 1) < 0.01,
                      "%d bits: %g, not %g", want[c].bits, (double)s.params[SCALE], want[c].scale);
    }
}
END_TEST

START_TEST(a_vanishing_or_negative_scale_stays_finite)
{
    static const real scales[] = { 1e-3f, 1e-20f, 0, -1, -1e30f };
    for (size_t i = 0; i < DT_ARRAY_LEN(scales); i++) {
        step s = lsq(4, i % 2);
        s.params[START] = 1;
        s.params[SCALE] = scales[i];
        ck_assert(isfinite(square_error(&s)));
        ck_assert(isfinite((double)s.grads[SCALE]));
        dt_encode e = { .scale = 1 };
        s.q->plan(s.options, &s.site, s.params, NULL, &e);
        ck_assert(e.scale > 0);
    }
}
END_TEST

DT_TEST_MAIN("quant_lsq", square_error_leads_to_the_known_scale,
             a_vanishing_or_negative_scale_stays_finite)
