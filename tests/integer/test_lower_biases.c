/* Rounded biases in the float network are those of the integer model. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "autograd/query.h"
#include "integer/lower.h"
#include "tests/exchange/net.h"
#include "tests/support/run.h"

static dt_lower_product fold(const testnet *t, const char *conv, const char *norm, dt_arena *arena)
{
    dt_lower_grid x;
    dt_lower_product p;
    const dt_node *n = testnet_node(t, norm ? "conv2d" : "linear", conv);
    const dt_node *bn = norm ? testnet_node(t, "batchnorm", norm) : NULL;
    ck_assert_int_eq(dt_lower_activation(&t->low, dt_query_site(&t->net.graph, n->in[0]), &x, NULL),
                     DT_OK);
    ck_assert_int_eq(dt_lower_fold(&t->low, n, bn, &x, arena, &p, NULL), DT_OK);
    return p;
}

static void round_biases(testnet *t, int *out_count)
{
    dt_lowered *l;
    ck_assert_int_eq(dt_lower_new(&t->low, &l, NULL), DT_OK);
    dt_lower_round_biases(l, &t->net.state, out_count);
    dt_lower_free(l);
}

static void expect_same(const dt_lower_product *a, const dt_lower_product *b)
{
    for (int64_t o = 0; o < a->O; o++) {
        ck_assert_int_eq(a->bias_code[o], b->bias_code[o]);
        ck_assert_float_eq_tol(a->bias[o], b->bias[o], 0.51f * a->bias_scale[o]);
        /* what is left is the rounding of beta to float */
        ck_assert_double_eq_tol((double)b->bias[o],
                                (double)b->bias_code[o] * (double)b->bias_scale[o], 1e-6);
    }
    ck_assert_mem_eq(a->code, b->code, (size_t)(a->O * a->K) * sizeof *a->code);
}

START_TEST(biases_are_on_their_grid_afterwards)
{
    testnet t;
    int count = 0, off = 0;
    testnet_init(&t, RECIPE_SMALL RECIPE_W4A4);
    dt_arena *arena = dt_arena_new(NULL, "test");
    t.net.state.data[testnet_node(&t, "batchnorm", "bn2")->in[DT_BN_GAMMA]][1] = (real)1e-15;
    dt_lower_product conv = fold(&t, "conv2", "bn2", arena), fc = fold(&t, "fc", NULL, arena);
    for (int64_t o = 0; o < conv.O; o++) {
        double b = (double)conv.bias_code[o] * (double)conv.bias_scale[o];
        off += fabs(b - (double)conv.bias[o]) > 1e-5;
    }
    ck_assert_int_gt(off, 0); /* there was something to round */
    round_biases(&t, &count);
    ck_assert_int_eq(count, 4 + 8 + 8 + 16 + 16 + 10);
    dt_lower_product conv2 = fold(&t, "conv2", "bn2", arena), fc2 = fold(&t, "fc", NULL, arena);
    expect_same(&conv, &conv2);
    expect_same(&fc, &fc2);
    dt_arena_free(arena);
    testnet_fini(&t);
}
END_TEST

START_TEST(a_float_net_stays)
{
    testnet t;
    int count = -1;
    testnet_init(&t, RECIPE_SMALL);
    const real *beta = t.net.state.data[testnet_node(&t, "batchnorm", "bn2")->in[DT_BN_BETA]];
    real before = beta[3];
    round_biases(&t, &count);
    ck_assert_int_eq(count, 0);
    ck_assert(beta[3] == before);
    testnet_fini(&t);
}
END_TEST

DT_TEST_MAIN("lower_biases", biases_are_on_their_grid_afterwards, a_float_net_stays)
