/* Batch-norm statistics of one batch, and their averages: DT_NORMS_REPLACE and the row bn_estimate.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/rng.h"
#include "dynamics/dynamics.h"
#include "tests/support/nets.h"

enum { BATCH = 8, PIXELS = BATCH * 32 * 32 * 3 };

typedef struct setup {
    test_net t;
    dt_kernels k;
    dt_plan norm, train;
    dt_exec norm_exec, train_exec;
    real x[2][PIXELS];
    int32_t labels[BATCH];
    unsigned char conf[64];
    dt_dynamics dynamics;
} setup;

static void open_exec(setup *s, dt_mode mode, dt_norms norms, dt_plan *p, dt_exec *e)
{
    const int outputs[] = { s->t.net.loss, s->t.net.logits };
    ck_assert_int_eq(dt_plan_init(p,
                                  &(dt_plan_request){ .graph = dt_net_steps(&s->t.net),
                                                      .kernels = &s->k,
                                                      .mode = mode,
                                                      .norms = norms,
                                                      .batch = BATCH,
                                                      .threads = 2,
                                                      .outputs = outputs,
                                                      .output_count = 2 },
                                  NULL, NULL),
                     DT_OK);
    ck_assert_int_eq(dt_exec_init(e, p, &s->t.net.state, &s->k, NULL, NULL, NULL), DT_OK);
}

static dt_status pass(void *arg, int64_t batch, dt_error *err)
{
    setup *s = arg;
    dt_exec_set_input(&s->norm_exec, s->t.net.input, s->x[batch % 2]);
    dt_exec_set_input(&s->norm_exec, s->t.net.labels, s->labels);
    return dt_exec_forward(&s->norm_exec, err);
}

static void open_setup(setup *s, int batches)
{
    char text[40];
    dt_rng rng;
    memset(s, 0, sizeof *s);
    test_net_open(&s->t, TEST_FLOAT("smallcnn"), true);
    ck_assert_int_eq(dt_kernels_init(&s->k, test_isa, NULL), DT_OK);
    open_exec(s, DT_MODE_EVAL, DT_NORMS_REPLACE, &s->norm, &s->norm_exec);
    open_exec(s, DT_MODE_TRAIN, DT_NORMS_OF_MODE, &s->train, &s->train_exec);
    dt_rng_open(&rng, 5, DT_RNG_TEST, 0, 0);
    for (int i = 0; i < 2 * PIXELS; i++)
        s->x[i / PIXELS][i % PIXELS] = (real)dt_rng_normal(&rng);
    const dt_row *row = dt_table_find(&dt_dynamics_rows, "bn_estimate");
    dt_opt_defaults(row->opts, s->conf);
    snprintf(text, sizeof text, "%d", batches);
    ck_assert_int_eq(dt_opt_set(dt_opt_find(row->opts, "batches"), s->conf, text, NULL, NULL),
                     DT_OK);
    const dt_dynamics_choice choice = { row, s->conf };
    const dt_dynamics_params p = { .graph = &s->t.net.graph,
                                   .state = &s->t.net.state,
                                   .kernels = &s->k,
                                   .threads = 2,
                                   .choice = &choice,
                                   .count = 1 };
    ck_assert_int_eq(dt_dynamics_open(&s->dynamics, &p, NULL), DT_OK);
    ck_assert(dt_dynamics_wants_norm(&s->dynamics));
    s->dynamics.norm_pass = pass;
    s->dynamics.norm_arg = s;
    ck_assert_int_eq(dt_dynamics_before_eval(&s->dynamics, true, NULL), DT_OK);
}

static void close_setup(setup *s)
{
    dt_dynamics_close(&s->dynamics);
    dt_exec_fini(&s->norm_exec);
    dt_exec_fini(&s->train_exec);
    dt_plan_fini(&s->norm);
    dt_plan_fini(&s->train);
    test_net_close(&s->t);
}

/* Of the last batch norm: behind others, so the passes before it must have had batch statistics. */
static real *statistics(setup *s, const char *which, int64_t *n)
{
    for (int i = s->t.net.graph.value_count - 1; i >= 0; i--)
        if (strstr(s->t.net.graph.value[i].name, which))
            return test_net_data(&s->t, s->t.net.graph.value[i].name, n);
    ck_abort_msg("no %s", which);
    return NULL;
}

static setup one, two;

/* A step of training moves the running values a tenth of the way to the batch's. */
START_TEST(one_batch_gives_its_statistics)
{
    static const char *const which[] = { "running_mean", "running_var" };
    open_setup(&one, 1);
    for (int k = 0; k < 2; k++) {
        int64_t n;
        real *x = statistics(&one, which[k], &n), estimate[512], before[512];
        ck_assert_int_le(n, 512);
        memcpy(estimate, x, (size_t)n * sizeof(real));
        for (int64_t i = 0; i < n; i++)
            before[i] = x[i] = (real)(0.5 + (double)i);
        dt_exec_set_input(&one.train_exec, one.t.net.input, one.x[0]);
        dt_exec_set_input(&one.train_exec, one.t.net.labels, one.labels);
        ck_assert_int_eq(dt_exec_forward(&one.train_exec, NULL), DT_OK);
        for (int64_t i = 0; i < n; i++)
            ck_assert_double_eq_tol((double)x[i], .9 * (double)before[i] + .1 * (double)estimate[i],
                                    1e-5 * (1 + (double)i));
        ck_assert_int_eq(dt_dynamics_before_eval(&one.dynamics, true, NULL), DT_OK);
        ck_assert_msg(memcmp(x, estimate, (size_t)n * sizeof(real)) == 0, "other bits again");
    }
    close_setup(&one);
}
END_TEST

START_TEST(two_batches_are_averaged)
{
    int64_t n;
    open_setup(&two, 2);
    real *x = statistics(&two, "running_var", &n), both[512], first[512];
    memcpy(both, x, (size_t)n * sizeof(real));
    ck_assert_int_eq(pass(&two, 0, NULL), DT_OK);
    memcpy(first, x, (size_t)n * sizeof(real));
    ck_assert_int_eq(pass(&two, 1, NULL), DT_OK);
    for (int64_t i = 0; i < n; i++)
        ck_assert_double_eq_tol((double)both[i], ((double)first[i] + (double)x[i]) / 2,
                                1e-6 * (double)(first[i] + x[i]));
    close_setup(&two);
}
END_TEST

DT_TEST_MAIN("norm", one_batch_gives_its_statistics, two_batches_are_averaged)
