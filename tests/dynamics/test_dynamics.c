/* The rows of dynamics on weights that oscillate, and their mechanism. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>

#include "dynamics/oscillation.h"
#include "tests/dynamics/toy.h"

static const double distances[] = { .1, .2, .3, .5 };

static void open_toy(toy *t, const char *rows, int64_t steps)
{
    dt_error err = { .status = DT_OK };
    ck_assert_msg(toy_open(t, rows, 4, "lsq", steps, &err) == DT_OK, "%s", err.text);
    for (int i = 0; i < TOY_WEIGHTS; i++)
        t->target[i] = (real)(2 + distances[i % 4]);
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

/* Reversals at 2 d / s, d being the distance of w* from its nearest level. */
START_TEST(tracker_tells_the_frequency)
{
    toy t;
    open_toy(&t, "oscillation momentum=0.0005", 40000);
    for (int i = 0; i < 40000; i++)
        toy_step(&t, (real)0.0123, 0);
    const dt_oscillation *o = dt_dynamics_find(&t.dynamics, "oscillation");
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
    ck_assert_str_eq(text, "  osc 100.00%");
    toy_close(&t);
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
    ck_assert_int_eq(dt_dynamics_before_eval(&t.dynamics, NULL), DT_OK);
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

DT_TEST_MAIN("dynamics", tracker_tells_the_frequency, weights_of_more_bits_are_not_tracked,
             no_rows_do_nothing, every_row_has_a_name_and_a_help)
