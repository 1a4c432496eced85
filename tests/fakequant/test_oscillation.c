/* Why weights oscillate (Nagel 2022, arXiv:2203.11086, section 2): one weight, loss (q - w*)^2 / 2,
 * gradient descent through the straight-through estimator. Its quantized value jumps between the
 * two levels around w* for ever; on average it is w*, and it turns at 2 d / s of the steps, d being
 * the distance of w* from its nearest level. Factors on the gradient (EWGS, soft staircases) keep
 * its sign, so they do not stop it. Through the fakequant op with LSQ at a fixed step. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "fakequant/quantizers.h"
#include "tests/property/fq_call.h"

enum { STEPS = 20000, BURN_IN = 2000 };

typedef struct outcome {
    double mean, turns, changes; /* of q; shares of the steps */
} outcome;

static outcome descend(dt_ste ste, double target, double scale, bool damped)
{
    unsigned char options[256];
    const dt_quantizer *q = dt_quantizer_of(dt_table_find(&dt_quantizers, "lsq"));
    real w = (real)(target + 0.13 * scale), y, g = 0, dw, s = (real)scale;
    dt_opt_defaults(q->row.opts, options);
    const fq_call c = {
        .conf = { .quantizer = q,
                  .options = options,
                  .site = { .bits = 4, .is_signed = true, .weight = true, .groups = 1 },
                  .ste = ste },
        .shape = DT_SHAPE(1, 1),
        .x = &w,
        .dy = &g,
        .params = { &s, &s },
        .y = &y,
        .dx = &dw
    };
    fq_call forward = c;
    forward.dy = NULL;
    outcome o = { 0, 0, 0 };
    double before = 0, direction = 0;
    for (int i = 0; i < STEPS; i++) {
        fq_run(&forward, 1);
        if (i > BURN_IN && y != (real)before) {
            double now = (double)y > before ? 1 : -1;
            o.changes += 1. / (STEPS - BURN_IN);
            o.turns += now == -direction ? 1. / (STEPS - BURN_IN) : 0;
            direction = now;
        }
        before = (double)y;
        if (i >= BURN_IN) o.mean += before / (STEPS - BURN_IN);
        g = (real)(before - target);
        fq_run(&c, 1);
        /* 0.0123: a step that shares no factor with the distances below */
        w -= (real)(0.0123 * scale) * (dw / s + (damped ? 2 * (w - y) / s : 0));
    }
    return o;
}

START_TEST(mean_and_frequency_of_the_plain_estimator)
{
    static const double distance[] = { .1, .2, .3, .5 }, scales[] = { 1, .25 };
    for (size_t k = 0; k < DT_ARRAY_LEN(scales); k++)
        for (size_t i = 0; i < DT_ARRAY_LEN(distance); i++) {
            double s = scales[k], target = (2 + distance[i]) * s;
            outcome o = descend((dt_ste){ DT_STE_OWN }, target, s, false);
            ck_assert_msg(fabs(o.mean / target - 1) < .01, "mean %g, not %g", o.mean, target);
            ck_assert_msg(fabs(o.turns / (2 * distance[i]) - 1) < .01, "frequency %g, not %g",
                          o.turns, 2 * distance[i]);
        }
}
END_TEST

START_TEST(factors_on_the_gradient_do_not_stop_it)
{
    static const dt_ste kinds[] = { { DT_STE_EWGS, .2 },
                                    { DT_STE_TANH, .2 },
                                    { DT_STE_SIGMOID, 6 } };
    for (size_t i = 0; i < DT_ARRAY_LEN(kinds); i++) {
        outcome o = descend(kinds[i], 2.3, 1, false);
        ck_assert_msg(o.turns > .1, "kind %d turns at %g", kinds[i].kind, o.turns);
        ck_assert_msg(fabs(o.mean / 2.3 - 1) < .05, "kind %d: mean %g", kinds[i].kind, o.mean);
    }
}
END_TEST

/* An additive pull to the level does: with 2 (w - q) beside the gradient the weight comes to rest
 * where 2 (q - w) = q - w*, that is at q + (w* - q) / 2, inside its level. */
START_TEST(a_pull_to_the_level_stops_it)
{
    outcome o = descend((dt_ste){ DT_STE_OWN }, 2.3, 1, true);
    ck_assert_double_eq(o.changes, 0);
    ck_assert_double_eq_tol(o.mean, 2, 1e-9);
}
END_TEST

DT_TEST_MAIN("oscillation", mean_and_frequency_of_the_plain_estimator,
             factors_on_the_gradient_do_not_stop_it, a_pull_to_the_level_stops_it)
