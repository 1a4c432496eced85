/* The rows of dynamics on weights that oscillate, and their mechanism. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>

#include "dynamics/oscillation.h"
#include "optim/optimizer.h"
#include "tests/dynamics/toy.h"

static const double distances[] = { .1, .2, .3, .5 };

static const char *const methods[] = { "lsq", "lsq folded" };

static void open_with(toy *t, const char *method, const char *rows, int64_t steps)
{
    dt_error err = { .status = DT_OK };
    ck_assert_msg(toy_open(t, rows, 4, method, steps, &err) == DT_OK, "%s", err.text);
    for (int i = 0; i < TOY_WEIGHTS; i++)
        t->target[i] = (real)(2 + distances[i % 4]);
}

static void open_toy(toy *t, const char *rows, int64_t steps)
{
    open_with(t, "lsq", rows, steps);
}

typedef struct told {
    double oscillating, flip_rate, near, bins;
} told;

static void listen(void *arg, const char *row, const char *layer, const dt_dynamics_number *n,
                   int count)
{
    told *t = arg;
    if (strcmp(row, "oscillation") != 0) return;
    if (layer && count == 3) t->near = n[2].value[0];
    for (int i = 0; layer && count == 3 && i < DT_DYNAMICS_BINS; i++)
        t->bins += n[2].value[i];
    if (layer) return;
    t->flip_rate = n[0].value[0];
    t->oscillating = n[1].value[0];
}

/* Reversals at 2 d / s, d being the distance of w* from its nearest level, and codes whose mean
 * over time is w*. */
static void tell_the_frequency(const char *method)
{
    toy t;
    double mean[4] = { 0 };
    enum { STEPS = 40000, SETTLED = 5000 };
    open_with(&t, method, "oscillation momentum=0.0005", STEPS);
    for (int i = 0; i < STEPS; i++) {
        toy_step(&t, (real)0.0123, 0);
        for (int k = 0; k < 4 && i >= SETTLED; k++)
            mean[k] += (double)t.q[k] / (STEPS - SETTLED);
    }
    const dt_oscillation *o = dt_dynamics_find(&t.dynamics, "oscillation");
    for (int i = 0; i < 4; i++)
        ck_assert_msg(fabs(mean[i] - 2 - distances[i]) < .01 * distances[i],
                      "mean code %g, not 2 + %g", mean[i], distances[i]);
    for (int i = 0; i < 4; i++)
        ck_assert_msg(fabs((double)o->flips[0][i] / (2 * distances[i]) - 1) < .01,
                      "frequency %g, not %g", (double)o->flips[0][i], 2 * distances[i]);
    told s = { 0 };
    dt_dynamics_report(&t.dynamics, listen, &s);
    ck_assert_double_eq(s.oscillating, 1);
    ck_assert_double_eq_tol(s.flip_rate, 2 * (.1 + .2 + .3 + .5) / 4, .02);
    ck_assert_double_eq_tol(s.bins, 1, 1e-9);
    ck_assert_double_eq(s.near, 1); /* all weights sit at the threshold */
    char text[64];
    dt_dynamics_progress(&t.dynamics, text, sizeof text);
    ck_assert_msg(strncmp(text, "  flips ", 8) == 0 && strstr(text, "% osc 100.00%"), "%s", text);
    toy_close(&t);
}

START_TEST(tracker_tells_the_frequency)
{
    for (size_t i = 0; i < DT_ARRAY_LEN(methods); i++)
        tell_the_frequency(methods[i]);
}
END_TEST

START_TEST(weights_of_more_bits_are_not_tracked)
{
    toy t;
    dt_error err = { .status = DT_OK };
    ck_assert_int_eq(toy_open(&t, "oscillation max_bits=3", 4, "lsq", 10, &err), DT_ERR_NOT_FOUND);
    ck_assert_msg(strstr(err.text, "dynamics.oscillation: no weights of up to 3 bits") != NULL,
                  "%s", err.text);
    toy_close(&t);
}
END_TEST

START_TEST(no_rows_do_nothing)
{
    toy t;
    char text[8] = "x";
    open_toy(&t, "", 10);
    toy_step(&t, (real)0.1, 0);
    ck_assert_int_eq(dt_dynamics_before_eval(&t.dynamics, true, NULL), DT_OK);
    dt_dynamics_after_eval(&t.dynamics);
    dt_dynamics_progress(&t.dynamics, text, sizeof text);
    ck_assert_str_eq(text, "");
    ck_assert_int_eq(t.dynamics.tensor_count, 0);
    toy_close(&t);
}
END_TEST

START_TEST(every_row_has_a_name_and_a_help)
{
    for (const dt_row *const *row = dt_dynamics_rows.rows; *row; row++) {
        const dt_dynamics_row *d = dt_dynamics_row_of(*row);
        ck_assert(d->row.name[0] && d->row.help[0]);
        if (d->needs) ck_assert_ptr_nonnull(dt_table_find(&dt_dynamics_rows, d->needs));
        ck_assert(!d->needs == !d->why);
    }
}
END_TEST

/* The pull of the penalty alone: x, the weight times the factor c of a folded batch norm, comes
 * nearer its level by 1 - 2 lr lambda c c / M, M = 16. */
static void contract(const char *method)
{
    toy t;
    open_with(&t, method, "dampening begin=0 lambda_start=0.5 lambda=0.5", 1000000);
    real *w = t.state.data[t.w];
    double before[TOY_WEIGHTS];
    for (int i = 0; i < TOY_WEIGHTS; i++) {
        t.target[i] = 2; /* q is 2: the task's gradient is 0 */
        before[i] = 1.6 + 0.8 * i / TOY_WEIGHTS;
        w[i] = (real)(before[i] / toy_factor(&t, i));
    }
    toy_step(&t, (real)0.8, 0);
    for (int i = 0; i < TOY_WEIGHTS; i++) {
        double c = toy_factor(&t, i);
        ck_assert_double_eq_tol((double)w[i] * c - 2,
                                (before[i] - 2) * (1 - 2 * .8 * .5 / 16 * c * c), 1e-6);
    }
    real clipped = w[0] = (real)(9 / toy_factor(&t, 0)); /* q is 7 and the weight stays */
    t.target[0] = 7;
    toy_step(&t, (real)0.8, 0);
    ck_assert_double_eq((double)w[0], (double)clipped);
    toy_close(&t);
}

START_TEST(dampening_contracts_to_the_grid)
{
    for (size_t i = 0; i < DT_ARRAY_LEN(methods); i++)
        contract(methods[i]);
}
END_TEST

START_TEST(dampening_starts_late_and_stops_oscillation)
{
    toy t;
    open_toy(&t, "oscillation momentum=0.05 | dampening lambda=40", 4000);
    const dt_oscillation *o = dt_dynamics_find(&t.dynamics, "oscillation");
    for (int i = 0; i < 1000; i++)
        toy_step(&t, (real)0.0123, 0);
    for (int i = 0; i < 4; i++)
        ck_assert_msg((double)o->flips[0][i] > .05, "%d does not oscillate yet", i);
    for (int i = 1000; i < 4000; i++)
        toy_step(&t, (real)0.0123, 0);
    for (int i = 0; i < 3; i++) /* w* half way between two levels has no level to go to */
        ck_assert_msg((double)o->flips[0][i] < 1e-6, "%d oscillates at %g", i,
                      (double)o->flips[0][i]);
    toy_close(&t);
}
END_TEST

/* Frozen codes stay under decay and with a scale and a variance that move; their weights have no
 * gradient. */
static void hold_codes(const char *method)
{
    toy t;
    real first[TOY_WEIGHTS];
    open_with(&t, method, "oscillation momentum=0.05 | freezing start=0.1 end=0.1 momentum=0.05",
              4000);
    for (int i = 0; i < 1500; i++)
        toy_step(&t, (real)0.0123, 0);
    const dt_oscillation *o = dt_dynamics_find(&t.dynamics, "oscillation");
    memcpy(first, o->code[0], sizeof first);
    for (int i = 0; i < TOY_WEIGHTS; i++) /* the mean is near w*, so k is the level next to it */
        ck_assert_msg(i % 4 == 3 || first[i] == 2, "%d is frozen at %g", i, (double)first[i]);
    for (int i = 0; i < 500; i++) {
        t.state.data[t.scale][0] = (real)(1 + 0.2 * (i % 3));
        t.moves = t.fold;
        toy_step(&t, (real)0.3, (real)0.5);
        for (int k = 0; k < TOY_WEIGHTS; k++)
            ck_assert_msg(o->code[0][k] == first[k] && t.state.grad[t.w][k] == 0,
                          "step %d: code %d moved", i, k);
    }
    ck_assert_double_lt((double)o->flips[0][0], 1e-6);
    toy_close(&t);
}

START_TEST(freezing_holds_codes)
{
    for (size_t i = 0; i < DT_ARRAY_LEN(methods); i++)
        hold_codes(methods[i]);
}
END_TEST

/* Momentum and decay of the run's optimizer do not move what is held either. */
static void hold_under(const char *optimizer, const char *method)
{
    toy t;
    unsigned char conf[256];
    real code[TOY_WEIGHTS], m[TOY_WEIGHTS] = { 0 }, v[TOY_WEIGHTS] = { 0 };
    real *const buffer[] = { m, v };
    const dt_row *row = dt_table_find(&dt_optimizers, optimizer);
    const dt_optimizer *step = (const dt_optimizer *)(const void *)row;
    dt_opt_defaults(row->opts, conf);
    open_with(&t, method, "oscillation momentum=0.05 | freezing start=0.1 end=0.1 momentum=0.05",
              4000);
    const dt_oscillation *o = dt_dynamics_find(&t.dynamics, "oscillation");
    for (int64_t i = 0; i < 2500; i++) {
        toy_backward(&t);
        if (i == 1500) memcpy(code, o->code[0], sizeof code);
        for (int k = 0; i >= 1500 && k < TOY_WEIGHTS; k++) /* what the forward pass made of it */
            ck_assert_msg(t.q[k] == code[k], "%s, step %d: weight %d is at %g", optimizer, (int)i,
                          k, (double)t.q[k]);
        t.moves = t.fold && i >= 1500;
        step->step(conf, TOY_WEIGHTS, (real)(i < 1500 ? 0.0123 : 0.1), (real)(i < 1500 ? 0 : 0.2),
                   t.state.data[t.w], t.state.grad[t.w], buffer, i);
        dt_dynamics_step(&t.dynamics);
        for (int k = 0; i >= 1500 && k < TOY_WEIGHTS; k++)
            ck_assert_msg(o->code[0][k] == code[k] && t.state.grad[t.w][k] == 0,
                          "%s, step %d: code %d moved", optimizer, (int)i, k);
    }
    double moved = 0; /* there was something to hold back */
    for (int k = 0; k < TOY_WEIGHTS; k++)
        moved += fabs((double)m[k]);
    ck_assert_double_gt(moved, 0);
    toy_close(&t);
}

START_TEST(freezing_holds_codes_under_optimizers)
{
    for (size_t i = 0; i < DT_ARRAY_LEN(methods); i++) {
        hold_under("sgd", methods[i]);
        hold_under("adamw", methods[i]);
    }
}
END_TEST

/* dy/ds of a frozen weight is its code: the whole gradient is factor * sum g k. `pass` is what the
 * quantizer's own backward gives, factor * sum g (q - u). The gradient of a folded batch norm's
 * gamma, sum g w dc/dgamma, loses the frozen weights, which are all there are. */
static double scale_gradient(const char *method, const char *rows, double *out_codes)
{
    toy t;
    open_with(&t, method, rows, 4000);
    for (int i = 0; i < 1500; i++)
        toy_step(&t, (real)0.0123, 0);
    const dt_oscillation *o = dt_dynamics_find(&t.dynamics, "oscillation");
    const dt_dynamics_at at = { 1500, 100, 4000 };
    const real s = t.state.data[t.scale][0], *w = t.state.data[t.w];
    double factor = 1 / sqrt(TOY_WEIGHTS * 7.), pass = 0, codes = 0, of_gamma[4] = { 0 };
    dt_dynamics_forward(&t.dynamics);
    for (int i = 0; i < TOY_WEIGHTS; i++) {
        double g = 0.1 * i - 2, c = toy_factor(&t, i), u = (double)w[i] * c / (double)s;
        t.state.grad[t.w][i] = (real)(g * c);
        pass += g * (rint(u) - u);
        codes += g * (double)o->code[0][i];
        if (t.fold)
            of_gamma[i / 16] += g * (double)w[i] * c / (double)t.state.data[t.gamma][i / 16];
    }
    t.state.grad[t.scale][0] = (real)(factor * pass);
    for (int i = 0; i < 4 && t.fold; i++) {
        ck_assert_double_gt(fabs(of_gamma[i]), 0.1);
        t.state.grad[t.gamma][i] = (real)of_gamma[i];
        t.state.data[t.var][i] *= 2; /* the forward pass moved it */
    }
    dt_dynamics_gradient(&t.dynamics, &at);
    for (int i = 0; i < 4 && t.fold; i++)
        ck_assert_double_eq_tol((double)t.state.grad[t.gamma][i], 0, 1e-5);
    double got = (double)t.state.grad[t.scale][0];
    toy_close(&t);
    *out_codes = factor * codes;
    return got;
}

START_TEST(scale_gradient_of_frozen_weights)
{
    for (size_t i = 0; i < DT_ARRAY_LEN(methods); i++) {
        double codes, got;
        got = scale_gradient(methods[i], "oscillation momentum=0.05 | freezing start=0.1 end=0.1",
                             &codes);
        ck_assert_double_eq_tol(got, codes, 1e-5);
        got = scale_gradient(methods[i],
                             "oscillation momentum=0.05 | freezing start=0.1 end=0.1 scale=none",
                             &codes);
        ck_assert_double_eq_tol(got, 0, 1e-5);
    }
}
END_TEST

START_TEST(freezing_is_refused_where_it_cannot_work)
{
    static const struct {
        const char *rows, *method, *part;
    } cases[] = {
        { "freezing", "lsq", "dynamics.freezing: needs dynamics.oscillation" },
        { "oscillation | freezing", "statsq", "dynamics.freezing: 'statsq' of layer.weight_quant" },
        { "oscillation | freezing", "apot", "dynamics.freezing: 'apot' of layer.weight_quant" },
        { "bn_estimate", "lsq", "dynamics.bn_estimate: this net has no batch norm" },
    };
    for (size_t i = 0; i < DT_ARRAY_LEN(cases); i++) {
        toy t;
        dt_error err = { .status = DT_OK };
        ck_assert_int_ne(toy_open(&t, cases[i].rows, 4, cases[i].method, 10, &err), DT_OK);
        ck_assert_msg(strstr(err.text, cases[i].part) != NULL, "%s", err.text);
        toy_close(&t);
    }
}
END_TEST

/* The loss is a/2 sum (x - w*)^2, x the weight times its factor: its Hessian is a times the
 * identity, so every probe tells a. */
enum { CURVATURE = 3 };

static dt_status quadratic(void *arg, int64_t batch, dt_error *err)
{
    toy *t = arg;
    (void)batch;
    (void)err;
    for (int i = 0; i < TOY_WEIGHTS; i++)
        t->state.grad[t->w][i] =
            (real)(toy_factor(t, i) * CURVATURE *
                   ((double)t->state.data[t->w][i] * toy_factor(t, i) - (double)t->target[i]));
    return DT_OK;
}

static void measure_curvature(const char *method)
{
    toy t;
    real before[TOY_WEIGHTS];
    double mean = 0, square = 0;
    dt_error err = { .status = DT_OK };
    const dt_dynamics_at first = { 0, 100, 1000 }, second = { 100, 100, 1000 };
    ck_assert_msg(toy_open(&t, "ewgs_curvature every=2", 4, method, 1000, &err) == DT_OK, "%s",
                  err.text);
    t.dynamics.gradient_pass = quadratic;
    t.dynamics.pass_arg = &t;
    for (int i = 0; i < TOY_WEIGHTS; i++) {
        t.target[i] = (real)distances[i % 4];
        double x = (i - 30.) / 5;
        before[i] = t.state.data[t.w][i] = (real)(x / toy_factor(&t, i));
        double g = CURVATURE * (rint(fmin(fmax(x, -8), 7)) - distances[i % 4]);
        mean += g / TOY_WEIGHTS;
        square += g * g / TOY_WEIGHTS;
    }
    ck_assert_int_eq(dt_dynamics_epoch(&t.dynamics, &first, NULL), DT_OK);
    double want = 15 * CURVATURE / (3 * sqrt(square - mean * mean)); /* a range of 15 steps of 1 */
    real *delta = t.state.data[t.strength];
    ck_assert_double_eq_tol((double)*delta, want, 1e-3 * want);
    ck_assert_mem_eq(before, t.state.data[t.w], sizeof before);
    ck_assert_int_eq(t.dynamics.tensor_count, 2); /* a run that goes on has it */
    ck_assert_str_eq(t.dynamics.tensor[1].name, "dynamics/ewgs_curvature/delta/layer.weight");
    *delta = 1;
    ck_assert_int_eq(dt_dynamics_epoch(&t.dynamics, &second, NULL), DT_OK);
    ck_assert_double_eq((double)*delta, 1);
    toy_close(&t);
}

START_TEST(ewgs_from_curvature)
{
    toy t;
    dt_error err = { .status = DT_OK };
    measure_curvature("lsq with ewgs");
    measure_curvature("lsq with ewgs folded");
    ck_assert_int_eq(toy_open(&t, "ewgs_curvature", 4, "lsq", 1000, &err), DT_ERR_NOT_FOUND);
    ck_assert_msg(strstr(err.text, "no weights have 'ste: ewgs'") != NULL, "%s", err.text);
    toy_close(&t);
}
END_TEST

/* With a decay d and no warm-up: the mean of 1 .. n is what the recurrence says; evaluations see
 * it, steps do not. */
START_TEST(means_of_weights)
{
    toy t;
    open_toy(&t, "weight_ema decay=0.75 warmup=false", 100);
    double mean = (double)(real)0.13;
    for (int i = 1; i <= 5; i++) {
        t.state.data[t.w][0] = (real)i;
        dt_dynamics_step(&t.dynamics);
        mean = .75 * mean + .25 * i;
    }
    ck_assert_int_eq(dt_dynamics_before_eval(&t.dynamics, true, NULL), DT_OK);
    ck_assert_double_eq_tol((double)t.state.data[t.w][0], mean, 1e-6);
    dt_dynamics_after_eval(&t.dynamics);
    ck_assert_double_eq((double)t.state.data[t.w][0], 5);
    toy_close(&t);
}
END_TEST

/* Of every output's weights the mean of the gradient goes; a vector's gradient stays. */
START_TEST(gradients_lose_their_mean)
{
    enum { EACH = TOY_WEIGHTS / 4 };
    toy t;
    open_toy(&t, "centralize", 100);
    const dt_dynamics_at at = { 0, 10, 100 };
    for (int i = 0; i < TOY_WEIGHTS; i++)
        t.state.grad[t.w][i] = (real)((i / EACH + 1) * (i % EACH));
    t.state.grad[t.scale][0] = 3;
    dt_dynamics_gradient(&t.dynamics, &at);
    for (int i = 0; i < TOY_WEIGHTS; i++)
        ck_assert_double_eq_tol((double)t.state.grad[t.w][i],
                                (i / EACH + 1) * (i % EACH - (EACH - 1) / 2.0), 1e-6);
    ck_assert_double_eq((double)t.state.grad[t.scale][0], 3);
    ck_assert_int_eq(t.dynamics.tensor_count, 0);
    toy_close(&t);
}
END_TEST

DT_TEST_MAIN("dynamics", gradients_lose_their_mean, dampening_contracts_to_the_grid,
             dampening_starts_late_and_stops_oscillation, ewgs_from_curvature, freezing_holds_codes,
             freezing_holds_codes_under_optimizers, scale_gradient_of_frozen_weights,
             freezing_is_refused_where_it_cannot_work, means_of_weights,
             tracker_tells_the_frequency, weights_of_more_bits_are_not_tracked, no_rows_do_nothing,
             every_row_has_a_name_and_a_help)
