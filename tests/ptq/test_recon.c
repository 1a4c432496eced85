/* Reconstruction: what is moved and what is not, losses. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/ptq/run_stages.h"

#include "ptq/recon.h"

/* A unit of a net, ready to be compared. */
typedef struct compared {
    staged s;
    dt_ptq q;
    dt_ptq_units units;
    dt_ptq_recon r;
    dt_ptq_recon_conf conf;
    int64_t picture[8], n; /* n: features of the output */
    real *y, *t, *dy;      /* [8, n] */
    dt_ptq_output out[2];
} compared;

#define RESNET                                                                                     \
    "model: {name: resnet20}\ndata: {name: builtin}\nquant: {placement: deploy, weights: "         \
    "{method: "                                                                                    \
    "lsq, bits: 3}, activations: {method: lsq, bits: 3}}\nptq: {images: 8, batch: 8, stages: "     \
    "[ranges]}\n"

static void read_unit(compared *c)
{
    dt_ptq_recon *r = &c->r;
    ck_assert_int_eq(dt_ptq_advance(&c->q, c->q.p->input, NULL), DT_OK);
    ck_assert_int_eq(dt_ptq_advance(&c->q, r->unit->border, NULL), DT_OK);
    ck_assert_int_eq(dt_ptq_get(&c->q, r->unit->in, &r->quant, NULL), DT_OK);
    ck_assert_int_eq(dt_ptq_get(&c->q, r->unit->in, &r->plain, NULL), DT_OK);
    ck_assert_int_eq(dt_ptq_get(&c->q, r->unit->out, &r->target, NULL), DT_OK);
    ck_assert_int_eq(dt_ptq_read(&c->q, r->unit->in, r->quant, r->plain, NULL), DT_OK);
    ck_assert_int_eq(dt_ptq_read(&c->q, r->unit->out, NULL, r->target, NULL), DT_OK);
}

/* A value half-way through the net comes out as well, as numbers. */
static void add_output(compared *c)
{
    dt_ptq q;
    ck_assert_int_eq(dt_ptq_init(&q, &c->s.p, NULL), DT_OK);
    c->out[0] = (dt_ptq_output){ q.border[q.border_count / 2], &dt_normal, 0.5 };
    c->out[1] = (dt_ptq_output){ c->s.p.logits, &dt_categorical, 2 };
    dt_ptq_fini(&q);
    c->s.p.output = c->out;
    c->s.p.outputs = 2;
}

/* The net's ranges have been started, its weights are as they were. */
static void open_compared(compared *c, bool several)
{
    *c = (compared){ .conf = { .kl = 10, .temperature = 4 } };
    staged_open(&c->s, RESNET, 1);
    if (several) add_output(c);
    ck_assert_int_eq(dt_ptq_init(&c->q, &c->s.p, NULL), DT_OK);
    ck_assert_int_eq(dt_ptq_keep_origin(&c->q, NULL), DT_OK);
    const dt_ptq_stage *ranges = (const dt_ptq_stage *)(const void *)c->s.p.stage[0].row;
    ck_assert_int_eq(ranges->run(&c->q, c->s.p.stage[0].conf, NULL), DT_OK);
}

/* Unit `share` of the way through the net. Outputs begin as those of the quantized net. */
static void open_unit(compared *c, const char *cut, double share, double power)
{
    ck_assert_int_eq(dt_ptq_cut(&c->q, cut, &c->units, NULL), DT_OK);
    const dt_ptq_unit *unit = &c->units.unit[(int)(share * (c->units.count - 1))];
    c->conf.power = power;
    c->r = (dt_ptq_recon){ .q = &c->q,
                           .unit = unit,
                           .conf = &c->conf,
                           .batch = 8,
                           .arena = dt_arena_new(NULL, "test"),
                           .picture = c->picture };
    read_unit(c);
    c->n = dt_ptq_features(&c->q, unit->out);
    for (int k = 0; k < 3; k++) {
        real **to[] = { &c->y, &c->t, &c->dy };
        *to[k] = dt_get_array(NULL, (size_t)(8 * c->n), sizeof(real), "test");
    }
    memcpy(c->t, c->r.target, sizeof(real) * (size_t)(8 * c->n));
    ck_assert_int_eq(dt_ptq_read(&c->q, unit->out, c->y, NULL, NULL), DT_OK);
}

static void open_losses(compared *c, const char *name)
{
    c->conf.loss = (dt_opt_words){ .count = 1 };
    snprintf(c->conf.loss.value[0], sizeof c->conf.loss.value[0], "%s", name);
    ck_assert_int_eq(dt_ptq_losses_open(&c->r, NULL), DT_OK);
    for (int i = 0; i < 8; i++)
        c->picture[i] = i;
}

static double measure_now(compared *c, const real *y, real *dy)
{
    const dt_ptq_outputs o = { 8, c->picture, y, c->t };
    return dt_ptq_losses_measure(&c->r, &o, dy);
}

static void close_unit(compared *c)
{
    real *values[] = { c->r.quant, c->r.plain, c->r.target };
    real *all[] = { c->y, c->t, c->dy };
    for (size_t i = 0; i < DT_ARRAY_LEN(values); i++)
        dt_ptq_put(&c->q, values[i]);
    for (size_t i = 0; i < DT_ARRAY_LEN(all); i++)
        dt_put(NULL, all[i]);
    dt_arena_free(c->r.arena);
}

static void close_compared(compared *c)
{
    dt_ptq_fini(&c->q);
    staged_close(&c->s);
}

/* The slope along a direction by differences, beside the gradient's. */
static void check_slope(compared *c, const char *name)
{
    const int64_t all = 8 * c->n;
    const double h = 3e-3; /* larger: kinks, smaller: single precision */
    double slope = 0, ends[2];
    real *at = dt_get_array(NULL, (size_t)all, sizeof *at, "test");
    memset(c->dy, 0, sizeof(real) * (size_t)all);
    measure_now(c, c->y, c->dy);
    for (int64_t i = 0; i < all; i++)
        slope += (double)c->dy[i] * ((double)c->y[i] - (double)c->t[i]);
    for (int k = 0; k < 2; k++) {
        for (int64_t i = 0; i < all; i++)
            at[i] = (real)((double)c->y[i] + (k ? h : -h) * ((double)c->y[i] - (double)c->t[i]));
        ends[k] = measure_now(c, at, NULL);
    }
    const double expected = (ends[1] - ends[0]) / (2 * h);
    ck_assert_msg(slope > 0 && fabs(expected - slope) < 0.02 * slope, "%s at %s: %g, not %g", name,
                  c->r.unit->name, slope, expected);
    dt_put(NULL, at);
}

/* Every row, at units that end the net, at borders, and beside other branches. */
static void check_gradients(bool several)
{
    static const char *const cuts[] = { "layer", "block", "net" };
    static compared c;
    open_compared(&c, several);
    for (size_t k = 0; k < DT_ARRAY_LEN(cuts); k++)
        for (double share = 0; share <= 1; share += 0.5) {
            open_unit(&c, cuts[k], share, k ? 2.4 : 2);
            for (const dt_row *const *row = dt_ptq_losses.rows; *row; row++) {
                open_losses(&c, (*row)->name);
                check_slope(&c, (*row)->name);
                dt_ptq_losses_close(&c.r);
            }
            close_unit(&c);
        }
    close_compared(&c);
}

START_TEST(gradients_of_losses_are_right)
{
    check_gradients(false);
    check_gradients(true);
}
END_TEST

START_TEST(powers_as_worked_out)
{
    const real y[] = { 1, 2 }, t[] = { 0, 4 }, w[] = { 3, 0.5 };
    real dy[] = { 1, 0 };
    ck_assert_double_eq_tol(dt_ptq_pnorm(1, 1, 2, y, t, NULL, 2, NULL), 5, 1e-12);
    ck_assert_double_eq_tol(dt_ptq_pnorm(1, 2, 1, y, t, NULL, 2, NULL), 2.5, 1e-12);
    ck_assert_double_eq_tol(dt_ptq_pnorm(1, 2, 1, y, t, w, 2, dy), 2.5, 1e-12);
    ck_assert_double_eq_tol((double)dy[0], 1 + 3, 1e-6); /* it is added */
    ck_assert_double_eq_tol((double)dy[1], -1, 1e-6);
    ck_assert_double_eq_tol(dt_ptq_pnorm(1, 1, 2, y, t, NULL, 3, NULL), 9, 1e-12);
}
END_TEST

/* Weights of errors are the squared gradients of the divergence, with the mean 1. */
START_TEST(fisher_weights_are_squared_gradients)
{
    static compared c;
    double sum = 0, own = 0, by_hand = 0;
    open_compared(&c, false);
    open_unit(&c, "block", 0.5, 2);
    c.conf.kl = 1;
    c.conf.temperature = 1;
    const int64_t all = 8 * c.n, rows = all / dt_ptq_channels(&c.r);
    open_losses(&c, "kl_logits");
    measure_now(&c, c.y, c.dy);
    dt_ptq_losses_close(&c.r);
    for (int64_t i = 0; i < all; i++)
        sum += (double)c.dy[i] * (double)c.dy[i] / (double)all;
    open_losses(&c, "fisher");
    for (int64_t i = 0; i < all; i++) {
        double d = (i % 7 == 0) - 0.5, g = (double)c.dy[i];
        c.t[i] = (real)((double)c.y[i] - d);
        by_hand += g * g / sum * d * d / (double)rows;
    }
    own = measure_now(&c, c.y, NULL);
    ck_assert_double_eq_tol(own / by_hand, 1, 1e-4);
    dt_ptq_losses_close(&c.r);
    close_unit(&c);
    close_compared(&c);
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
                  { "variables: [weight, step, bias], input: float", true },
                  { "variables: [weight, step], loss: fisher, lr_weight: 1e-3", true },
                  { "variables: [weight, step], loss: [pnorm, kl_logits], input: mix", true },
                  { "variables: [bias, step], loss: kl_logits, lr_step: 2e-3", false } };
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

DT_TEST_MAIN("recon", gradients_of_losses_are_right, powers_as_worked_out,
             fisher_weights_are_squared_gradients, variables_lower_losses, others_stay,
             a_stop_changes_nothing)
