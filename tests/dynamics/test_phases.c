/* What rows of dynamics do when a phase begins, and around evaluations. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "autograd/op_fakequant.h"
#include "dynamics/oscillation.h"
#include "tests/dynamics/toy.h"

static const double distances[] = { .1, .2, .3, .4 };

static void open_toy(toy *t, const char *method, const char *rows)
{
    dt_error err = { .status = DT_OK };
    ck_assert_msg(toy_open(t, rows, 4, method, 4000, &err) == DT_OK, "%s", err.text);
    for (int i = 0; i < TOY_WEIGHTS; i++)
        t->target[i] = (real)(2 + distances[i % 4]);
}

static void run(toy *t, int steps)
{
    for (int i = 0; i < steps; i++)
        toy_step(t, (real)0.0123, 0);
}

/* Begins a phase at these bits in the step under way. */
static void enter(toy *t, int bits)
{
    dt_fakequant_conf c;
    dt_node *node = &t->graph.node[t->graph.node_count - 1];
    memcpy(&c, node->conf, sizeof c);
    c.site.bits = bits;
    node->conf = dt_graph_keep(&t->graph, &c, sizeof c);
    ck_assert_ptr_nonnull(node->conf);
    const dt_dynamics_at at = { t->step, 100, t->steps };
    dt_weights_bind(&t->dynamics.weights, &t->graph, false);
    dt_dynamics_start(&t->dynamics, &at);
}

static const real *tensor(const toy *t, const char *name)
{
    for (int i = 0; i < t->dynamics.tensor_count; i++)
        if (strcmp(t->dynamics.tensor[i].name, name) == 0) return t->dynamics.tensor[i].data;
    ck_abort_msg("no tensor '%s'", name);
    return NULL;
}

static int count_held(const toy *t)
{
    const real *held = tensor(t, "dynamics/freezing/held/layer.weight");
    int n = 0;
    for (int i = 0; i < TOY_WEIGHTS; i++)
        n += held[i] < DT_NOT_HELD;
    return n;
}

static const char freezing[] =
    "oscillation momentum=0.05 | freezing start=0.1 end=0.1 momentum=0.05";

START_TEST(only_other_bits_release_codes)
{
    toy t;
    char text[64];
    open_toy(&t, "lsq", freezing);
    run(&t, 1500);
    ck_assert_int_eq(count_held(&t), TOY_WEIGHTS);
    enter(&t, 4);
    ck_assert_int_eq(count_held(&t), TOY_WEIGHTS);
    run(&t, 1);
    dt_dynamics_progress(&t.dynamics, text, sizeof text);
    ck_assert_msg(strstr(text, "frozen 100.00%") != NULL, "%s", text);
    enter(&t, 3);
    ck_assert_int_eq(count_held(&t), 0);
    run(&t, 1); /* a code of the old grid was no reversal on the new one */
    ck_assert_int_eq(count_held(&t), 0);
    dt_dynamics_progress(&t.dynamics, text, sizeof text);
    ck_assert_msg(strstr(text, "frozen 0.00%") != NULL, "%s", text);
    toy_close(&t);
}
END_TEST

START_TEST(frequencies_start_at_zero)
{
    toy t;
    open_toy(&t, "lsq", "oscillation momentum=0.05");
    run(&t, 1500);
    const dt_oscillation *o = dt_dynamics_find(&t.dynamics, "oscillation");
    ck_assert(o->flips[0][0] > 0);
    enter(&t, 3);
    ck_assert(o->flips[0][0] == 0);
    run(&t, 500);
    ck_assert(o->flips[0][0] > 0);
    enter(&t, 8); /* more than max_bits: nothing is watched */
    run(&t, 500);
    for (int i = 0; i < TOY_WEIGHTS; i++)
        ck_assert(o->flips[0][i] == 0);
    toy_close(&t);
}
END_TEST

/* (1 + t) / (10 + t) of the old mean is kept, t counted from where the mean began. */
START_TEST(means_start_anew_with_their_warmup)
{
    toy t;
    open_toy(&t, "lsq", "weight_ema decay=0.9999");
    run(&t, 700);
    const real *mean = tensor(&t, "dynamics/weight_ema/mean/layer.weight");
    real *w = t.state.data[t.w];
    w[0] = mean[0] + 1; /* t = 700: 701 / 710 are kept */
    double old = (double)mean[0];
    t.dynamics.at.step = 700;
    dt_dynamics_step(&t.dynamics);
    ck_assert_double_eq_tol((double)mean[0], old + 9. / 710, 1e-6);
    enter(&t, 3);
    old = (double)w[0];
    w[0] += 1;
    t.dynamics.at.step = 700;
    dt_dynamics_step(&t.dynamics); /* t = 0 */
    ck_assert_double_eq_tol((double)mean[0], old + .9, 1e-6);
    toy_close(&t);
}
END_TEST

/* Dampening pulls end codes, which are held a quarter step inside; nothing of that may reach what
 * is frozen, or the scale. */
static double pulled(const char *rows)
{
    toy t;
    open_toy(&t, "lsq", rows);
    run(&t, 1500);
    ck_assert_int_eq(count_held(&t), TOY_WEIGHTS);
    const dt_dynamics_at at = { 1500, 100, 4000 };
    real *w = t.state.data[t.w], *g = t.state.grad[t.w];
    for (int i = 0; i < TOY_WEIGHTS; i++) {
        w[i] += (real)0.2; /* held at 2, and 0.2 off */
        g[i] = (real)(0.1 * i);
    }
    t.state.grad[t.scale][0] = 0;
    dt_dynamics_gradient(&t.dynamics, &at);
    for (int i = 0; i < TOY_WEIGHTS; i++)
        ck_assert(g[i] == 0);
    double got = (double)t.state.grad[t.scale][0];
    toy_close(&t);
    return got;
}

START_TEST(dampening_leaves_frozen_weights_alone)
{
    static const char rows[] = "oscillation momentum=0.05 | dampening begin=0.3 lambda_start=9 "
                               "lambda=9 | freezing start=0.1 end=0.1 momentum=0.05";
    ck_assert(pulled(freezing) == pulled(rows));
}
END_TEST

/* Evaluations with means of the weights, and with a variance that an estimate has moved, see the
 * codes that are held. */
static void evaluate_held(const char *method)
{
    toy t;
    char rows[160];
    snprintf(rows, sizeof rows, "%s | weight_ema decay=0.9", freezing);
    open_toy(&t, method, rows);
    run(&t, 1500);
    ck_assert_int_eq(count_held(&t), TOY_WEIGHTS);
    const real *held = tensor(&t, "dynamics/freezing/held/layer.weight");
    ck_assert_int_eq(dt_dynamics_before_eval(&t.dynamics, true, NULL), DT_OK);
    for (int i = 0; i < TOY_WEIGHTS; i++)
        t.state.data[t.w][i] += (real)0.6; /* the means are in the weights' place: another code */
    dt_dynamics_after_eval(&t.dynamics);
    for (int i = 0; i < 4 && t.fold; i++)
        t.state.data[t.var][i] *= (real)1.3;
    ck_assert_int_eq(dt_dynamics_before_eval(&t.dynamics, true, NULL), DT_OK);
    for (int i = 0; i < TOY_WEIGHTS; i++) {
        double x = (double)t.state.data[t.w][i] * toy_factor(&t, i);
        double code = rint(fmin(fmax(x / (double)t.state.data[t.scale][0], -8), 7));
        ck_assert_msg(code == (double)held[i], "%d: %g, held at %g", i, code, (double)held[i]);
    }
    dt_dynamics_after_eval(&t.dynamics);
    toy_close(&t);
}

START_TEST(evaluations_see_held_codes)
{
    evaluate_held("lsq");
    evaluate_held("lsq folded");
}
END_TEST

static dt_status count_passes(void *arg, int64_t batch, dt_error *err)
{
    (void)batch;
    (void)err;
    ++*(int *)arg;
    return DT_OK;
}

/* Epochs count from the one in which weights began to be quantized. */
START_TEST(curvature_is_measured_when_weights_begin)
{
    toy t;
    int passes = 0;
    open_toy(&t, "lsq with ewgs", "ewgs_curvature every=10 batches=1 probes=1");
    t.dynamics.gradient_pass = count_passes;
    t.dynamics.pass_arg = &passes;
    t.dynamics.weights.site[0].active = t.dynamics.weights.site[0].begins = false; /* float */
    const dt_dynamics_at first = { 0, 100, 4000 };
    dt_dynamics_start(&t.dynamics, &first);
    ck_assert_int_eq(dt_dynamics_epoch(&t.dynamics, &first, NULL), DT_OK);
    ck_assert_int_eq(passes, 0);
    t.step = 300;
    enter(&t, 4);
    for (int epoch = 3; epoch <= 13; epoch++) {
        const dt_dynamics_at at = { 100 * epoch, 100, 4000 };
        ck_assert_int_eq(dt_dynamics_epoch(&t.dynamics, &at, NULL), DT_OK);
        ck_assert_int_eq(passes, epoch < 13 ? 3 : 6); /* one pass, and two a probe */
    }
    toy_close(&t);
}
END_TEST

/* Shares that a float rounds to 1 would hold the means where they began. */
START_TEST(every_decay_moves_the_means)
{
    toy t;
    const dt_opt *decay =
        dt_opt_find(dt_table_find(&dt_dynamics_rows, "weight_ema")->opts, "decay");
    ck_assert((float)decay->max < 1);
    ck_assert_int_eq(dt_opt_set(decay, t.conf[0], "0.99999998", NULL, NULL), DT_ERR_RANGE);
    open_toy(&t, "lsq", "weight_ema decay=0.9999999 warmup=no");
    const real *mean = tensor(&t, "dynamics/weight_ema/mean/layer.weight"), was = mean[0];
    t.state.data[t.w][0] = 1000;
    dt_dynamics_step(&t.dynamics);
    ck_assert(mean[0] > was && mean[0] < was + 1);
    toy_close(&t);
}
END_TEST

DT_TEST_MAIN("phases", only_other_bits_release_codes, frequencies_start_at_zero,
             means_start_anew_with_their_warmup, dampening_leaves_frozen_weights_alone,
             evaluations_see_held_codes, curvature_is_measured_when_weights_begin,
             every_decay_moves_the_means)
