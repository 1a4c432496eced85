/* SPDX-License-Identifier: Apache-2.0 */
#include "train/run/accumulate.h"

#include <math.h>
#include <string.h>

#include "core/rng.h"
#include "fakequant/uniform.h"
#include "tests/support/nets.h"

static void add_param(dt_graph *g, const char *name, int64_t n, int *out_id)
{
    const dt_value v = {
        .name = name, .kind = DT_VALUE_PARAM, .shape = DT_SHAPE(n), .role = DT_ROLE_WEIGHT
    };
    ck_assert_int_eq(dt_graph_value(g, &v, out_id, NULL), DT_OK);
}

static dt_status init(dt_accumulate *sums, const dt_graph *g, int batches, int rank, int ranks)
{
    dt_share share;
    int fit;
    ck_assert(dt_share_of(batches, rank, ranks, &share, &fit));
    return dt_accumulate_init(sums, &share, g, 0, NULL, NULL);
}

START_TEST(the_last_batch_leaves_the_mean)
{
    dt_graph g;
    dt_state s;
    int a, b;
    ck_assert_int_eq(dt_graph_init(&g, NULL, NULL), DT_OK);
    add_param(&g, "a", 3, &a);
    add_param(&g, "b", 1, &b);
    ck_assert_int_eq(dt_state_init(&s, &g, true, 1, NULL, NULL), DT_OK);
    for (int batches = 1; batches <= 4; batches++) {
        dt_accumulate sums;
        ck_assert_int_eq(init(&sums, &g, batches, 0, 1), DT_OK);
        ck_assert_uint_eq(sums.bytes, (size_t)(batches > 2 ? 2 : batches - 1) * 4 * sizeof(real));
        for (int step = 0; step < 2; step++) { /* nothing of a step is left in the next */
            for (int i = 0; i < batches; i++) {
                for (int k = 0; k < 3; k++)
                    s.grad[a][k] = (real)((i + 1) * (k + 1) + step);
                s.grad[b][0] = (real)(i == 0 ? 8 : 0);
                dt_accumulate_add(&sums, &s, i);
            }
            double mean = (batches + 1) / 2.0;
            for (int k = 0; k < 3; k++)
                ck_assert(fabs((double)s.grad[a][k] - mean * (k + 1) - step) < 1e-5);
            ck_assert(fabs((double)s.grad[b][0] - 8.0 / batches) < 1e-6);
        }
        dt_accumulate_fini(&sums);
    }
    dt_state_fini(&s);
    dt_graph_fini(&g);
}
END_TEST

/* The definition: the first p batches and the rest, p the largest power of two below their number.
 */
static real tree(const real *x, int n)
{
    int p = 1;
    if (n == 1) return x[0];
    while (2 * p < n)
        p *= 2;
    return tree(x, p) + tree(x + p, n - p);
}

static double tree_of_doubles(const double *x, int n)
{
    int p = 1;
    if (n == 1) return x[0];
    while (2 * p < n)
        p *= 2;
    return tree_of_doubles(x, p) + tree_of_doubles(x + p, n - p);
}

enum { MOST = 70 };

START_TEST(sums_are_a_balanced_tree)
{
    dt_graph g;
    dt_state s;
    dt_rng rng;
    int a, differ = 0;
    dt_rng_open(&rng, 3, DT_RNG_TEST, 0, 0);
    ck_assert_int_eq(dt_graph_init(&g, NULL, NULL), DT_OK);
    add_param(&g, "a", 2, &a);
    ck_assert_int_eq(dt_state_init(&s, &g, true, 1, NULL, NULL), DT_OK);
    for (int batches = 1; batches <= MOST; batches++) {
        dt_accumulate sums;
        real x[2][MOST], row = 0;
        double loss[MOST], level[DT_ACCUMULATE_LEVELS], total = 0;
        ck_assert_int_eq(init(&sums, &g, batches, 0, 1), DT_OK);
        for (int i = 0; i < batches; i++) {
            for (int k = 0; k < 2; k++) {
                s.grad[a][k] = (real)dt_rng_normal(&rng);
                x[k][i] = (real)1 / (real)batches * s.grad[a][k];
            }
            row += x[0][i];
            loss[i] = dt_rng_normal(&rng);
            dt_accumulate_add(&sums, &s, i);
            total = dt_accumulate_number(&sums, level, i, loss[i]);
        }
        for (int k = 0; k < 2; k++)
            ck_assert_msg(s.grad[a][k] == tree(x[k], batches), "%d batches: another order",
                          batches);
        ck_assert(total == tree_of_doubles(loss, batches));
        differ += row != s.grad[a][0];
        dt_accumulate_fini(&sums);
    }
    ck_assert_int_gt(differ, MOST / 3);
    dt_state_fini(&s);
    dt_graph_fini(&g);
}
END_TEST

/* The sums of blocks, added in the same tree over the ranks, are the sum of all. */
START_TEST(shares_are_subtrees)
{
    dt_graph g;
    dt_state s;
    dt_rng rng;
    int a, shared = 0;
    dt_rng_open(&rng, 4, DT_RNG_TEST, 0, 0);
    ck_assert_int_eq(dt_graph_init(&g, NULL, NULL), DT_OK);
    add_param(&g, "a", 1, &a);
    ck_assert_int_eq(dt_state_init(&s, &g, true, 1, NULL, NULL), DT_OK);
    for (int batches = 1; batches <= MOST; batches++) {
        real x[MOST], scaled[MOST];
        for (int i = 0; i < batches; i++) {
            x[i] = (real)dt_rng_normal(&rng);
            scaled[i] = (real)1 / (real)batches * x[i];
        }
        for (int ranks = 1; ranks <= batches + 3; ranks++) {
            dt_share share;
            int fit, next = 0;
            real sum[MOST];
            if (!dt_share_of(batches, 0, ranks, &share, &fit)) {
                ck_assert_int_gt(fit, 0);
                ck_assert_int_lt(fit, ranks);
                ck_assert(dt_share_of(batches, fit - 1, fit, &share, &fit));
                continue;
            }
            for (int rank = 0; rank < ranks; rank++) {
                dt_accumulate sums;
                ck_assert_int_eq(init(&sums, &g, batches, rank, ranks), DT_OK);
                share = sums.share;
                ck_assert_int_eq(share.first, next);
                ck_assert_int_eq(share.first, rank * share.block);
                ck_assert(share.count == share.block || (rank == ranks - 1 && share.count > 0));
                next += share.count;
                for (int i = share.first; i < next; i++) {
                    s.grad[a][0] = x[i];
                    dt_accumulate_add(&sums, &s, i);
                }
                sum[rank] = s.grad[a][0];
                dt_accumulate_fini(&sums);
            }
            ck_assert_int_eq(next, batches);
            ck_assert_msg(tree(sum, ranks) == tree(scaled, batches), "%d among %d", batches, ranks);
            shared++;
        }
    }
    ck_assert_int_gt(shared, 3 * MOST);
    dt_state_fini(&s);
    dt_graph_fini(&g);
}
END_TEST

enum { BATCH = 4, PIXELS = BATCH * 32 * 32 * 3 };

typedef struct side {
    test_net t;
    dt_plan plan;
    dt_exec e;
} side;

static void open_side(side *s, const dt_kernels *k, bool plain)
{
    test_net_open(&s->t,
                  "{model: {name: smallcnn, width: 8}, data: {name: builtin}, quant: {fold_norm: "
                  "true, weights: {method: lsq, bits: 4}, activations: {method: lsq, bits: 4}}}",
                  true);
    const int outputs[] = { s->t.net.loss, s->t.net.logits };
    const dt_graph *g = plain ? &s->t.net.graph : dt_net_steps(&s->t.net);
    ck_assert_int_eq(dt_plan_init(&s->plan,
                                  &(dt_plan_request){ .graph = g,
                                                      .kernels = k,
                                                      .mode = DT_MODE_TRAIN,
                                                      .batch = BATCH,
                                                      .threads = 2,
                                                      .outputs = outputs,
                                                      .output_count = 2 },
                                  NULL, NULL),
                     DT_OK);
    ck_assert_int_eq(dt_exec_init(&s->e, &s->plan, &s->t.net.state, k, NULL, NULL, NULL), DT_OK);
}

static void close_side(side *s)
{
    dt_exec_fini(&s->e);
    dt_plan_fini(&s->plan);
    test_net_close(&s->t);
}

/* Where the numbers of the first batch norm are. */
static int64_t first_moves(const dt_plan *p)
{
    for (int i = 0; i < p->graph->node_count; i++)
        if (p->node[i].moves >= 0) return p->node[i].moves;
    ck_abort_msg("no batch norm");
    return 0;
}

static void pass(side *s, const real *x, const int32_t *labels)
{
    dt_exec_set_input(&s->e, s->t.net.input, x);
    dt_exec_set_input(&s->e, s->t.net.labels, labels);
    ck_assert_int_eq(dt_exec_forward(&s->e, NULL), DT_OK);
    dt_exec_backward(&s->e);
}

static void expect_same(const dt_graph *g, real *const *x, real *const *y)
{
    for (int i = 0; i < g->value_count; i++)
        if (x[i])
            ck_assert_msg(
                memcmp(x[i], y[i], (size_t)dt_shape_count(&g->value[i].shape) * sizeof(real)) == 0,
                "%s differs", g->value[i].name);
}

/* Every batch of a step reads the statistics of before it (folded norms read them), and has the
 * gradients that it has alone. When all have run, the statistics move by one after the other. */
START_TEST(statistics_move_behind_the_last_batch)
{
    static real x[3][PIXELS];
    const int32_t labels[BATCH] = { 1, 2, 3, 4 };
    dt_kernels k;
    dt_rng rng;
    dt_rng_open(&rng, 9, DT_RNG_TEST, 0, 0);
    for (int i = 0; i < 3 * PIXELS; i++)
        x[i / PIXELS][i % PIXELS] = (real)dt_rng_normal(&rng);
    ck_assert_int_eq(dt_kernels_init(&k, NULL, NULL), DT_OK);
    for (int plain = 0; plain < 2; plain++) {
        side a, alone;
        dt_accumulate sums;
        open_side(&a, &k, plain);
        ck_assert_int_gt(a.plan.moves, 0);
        dt_share whole;
        int fit;
        ck_assert(dt_share_of(3, 0, 1, &whole, &fit));
        ck_assert_int_eq(
            dt_accumulate_init(&sums, &whole, &a.t.net.graph, a.plan.moves, NULL, NULL), DT_OK);
        for (int i = 0; i < 3; i++) {
            dt_accumulate_forward(&sums, &a.e, i);
            pass(&a, x[i], labels);
            open_side(&alone, &k, plain);
            pass(&alone, x[i], labels);
            expect_same(&a.t.net.graph, a.t.net.state.grad, alone.t.net.state.grad);
            if (i < 2) close_side(&alone);
        }
        dt_accumulate_move(&sums, &a.e);
        ck_assert_ptr_null(a.e.moves);
        int id = dt_graph_find(&a.t.net.graph, "bn1.running_mean");
        const real *mean = a.t.net.state.data[id];
        double want = 0;
        for (int i = 0; i < 3; i++)
            want = (real)(0.9 * want + 0.1 * sums.moves[(size_t)i * sums.moves_of_batch +
                                                        (size_t)first_moves(&a.plan)]);
        ck_assert(mean[0] == (real)want && want != 0);
        close_side(&alone);
        close_side(&a);
        dt_accumulate_fini(&sums);
    }
}
END_TEST

/* LSQ: 1 / sqrt(N qmax), N counting the nominal batch. */
START_TEST(gradient_scales_count_the_nominal_batch)
{
    dt_quant_site site = { .bits = 4, .groups = 1, .count = 1000, .features = 10 };
    double one = dt_uniform_grad_factor(DT_GRAD_SQRT_NQ, DT_COUNT_NUMEL, &site, 15);
    site.batches = 4;
    ck_assert(fabs(one - 1 / sqrt(1000 * 15.0)) < 1e-12);
    double four = dt_uniform_grad_factor(DT_GRAD_SQRT_NQ, DT_COUNT_NUMEL, &site, 15);
    ck_assert(fabs(four - one / 2) < 1e-12);
    double features = dt_uniform_grad_factor(DT_GRAD_SQRT_NQ, DT_COUNT_FEATURES, &site, 15);
    ck_assert(fabs(features - 1 / sqrt(10 * 15.0)) < 1e-12);
    site.weight = true; /* a weight has no batch */
    ck_assert(fabs(dt_uniform_grad_factor(DT_GRAD_SQRT_NQ, DT_COUNT_NUMEL, &site, 15) - one) <
              1e-12);
}
END_TEST

DT_TEST_MAIN("accumulate", the_last_batch_leaves_the_mean, sums_are_a_balanced_tree,
             shares_are_subtrees, statistics_move_behind_the_last_batch,
             gradient_scales_count_the_nominal_batch)
