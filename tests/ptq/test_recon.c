/* Reconstruction: what is moved and what is not, losses. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/ptq/run_stages.h"

#include "ptq/recon.h"

/* Every row: the gradient of its loss is that of differences. */
START_TEST(gradients_of_losses_are_right)
{
    enum { ROWS = 5, C = 3, N = ROWS * C };
    for (const dt_row *const *row = dt_ptq_losses.rows; *row; row++) {
        const dt_ptq_loss *loss = (const dt_ptq_loss *)(const void *)*row;
        for (double power = 2; power < 3; power += 0.4) {
            real y[N], t[N], dy[N];
            for (int i = 0; i < N; i++) {
                y[i] = (real)sin(i);
                t[i] = (real)cos(2 * i);
            }
            loss->measure(1, ROWS, C, y, t, power, dy);
            for (int i = 0; i < N; i++) {
                const real was = y[i], h = (real)1e-3;
                y[i] = was + h;
                double up = loss->measure(2, ROWS, C, y, t, power, NULL);
                y[i] = was - h;
                double down = loss->measure(1, ROWS, C, y, t, power, NULL);
                y[i] = was;
                ck_assert_double_eq_tol((up - down) / 2e-3, (double)dy[i], 1e-3);
            }
        }
    }
    real y[] = { 1, 2 }, t[] = { 0, 4 };
    const dt_ptq_loss *first = (const dt_ptq_loss *)(const void *)dt_ptq_losses.rows[0];
    ck_assert_double_eq_tol(first->measure(1, 1, 2, y, t, 2, NULL), 5, 1e-12);
    ck_assert_double_eq_tol(first->measure(1, 2, 1, y, t, 2, NULL), 2.5, 1e-12);
}
END_TEST

/* The sum of all units' losses before and after. */
static void losses(const char *options, double *before, double *after, int64_t *changed)
{
    char recipe[1024];
    staged s;
    snprintf(recipe, sizeof recipe,
             STAGED_SMALL "ptq: {images: 16, batch: 16, stages: [ranges, {reconstruct: {unit: "
                          "block, iterations: 40, batch: 8, %s}}]}\n",
             options);
    staged_open(&s, recipe, 2);
    staged_run(&s);
    staged_check_grids(&s);
    *before = *after = 0;
    *changed = 0;
    for (int i = 0; i < s.results; i++) {
        *before += s.result[i].before;
        *after += s.result[i].after;
        *changed += s.result[i].changed;
    }
    staged_close(&s);
}

/* Each variable lowers the losses, alone and together with others. */
START_TEST(variables_lower_losses)
{
    static const struct {
        const char *options;
        bool codes; /* change */
    } cases[] = { { "variables: [round]", true },
                  { "variables: [weight]", true },
                  { "variables: [shift]", true },
                  { "variables: [bias]", false },
                  { "variables: [step], lr_step: 2e-3", false },
                  { "variables: [round, step], input: mix, drop: 0.5", true },
                  { "variables: [weight, step, bias], input: float", true } };
    for (size_t i = 0; i < DT_ARRAY_LEN(cases); i++) {
        double before, after;
        int64_t changed;
        losses(cases[i].options, &before, &after, &changed);
        ck_assert_msg(after < 0.99 * before, "%s: %g -> %g", cases[i].options, before, after);
        if (cases[i].codes) ck_assert_msg(changed > 0, "%s: no code changed", cases[i].options);
    }
}
END_TEST

static void reads_kept(const staged *s, bool biases)
{
    const dt_graph *g = &s->t.net.graph;
    for (int v = 0; v < g->value_count; v++) {
        const dt_value *value = &g->value[v];
        if (value->kind != DT_VALUE_PARAM ||
            (value->role != DT_ROLE_BIAS && value->role != DT_ROLE_NORM))
            continue;
        for (int64_t i = 0; i < dt_shape_count(&value->shape); i++) {
            real start = value->init == DT_INIT_ONE ? 1 : 0;
            if (!biases) ck_assert_msg(s->p.state->data[v][i] == start, "%s moved", value->name);
        }
    }
}

/* What no variable names stays, and statistics of batch norms do. */
START_TEST(others_stay)
{
    staged s;
    staged_open(&s,
                STAGED_SMALL
                "ptq: {images: 8, batch: 8, stages: [ranges, {reconstruct: {variables: "
                "[round, step], iterations: 20, batch: 8}}]}\n",
                1);
    staged_run(&s);
    reads_kept(&s, false);
    const dt_graph *g = &s.t.net.graph;
    for (int v = 0; v < g->value_count; v++)
        if (g->value[v].kind == DT_VALUE_BUFFER && g->value[v].role != DT_ROLE_QUANT)
            for (int64_t i = 0; i < dt_shape_count(&g->value[v].shape); i++)
                ck_assert_msg(s.p.state->data[v][i] == (g->value[v].init == DT_INIT_ONE ? 1 : 0),
                              "%s moved", g->value[v].name);
    staged_close(&s);
}
END_TEST

/* Going on after any unit ends in the same bits. */
typedef struct stop {
    staged s;
    int left; /* units until it stops */
    real *kept[512];
    int stage, unit;
} stop;

static dt_status stop_after(void *arg, const dt_ptq_result *r, dt_error *err)
{
    stop *x = arg;
    const dt_graph *g = &x->s.t.net.graph;
    if (--x->left) return DT_OK;
    for (int v = 0; v < g->value_count; v++) {
        size_t bytes = sizeof(real) * (size_t)dt_shape_count(&g->value[v].shape);
        if (!x->s.p.state->data[v]) continue;
        x->kept[v] = dt_get(NULL, bytes, "test");
        memcpy(x->kept[v], x->s.p.state->data[v], bytes);
    }
    x->stage = r->at_stage;
    x->unit = r->at_unit + 1;
    return dt_fail(err, DT_ERR_IO, NULL, "stopped here");
}

static dt_status go_on(void *arg, dt_error *err)
{
    const stop *x = arg;
    (void)err;
    for (int v = 0; v < x->s.t.net.graph.value_count; v++)
        if (x->kept[v])
            memcpy(x->s.p.state->data[v], x->kept[v],
                   sizeof(real) * (size_t)dt_shape_count(&x->s.t.net.graph.value[v].shape));
    return DT_OK;
}

#define STOPPED                                                                                    \
    STAGED_SMALL "ptq: {images: 8, batch: 8, stages: [ranges, {reconstruct: {variables: [round, "  \
                 "step], input: mix, drop: 0.5, iterations: 15, batch: 8}}, norms]}\n"

START_TEST(a_stop_changes_nothing)
{
    staged whole;
    staged_open(&whole, STOPPED, 1);
    staged_run(&whole);
    for (int after = 1; after <= whole.results; after++) {
        static stop x;
        x = (stop){ .left = after };
        staged_open(&x.s, STOPPED, 2);
        x.s.p.events = (dt_ptq_events){ .unit = stop_after, .arg = &x };
        ck_assert_int_eq(dt_ptq_run(&x.s.p, NULL), DT_ERR_IO);
        staged_close(&x.s);
        staged_open(&x.s, STOPPED, 1);
        x.s.p.events = (dt_ptq_events){ .arg = &x };
        x.s.p.start = go_on;
        x.s.p.done_stages = x.stage;
        x.s.p.done_units = x.unit;
        ck_assert_int_eq(dt_ptq_run(&x.s.p, NULL), DT_OK);
        const dt_graph *g = &whole.t.net.graph;
        for (int v = 0; v < g->value_count; v++) {
            const real *a = whole.p.state->data[v], *b = x.s.p.state->data[v];
            if (a)
                ck_assert_msg(
                    memcmp(a, b, sizeof *a * (size_t)dt_shape_count(&g->value[v].shape)) == 0,
                    "after %d units: %s", after, g->value[v].name);
            dt_put(NULL, x.kept[v]);
        }
        staged_close(&x.s);
    }
    staged_close(&whole);
}
END_TEST

DT_TEST_MAIN("recon", gradients_of_losses_are_right, variables_lower_losses, others_stay,
             a_stop_changes_nothing)
