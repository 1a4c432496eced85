/* A small residual net through planner and executor: gradients of all parameters against central
 * differences. Finds wrong lifetimes, wrong sharing of memory and lost contributions. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "autograd/exec.h"
#include "autograd/fuse.h"
#include "core/rng.h"
#include "tests/grad/residual.h"

static double run(dt_exec *e, int loss)
{
    ck_assert_int_eq(dt_exec_forward(e, NULL), DT_OK);
    return ((real *)dt_exec_value(e, loss))[0];
}

/* All parameters of a graph whose inputs are set, against central differences; how many elements.
 */
static int check_gradients(dt_exec *e, int loss)
{
    const dt_graph *g = e->plan->graph;
    const dt_state *s = e->state;
    int checked = 0;
    run(e, loss);
    dt_exec_backward(e);
    for (int v = 0; v < g->value_count; v++) {
        if (g->value[v].kind != DT_VALUE_PARAM) continue;
        for (int64_t i = 0; i < dt_shape_count(&g->value[v].shape); i++) {
            const double step = 1e-6;
            real *w = &s->data[v][i], at = *w;
            *w = at + step;
            double up = run(e, loss);
            *w = at - step;
            double down = run(e, loss);
            *w = at;
            double slope = (up - down) / (2 * step), got = s->grad[v][i];
            ck_assert_msg(fabs(slope - got) < 1e-6 * (1 + fabs(slope)), "%s[%d]: %.9g, got %.9g",
                          g->value[v].name, (int)i, slope, got);
            checked++;
        }
    }
    return checked;
}

/* Plans, runs and checks a graph; `kept`: another output, whose values go to `out_kept` [count]. */
static int check_graph(const dt_graph *g, int loss, const int *input, const void *const *data,
                       int inputs, int kept, real *out_kept, int64_t count)
{
    dt_kernels k;
    dt_plan p;
    dt_state s;
    dt_exec e;
    const int outputs[] = { loss, kept };
    ck_assert_int_eq(dt_kernels_init(&k, "", NULL), DT_OK);
    ck_assert_int_eq(dt_plan_init(&p,
                                  &(dt_plan_request){ .graph = g,
                                                      .kernels = &k,
                                                      .mode = DT_MODE_TRAIN,
                                                      .batch = N,
                                                      .threads = 2,
                                                      .outputs = outputs,
                                                      .output_count = kept < 0 ? 1 : 2 },
                                  NULL, NULL),
                     DT_OK);
    ck_assert_int_eq(dt_state_init(&s, g, true, 1, NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_exec_init(&e, &p, &s, &k, NULL, NULL, NULL), DT_OK);
    for (int i = 0; i < inputs; i++)
        dt_exec_set_input(&e, input[i], data[i]);
    int checked = check_gradients(&e, loss);
    run(&e, loss);
    if (kept >= 0) memcpy(out_kept, dt_exec_value(&e, kept), (size_t)count * sizeof(real));
    dt_exec_fini(&e);
    dt_state_fini(&s);
    dt_plan_fini(&p);
    return checked;
}

static real pictures[N * HW * HW * C];
static const int32_t target[N] = { 0, 2, 1 };

static void draw_pictures(void)
{
    dt_rng rng;
    dt_rng_open(&rng, 1, DT_RNG_TEST, 0, 0);
    for (size_t i = 0; i < DT_ARRAY_LEN(pictures); i++)
        pictures[i] = (real)dt_rng_normal(&rng);
}

static void add_inputs(dt_graph *g, int *out_x, int *out_labels)
{
    const dt_value x = {
        .name = "x", .kind = DT_VALUE_INPUT, .shape = DT_SHAPE(1, HW, HW, C), .batched = true
    };
    const dt_value l = { .name = "labels",
                         .kind = DT_VALUE_INPUT,
                         .shape = DT_SHAPE(1),
                         .batched = true,
                         .store = DT_STORE_INT32 };
    ck_assert_int_eq(dt_graph_init(g, NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_graph_value(g, &x, out_x, NULL), DT_OK);
    ck_assert_int_eq(dt_graph_value(g, &l, out_labels, NULL), DT_OK);
}

static const dt_softmax_ce_conf ce = { 0.1 };

/* A parameter, a value that others read as well and one that none does, each added to itself. */
START_TEST(one_value_at_two_inputs_has_both_gradients)
{
    for (int later = 0; later < 2; later++) {
        dt_graph g;
        int x, labels;
        add_inputs(&g, &x, &labels);
        draw_pictures();
        int fc = param(&g, "fc", DT_SHAPE(CLASSES, C), DT_INIT_KAIMING);
        int twice = node(&g, "add", NULL, fc, fc);
        int h = node(&g, "linear", NULL, node(&g, "gap", NULL, x, -1), twice);
        int y = node(&g, "add", NULL, h, h);
        if (later) y = node(&g, "add", NULL, y, node(&g, "relu", NULL, h, -1));
        int loss = node(&g, "softmax_ce", &ce, y, labels);
        const int input[] = { x, labels };
        const void *const data[] = { pictures, target };
        ck_assert_int_eq(check_graph(&g, loss, input, data, 2, -1, NULL, 0), CLASSES * C);
        dt_graph_fini(&g);
    }
}
END_TEST

/* Outputs are there after the step, whatever works in place behind them. */
START_TEST(a_kept_value_is_not_worked_in)
{
    dt_graph g;
    int x, labels;
    real kept[2][N * CLASSES];
    for (int in_place = 0; in_place < 2; in_place++) {
        add_inputs(&g, &x, &labels);
        draw_pictures();
        int fc = param(&g, "fc", DT_SHAPE(CLASSES, C), DT_INIT_KAIMING);
        int h = node(&g, "linear", NULL, node(&g, "gap", NULL, x, -1), fc), y = h;
        if (in_place) y = node(&g, "relu", NULL, h, -1);
        int loss = node(&g, "softmax_ce", &ce, y, labels);
        const int input[] = { x, labels };
        const void *const data[] = { pictures, target };
        check_graph(&g, loss, input, data, 2, h, kept[in_place], N * CLASSES);
        dt_graph_fini(&g);
    }
    int negative = 0;
    for (int i = 0; i < N * CLASSES; i++)
        negative += kept[0][i] < 0;
    ck_assert_int_gt(negative, 0);
    ck_assert_mem_eq(kept[0], kept[1], sizeof kept[0]);
}
END_TEST

/* A batch norm of the picture itself has parameters, but a picture wants no gradient. */
START_TEST(a_chain_may_read_an_input)
{
    dt_graph g, fused;
    int x, labels;
    add_inputs(&g, &x, &labels);
    draw_pictures();
    int y = node(&g, "relu", NULL, norm(&g, "n1", x, C), -1);
    int fc = param(&g, "fc", DT_SHAPE(CLASSES, C), DT_INIT_KAIMING);
    int h = node(&g, "linear", NULL, node(&g, "gap", NULL, y, -1), fc);
    int loss = node(&g, "softmax_ce", &ce, h, labels);
    const int input[] = { x, labels };
    const void *const data[] = { pictures, target };
    ck_assert_int_eq(dt_fuse(&g, &loss, 1, &fused, NULL, NULL), DT_OK);
    ck_assert_str_eq(fused.node[0].op->name, "chain");
    ck_assert_str_eq(fused.node[0].name, "n1");
    ck_assert_int_eq(check_graph(&fused, loss, input, data, 2, -1, NULL, 0), CLASSES * C + 2 * C);
    dt_graph_fini(&fused);
    dt_graph_fini(&g);
}
END_TEST

static void fill_statistics(const dt_graph *g, dt_state *s, real mean, real var)
{
    for (int v = 0; v < g->value_count; v++)
        for (int64_t i = 0; g->value[v].kind == DT_VALUE_BUFFER && i < C; i++)
            s->data[v][i] = strstr(g->value[v].name, ".m") ? mean : var;
}

/* What the outputs are normalised by, and what becomes of the running statistics 1 and 4. */
static const struct {
    dt_mode mode;
    dt_norms norms;
    bool running; /* they are what is used */
    double share; /* of the batch in what they become */
} norm_cases[] = {
    { DT_MODE_TRAIN, DT_NORMS_OF_MODE, false, 0.1 }, { DT_MODE_TRAIN, DT_NORMS_MOVE, false, 0.1 },
    { DT_MODE_TRAIN, DT_NORMS_RUNNING, true, 0 },    { DT_MODE_TRAIN, DT_NORMS_BATCH, false, 0 },
    { DT_MODE_TRAIN, DT_NORMS_REPLACE, false, 1 },   { DT_MODE_EVAL, DT_NORMS_OF_MODE, true, 0 },
    { DT_MODE_EVAL, DT_NORMS_MOVE, false, 0.1 },     { DT_MODE_EVAL, DT_NORMS_RUNNING, true, 0 },
    { DT_MODE_EVAL, DT_NORMS_BATCH, false, 0 },      { DT_MODE_EVAL, DT_NORMS_REPLACE, false, 1 },
};

/* Mean and unbiased variance of channel c of the pictures. */
static void batch_statistics(int c, double *out_mean, double *out_var)
{
    const int rows = (int)DT_ARRAY_LEN(pictures) / C;
    double mean = 0, var = 0;
    for (int i = 0; i < rows; i++)
        mean += (double)pictures[i * C + c] / rows;
    for (int i = 0; i < rows; i++)
        var += ((double)pictures[i * C + c] - mean) * ((double)pictures[i * C + c] - mean);
    *out_mean = mean;
    *out_var = var / (rows - 1);
}

START_TEST(norms_are_what_a_request_says)
{
    const dt_batchnorm_conf exact = { .eps = 0, .momentum = 0.1 };
    dt_kernels k;
    draw_pictures();
    ck_assert_int_eq(dt_kernels_init(&k, "", NULL), DT_OK);
    for (size_t m = 0; m < DT_ARRAY_LEN(norm_cases); m++) {
        dt_graph g;
        dt_plan p;
        dt_state s;
        dt_exec e;
        int x, labels;
        add_inputs(&g, &x, &labels);
        int y = norm(&g, "n1", x, C);
        g.node[0].conf = dt_graph_keep(&g, &exact, sizeof exact);
        int fc = param(&g, "fc", DT_SHAPE(CLASSES, C), DT_INIT_KAIMING);
        int h = node(&g, "linear", NULL, node(&g, "gap", NULL, y, -1), fc);
        const int outputs[] = { node(&g, "softmax_ce", &ce, h, labels), y };
        ck_assert_int_eq(dt_plan_init(&p,
                                      &(dt_plan_request){ .graph = &g,
                                                          .kernels = &k,
                                                          .mode = norm_cases[m].mode,
                                                          .norms = norm_cases[m].norms,
                                                          .batch = N,
                                                          .threads = 2,
                                                          .outputs = outputs,
                                                          .output_count = 2 },
                                      NULL, NULL),
                         DT_OK);
        ck_assert_int_eq(dt_state_init(&s, &g, true, 1, NULL, NULL), DT_OK);
        ck_assert_int_eq(dt_exec_init(&e, &p, &s, &k, NULL, NULL, NULL), DT_OK);
        fill_statistics(&g, &s, 1, 4);
        dt_exec_set_input(&e, x, pictures);
        dt_exec_set_input(&e, labels, target);
        run(&e, outputs[0]);
        const real *got = dt_exec_value(&e, y);
        int mean = dt_graph_find(&g, "n1.m"), var = dt_graph_find(&g, "n1.v");
        for (int c = 0; c < C; c++) {
            const double rows = DT_ARRAY_LEN(pictures) / C, share = norm_cases[m].share;
            double b_mean, b_var;
            batch_statistics(c, &b_mean, &b_var);
            double by = norm_cases[m].running ? 1 : b_mean;
            double deviation = norm_cases[m].running ? 2 : sqrt(b_var * (rows - 1) / rows);
            for (size_t i = (size_t)c; i < DT_ARRAY_LEN(pictures); i += C)
                ck_assert_double_eq_tol(got[i], (pictures[i] - by) / deviation, 1e-9);
            ck_assert_double_eq_tol(s.data[mean][c], (1 - share) * 1 + share * b_mean, 1e-12);
            ck_assert_double_eq_tol(s.data[var][c], (1 - share) * 4 + share * b_var, 1e-12);
        }
        dt_exec_fini(&e);
        dt_state_fini(&s);
        dt_plan_fini(&p);
        dt_graph_fini(&g);
    }
}
END_TEST

START_TEST(planned_gradients_are_central_differences)
{
    dt_graph g;
    dt_kernels k;
    dt_plan p;
    dt_state s;
    dt_exec e;
    int x, labels, loss = build(&g, &x, &labels);
    ck_assert_int_eq(dt_kernels_init(&k, test_isa, NULL), DT_OK);
    ck_assert_int_eq(dt_plan_init(&p,
                                  &(dt_plan_request){ .graph = &g,
                                                      .kernels = &k,
                                                      .mode = DT_MODE_TRAIN,
                                                      .batch = N,
                                                      .threads = 2,
                                                      .outputs = &loss,
                                                      .output_count = 1 },
                                  NULL, NULL),
                     DT_OK);
    ck_assert_int_eq(dt_state_init(&s, &g, true, 1, NULL, NULL), DT_OK);
    ck_assert_int_eq(dt_exec_init(&e, &p, &s, &k, NULL, NULL, NULL), DT_OK);
    ck_assert_uint_lt(p.arena_bytes, p.sum_bytes);
    draw_pictures();
    dt_exec_set_input(&e, x, pictures);
    dt_exec_set_input(&e, labels, target);
    int checked = check_gradients(&e, loss);
    ck_assert_int_gt(checked, 250);
    dt_exec_fini(&e);
    dt_state_fini(&s);
    dt_plan_fini(&p);
    dt_graph_fini(&g);
}
END_TEST

DT_TEST_MAIN("graph_gradients", planned_gradients_are_central_differences,
             one_value_at_two_inputs_has_both_gradients, a_kept_value_is_not_worked_in,
             a_chain_may_read_an_input, norms_are_what_a_request_says)
