/* Folding batch norm into codes and scales, against the formulas. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>

#include "autograd/quantizer.h"
#include "autograd/query.h"
#include "integer/lower.h"
#include "tests/exchange/net.h"
#include "tests/support/run.h"

static dt_status fold(const testnet *t, const char *conv, const char *norm, dt_arena *arena,
                      dt_lower_product *p, dt_error *err)
{
    const dt_node *n = testnet_node(t, "conv2d", conv), *bn = testnet_node(t, "batchnorm", norm);
    dt_lower_grid x;
    const dt_node *site = dt_query_site(&t->net.graph, n->in[0]);
    DT_TRY(dt_lower_activation(&t->low, site, &x, err));
    dt_status st = dt_lower_fold(&t->low, n, bn, &x, arena, p, err);
    for (int64_t o = 0; st == DT_OK && o < p->O; o++) /* runtimes want exactly this product */
        ck_assert(p->bias_scale[o] == x.scale * p->scale[o]);
    return st;
}

static real *norm_of(const testnet *t, const char *norm, int which)
{
    return t->net.state.data[testnet_node(t, "batchnorm", norm)->in[which]];
}

/* factor * fake-quantized weight and the folded bias, from the codes. */
static void expect_channel(const testnet *t, const dt_lower_product *p, const char *conv,
                           const char *norm, int64_t o)
{
    const dt_node *n = testnet_node(t, "conv2d", conv);
    const dt_node *site = dt_query_site(&t->net.graph, n->in[1]);
    const dt_fakequant_conf *c = site->conf;
    int bits = c->site.bits, qmin = -(1 << (bits - 1)) + (bits == 8), qmax = (1 << (bits - 1)) - 1;
    const real *w = t->net.state.data[site->in[0]];
    double s = (double)t->net.state.data[site->in[1]][0];
    double f = (double)norm_of(t, norm, DT_BN_GAMMA)[o] /
               sqrt((double)norm_of(t, norm, DT_BN_VAR)[o] + 1e-5);
    double b =
        (double)norm_of(t, norm, DT_BN_BETA)[o] - (double)norm_of(t, norm, DT_BN_MEAN)[o] * f;
    for (int64_t i = o * p->K; i < (o + 1) * p->K; i++) {
        float u = (float)w[i] / (float)s;
        double q = rint(fmin(fmax((double)u, qmin), qmax)), code = (double)p->code[i];
        ck_assert_double_eq((f < 0 ? -q : q) * p->gain, code);
        ck_assert_double_eq_tol(code * (double)p->scale[o], f * q * s, 1e-6 * fabs(f) * 8 * s);
    }
    ck_assert_double_le(fabs((double)p->bias_code[o] * (double)p->bias_scale[o] - b),
                        0.5001 * (double)p->bias_scale[o]);
}

START_TEST(codes_stay_and_scales_take_the_norm)
{
    testnet t;
    dt_lower_product p;
    testnet_init(&t, RECIPE_SMALL RECIPE_W4A4);
    dt_arena *arena = dt_arena_new(NULL, "test");
    static const char *const convs[] = { "conv1", "conv2", "conv3" };
    static const char *const norms[] = { "bn1", "bn2", "bn3" };
    int negative = 0;
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(fold(&t, convs[i], norms[i], arena, &p, NULL), DT_OK);
        ck_assert(p.quantized && p.has_bias && p.bias_code && p.scales == p.O);
        ck_assert_int_eq(p.wide, i == 0); /* 8 bits */
        ck_assert_int_eq(p.gain, i == 0 ? 1 : 8);
        for (int64_t o = 0; o < p.O; o++) {
            expect_channel(&t, &p, convs[i], norms[i], o);
            negative += norm_of(&t, norms[i], DT_BN_GAMMA)[o] < 0;
        }
    }
    ck_assert_int_gt(negative, 0);
    dt_arena_free(arena);
    testnet_fini(&t);
}
END_TEST

START_TEST(a_vanished_norm_leaves_its_bias)
{
    testnet t;
    dt_lower_product p;
    testnet_init(&t, RECIPE_SMALL RECIPE_W4A4);
    dt_arena *arena = dt_arena_new(NULL, "test");
    real *gamma = norm_of(&t, "bn2", DT_BN_GAMMA), *beta = norm_of(&t, "bn2", DT_BN_BETA);
    gamma[0] = 0;
    gamma[1] = (real)1e-12;
    gamma[2] = (real)-1e-30;
    gamma[3] = 0;
    beta[0] = (real)0.25, beta[1] = (real)-3, beta[2] = 7, beta[3] = 0;
    ck_assert_int_eq(fold(&t, "conv2", "bn2", arena, &p, NULL), DT_OK);
    for (int o = 0; o < 4; o++) {
        for (int64_t i = 0; i < p.K; i++)
            ck_assert_int_eq(p.code[o * p.K + i], 0);
        ck_assert(p.scale[o] > 0 && p.bias_scale[o] > 0);
        ck_assert_int_le(abs(p.bias_code[o]), 1 << 30);
        ck_assert_double_eq_tol((double)p.bias_code[o] * (double)p.bias_scale[o], (double)beta[o],
                                1e-8);
    }
    for (int o = 4; o < 8; o++)
        expect_channel(&t, &p, "conv2", "bn2", o);
    dt_arena_free(arena);
    testnet_fini(&t);
}
END_TEST

START_TEST(the_lowest_code_cannot_change_its_sign)
{
    testnet t;
    dt_error err;
    dt_lower_product p;
    testnet_init(&t, RECIPE_SMALL RECIPE_W8("no"));
    dt_arena *arena = dt_arena_new(NULL, "test");
    const dt_node *conv = testnet_node(&t, "conv2d", "conv2");
    const dt_node *site = dt_query_site(&t.net.graph, conv->in[1]);
    int64_t K = dt_shape_count(&t.net.graph.value[site->in[0]].shape) / 8;
    t.net.state.data[site->in[0]][5 * K + 1] = -1e6; /* code -128 */
    for (int o = 0; o < 8; o++)
        norm_of(&t, "bn2", DT_BN_GAMMA)[o] = 1;
    ck_assert_int_eq(fold(&t, "conv2", "bn2", arena, &p, NULL), DT_OK);
    norm_of(&t, "bn2", DT_BN_GAMMA)[5] = -1;
    ck_assert_int_eq(fold(&t, "conv2", "bn2", arena, &p, &err), DT_ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.text, "conv2"));
    ck_assert_ptr_nonnull(strstr(err.text, "channel 5"));
    norm_of(&t, "bn2", DT_BN_GAMMA)[5] = INFINITY;
    ck_assert_int_eq(fold(&t, "conv2", "bn2", arena, &p, &err), DT_ERR_NUMERIC);
    dt_arena_free(arena);
    testnet_fini(&t);
}
END_TEST

START_TEST(float_weights_take_the_norm)
{
    testnet t;
    dt_lower_product p;
    testnet_init(&t, RECIPE_SMALL);
    dt_arena *arena = dt_arena_new(NULL, "test");
    const dt_node *conv = testnet_node(&t, "conv2d", "conv2");
    const dt_node *bn = testnet_node(&t, "batchnorm", "bn2");
    ck_assert_int_eq(dt_lower_fold(&t.low, conv, bn, NULL, arena, &p, NULL), DT_OK);
    ck_assert(!p.quantized && p.has_bias && !p.bias_code);
    const real *w = t.net.state.data[conv->in[1]]; /* [8,3,3,4] */
    double f = (double)norm_of(&t, "bn2", DT_BN_GAMMA)[6] /
               sqrt((double)norm_of(&t, "bn2", DT_BN_VAR)[6] + 1e-5);
    for (int i = 6 * 36; i < 7 * 36; i++)
        ck_assert_double_eq_tol((double)p.weight[i], f * (double)w[i], 1e-6);
    dt_arena_free(arena);
    testnet_fini(&t);
}
END_TEST

#define EDGE "{weights: {method: lsq, bits: 8}, activations: {method: lsq, bits: 8}}"
/* Levels of APoT, worked out from eq. 5-8 of the paper: sums of powers of two, on one grid. */
START_TEST(codes_of_apot_are_its_levels)
{
    static const struct {
        const char *recipe;
        int count, level[16];
    } cases[] = {
#define APOT(bits)                                                                                 \
    RECIPE_SMALL "quant: {weights: {method: apot, bits: " bits "}, "                               \
                 "activations: {method: lsq, bits: 4}, first: " EDGE ", last: " EDGE "}\n"
        { APOT("3"), 4, { 0, 1, 2, 4 } },
        { APOT("4"), 8, { 0, 1, 2, 3, 4, 6, 8, 10 } },
        { APOT("5"), 16, { 0, 1, 2, 3, 4, 6, 8, 9, 12, 16, 18, 24, 32, 33, 36, 48 } },
    };
    for (size_t k = 0; k < DT_ARRAY_LEN(cases); k++) {
        testnet t;
        dt_lower_product p;
        int found = 0;
        testnet_init(&t, cases[k].recipe);
        dt_arena *arena = dt_arena_new(NULL, "test");
        ck_assert_int_eq(fold(&t, "conv3", "bn3", arena, &p, NULL), DT_OK);
        ck_assert(!p.wide); /* no level is above 64 */
        for (int l = 0; l < cases[k].count; l++) {
            bool is_there = false;
            for (int64_t i = 0; i < p.O * p.K; i++)
                is_there = is_there || abs(p.code[i]) == cases[k].level[l] * p.gain;
            found += is_there;
        }
        for (int64_t i = 0; i < p.O * p.K; i++) {
            int l = 0;
            while (l < cases[k].count && abs(p.code[i]) != cases[k].level[l] * p.gain)
                l++;
            ck_assert_msg(l < cases[k].count, "%d is no level", p.code[i]);
        }
        ck_assert_int_gt(2 * found, cases[k].count);
        dt_arena_free(arena);
        testnet_fini(&t);
    }
}
END_TEST

DT_TEST_MAIN("lower_fold", codes_stay_and_scales_take_the_norm, a_vanished_norm_leaves_its_bias,
             the_lowest_code_cannot_change_its_sign, float_weights_take_the_norm,
             codes_of_apot_are_its_levels)
