/* Folded batch norms: nothing changes without quantizers; with them a convolution has FQ(w c) / c.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "autograd/op_batchnorm.h"
#include "autograd/op_fold_norm.h"
#include "autograd/query.h"
#include "core/rng.h"
#include "integer/lower.h"
#include "tests/support/nets.h"

enum { BATCH = 3, PICTURE = 32 * 32 * 3, CLASSES = 10 };

#define RECIPE(fold)                                                                               \
    "{model: {name: smallcnn}, data: {name: builtin}, quant: {fold_norm: " fold                    \
    ", weights: {method: lsq, bits: 4, granularity: channel, narrow: yes}, activations: {method: " \
    "lsq, bits: 4}}}"

/* The same numbers for the same names, gammas of both signs. */
static void scramble(test_net *t)
{
    dt_rng rng;
    for (int i = 0; i < t->net.graph.value_count; i++) {
        const dt_value *v = &t->net.graph.value[i];
        real *x = t->net.state.data[i];
        if (!x) continue;
        dt_rng_open(&rng, 5, DT_RNG_TEST, dt_hash_name(v->name), 0);
        bool positive = strstr(v->name, "running_var") || v->role == DT_ROLE_QUANT;
        for (int64_t k = 0; k < dt_shape_count(&v->shape); k++)
            x[k] = (real)(positive ? 0.3 + dt_rng_uniform(&rng) : 0.4 * dt_rng_normal(&rng));
    }
}

static void logits_of(test_net *t, const dt_graph *g, const dt_kernels *k, real *out)
{
    static float x[BATCH * PICTURE];
    dt_plan plan;
    dt_exec exec;
    dt_rng rng;
    const int outputs[] = { t->net.logits };
    dt_rng_open(&rng, 1, DT_RNG_TEST, 0, 0);
    for (int i = 0; i < BATCH * PICTURE; i++)
        x[i] = (float)dt_rng_normal(&rng);
    ck_assert_int_eq(dt_plan_init(&plan,
                                  &(dt_plan_request){ .graph = g,
                                                      .kernels = k,
                                                      .mode = DT_MODE_EVAL,
                                                      .batch = BATCH,
                                                      .threads = 1,
                                                      .outputs = outputs,
                                                      .output_count = 1 },
                                  NULL, NULL),
                     DT_OK);
    ck_assert_int_eq(dt_exec_init(&exec, &plan, &t->net.state, k, NULL, NULL, NULL), DT_OK);
    dt_exec_set_input(&exec, t->net.input, x);
    ck_assert_int_eq(dt_exec_forward(&exec, NULL), DT_OK);
    memcpy(out, dt_exec_value(&exec, t->net.logits), sizeof(real) * BATCH * CLASSES);
    dt_exec_fini(&exec);
    dt_plan_fini(&plan);
}

START_TEST(nothing_changes_without_quantizers)
{
    static const char *const recipes[] = { RECIPE("false"), RECIPE("true") };
    const dt_recipe_phase floats = { .weight_bits = 32, .activation_bits = 32 };
    real logits[2][BATCH * CLASSES];
    dt_kernels k;
    ck_assert_int_eq(dt_kernels_init(&k, "scalar", NULL), DT_OK);
    for (int i = 0; i < 2; i++) {
        test_net t;
        dt_graph g;
        test_net_open(&t, recipes[i], false);
        scramble(&t);
        ck_assert_int_eq(dt_net_phase(&t.net, &floats, NULL, &g, NULL), DT_OK);
        logits_of(&t, &g, &k, logits[i]);
        dt_graph_fini(&g);
        test_net_close(&t);
    }
    for (int i = 0; i < BATCH * CLASSES; i++)
        ck_assert_double_eq_tol((double)logits[0][i], (double)logits[1][i],
                                1e-5 * (1 + fabs((double)logits[0][i])));
}
END_TEST

/* Lowered weights, divided by the norm's factor again, are FQ(w c) / c. */
static void check_conv(const dt_lower_source *src, const dt_node *conv, const dt_node *norm,
                       dt_arena *arena)
{
    dt_lower_product p;
    dt_error err = { .status = DT_OK };
    const dt_node *site = dt_query_site(src->graph, conv->in[1]);
    ck_assert_ptr_nonnull(site);
    const real *w = src->state->data[dt_query_latent(src->graph, site->in[0])];
    const real *s = src->state->data[site->in[1]];
    const real *gamma = src->state->data[norm->in[DT_BN_GAMMA]];
    const real *var = src->state->data[norm->in[DT_BN_VAR]];
    ck_assert_msg(dt_lower_fold(src, conv, norm, NULL, arena, &p, &err) == DT_OK, "%s", err.text);
    int most = p.bits == 8 ? 127 : 7, apart = 0;
    for (int64_t o = 0; o < p.O; o++) {
        double c = (double)gamma[o] / sqrt((double)var[o] + 1e-5), sign = c < 0 ? -1 : 1;
        ck_assert_double_eq_tol((double)p.scale[o] * p.gain, (double)s[o], 1e-6 * (double)s[o]);
        for (int64_t i = o * p.K; i < (o + 1) * p.K; i++) {
            double u = (double)w[i] * c / (double)s[o], q = fmin(fmax(rint(u), -most), most);
            if (fabs(u - floor(u) - .5) < 1e-4) continue; /* a tie may go either way */
            ck_assert_msg((double)p.code[i] / p.gain == q, "%s: %g, not %g", conv->name,
                          (double)p.code[i] / p.gain, q);
            apart += q != fmin(fmax(rint((double)w[i] * sign / (double)s[o]), -most), most);
        }
    }
    ck_assert_int_gt(apart, 0);
}

START_TEST(codes_are_those_of_folded_weights)
{
    test_net t;
    int found = 0;
    test_net_open(&t, RECIPE("true"), false);
    scramble(&t);
    const dt_graph *g = &t.net.graph;
    const dt_lower_source src = { g, &t.net.state, t.net.input, t.net.logits, NULL, false };
    dt_arena *arena = dt_arena_new(NULL, "test");
    for (int i = 0; i < g->node_count; i++) {
        if (!g->node[i].op->batch_stat) continue;
        check_conv(&src, &g->node[g->value[g->node[i].in[DT_BN_X]].producer], &g->node[i], arena);
        found++;
    }
    ck_assert_int_eq(found, 5);
    dt_arena_free(arena);
    test_net_close(&t);
}
END_TEST

START_TEST(negative_scales_are_made_positive_all_the_same)
{
    test_net t;
    int small;
    test_net_open(&t, RECIPE("true"), false);
    scramble(&t);
    ck_assert_int_gt(dt_net_make_gamma_positive(&t.net, &small), 10);
    ck_assert_int_eq(dt_net_make_gamma_positive(&t.net, &small), 0);
    test_net_close(&t);
}
END_TEST

DT_TEST_MAIN("net_fold", codes_are_those_of_folded_weights,
             negative_scales_are_made_positive_all_the_same, nothing_changes_without_quantizers)
