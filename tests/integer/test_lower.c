/* What graphs mean in integers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/query.h"
#include "integer/lower.h"

#include "fakequant/quantizers.h"
#include "tests/exchange/net.h"
#include "tests/support/run.h"

static void cone(const testnet *t, bool needed[512])
{
    ck_assert_int_le(t->net.graph.node_count, 512);
    dt_query_cone(t->low.graph, &t->low.logits, 1, needed);
}

START_TEST(the_loss_is_not_needed)
{
    testnet t;
    bool needed[512];
    testnet_init(&t, RECIPE_SMALL);
    cone(&t, needed);
    const dt_graph *g = &t.net.graph;
    for (int i = 0; i < g->node_count; i++)
        ck_assert_int_eq(needed[i], strcmp(g->node[i].op->name, "softmax_ce") != 0);
    testnet_fini(&t);
}
END_TEST

START_TEST(a_norm_belongs_to_the_conv_before_it)
{
    testnet t;
    bool needed[512];
    testnet_init(&t, RECIPE_SMALL);
    cone(&t, needed);
    const dt_node *conv = testnet_node(&t, "conv2d", "conv2");
    ck_assert_ptr_eq(dt_query_norm(&t.net.graph, needed, conv),
                     testnet_node(&t, "batchnorm", "bn2"));
    ck_assert_ptr_null(dt_query_norm(&t.net.graph, needed, testnet_node(&t, "relu", "relu1")));
    testnet_fini(&t);
}
END_TEST

START_TEST(padded_channels_keep_their_grid)
{
    testnet t;
    testnet_init(&t, RECIPE_RESNET RECIPE_W4A4);
    const dt_node *pad = testnet_node(&t, "pad_channels", "layer2.0.shortcut");
    ck_assert_ptr_eq(dt_query_site(&t.net.graph, pad->out[0]),
                     testnet_node(&t, "fakequant", "layer1.2.output_quant"));
    ck_assert_ptr_null(dt_query_site(&t.net.graph, t.net.input));
    testnet_fini(&t);
}
END_TEST

static int missing(const char *recipe, char *text, size_t size)
{
    testnet t;
    bool needed[512];
    testnet_init(&t, recipe);
    cone(&t, needed);
    int n = dt_lower_missing(&t.low, needed, text, size);
    testnet_fini(&t);
    return n;
}

START_TEST(missing_sites_are_counted_and_named)
{
    char text[300];
    ck_assert_int_eq(missing(RECIPE_RESNET RECIPE_W4A4, text, sizeof text), 0);
    ck_assert_str_eq(text, "");
    /* 19 convs without quantized outputs but for the 10 whose relu one quantizer alone reads, ...
     */
    int n = missing(RECIPE_RESNET RECIPE_QUANT("placement: paper"), text, sizeof text);
    ck_assert_int_gt(n, 20);
    ck_assert_ptr_nonnull(strstr(text, "output of 'conv1'"));
    ck_assert_ptr_nonnull(strstr(text, "an addend of 'layer1.0'"));
    /* 5 convs and the linear lack weights, input and output, the pool lacks input and output */
    n = missing(RECIPE_SMALL, text, sizeof text);
    ck_assert_int_eq(n, 20);
    char little[8];
    ck_assert_int_eq(missing(RECIPE_SMALL, little, sizeof little), 20);
    ck_assert_uint_lt(strlen(little), sizeof little);
}
END_TEST

static dt_lower_grid grid_of(const testnet *t, const char *site)
{
    dt_lower_grid g;
    const dt_node *n = testnet_node(t, "fakequant", site);
    ck_assert_ptr_nonnull(n);
    ck_assert_int_eq(dt_lower_activation(&t->low, n, &g, NULL), DT_OK);
    ck_assert(g.scale == t->net.state.data[n->in[1]][0]);
    return g;
}

/* The share of a recipe's MACs that are done in integers; `out_last`: that of its last
 * layer, which graphs without quantizers tell. */
static double macs(const char *recipe, double *out_last)
{
    testnet t;
    bool needed[512];
    int64_t all = 0, last = 0;
    testnet_init(&t, recipe);
    cone(&t, needed);
    const dt_graph *g = &t.net.graph;
    for (int i = 0; i < g->node_count; i++) {
        all += dt_query_macs(g, &g->node[i]);
        if (g->node[i].role == DT_LAYER_LAST) last += dt_query_macs(g, &g->node[i]);
    }
    *out_last = (double)last / (double)all;
    double share = dt_lower_macs(&t.low, needed);
    testnet_fini(&t);
    return share;
}

START_TEST(the_share_of_integers_is_told)
{
    double last, none;
    ck_assert(macs(RECIPE_RESNET RECIPE_W4A4, &none) == 1);
    ck_assert(macs(RECIPE_SMALL, &last) == 0);
    ck_assert(last > 0 && last < 0.1);
    double share = macs(RECIPE_SMALL RECIPE_QUANT("last: none"), &none);
    ck_assert_double_eq_tol(share, 1 - last, 1e-12);
}
END_TEST

START_TEST(activations_are_unsigned_bytes)
{
    testnet t;
    testnet_init(&t, RECIPE_SMALL RECIPE_W4A4);
    dt_lower_grid g = grid_of(&t, "conv1.input_quant");
    ck_assert(g.zero_point == 128 && g.low == 0 && g.high == 255);
    g = grid_of(&t, "conv2.input_quant");
    ck_assert(g.zero_point == 0 && g.low == 0 && g.high == 15);
    testnet_fini(&t);
    testnet_init(&t, RECIPE_SMALL RECIPE_QUANT("first: {activations: 4}"));
    g = grid_of(&t, "conv1.input_quant");
    ck_assert(g.zero_point == 128 && g.low == 120 && g.high == 135);
    testnet_fini(&t);
    testnet_init(&t, RECIPE_SMALL RECIPE_QUANT("first: {activations: {bits: 8, narrow: yes}}"));
    g = grid_of(&t, "conv1.input_quant");
    ck_assert(g.zero_point == 128 && g.low == 1 && g.high == 255);
    testnet_fini(&t);
}
END_TEST

/* The configuration of a site, to be spoiled. */
static dt_fakequant_conf *conf_of(const testnet *t, const char *site)
{
    return (dt_fakequant_conf *)(uintptr_t)testnet_node(t, "fakequant", site)->conf;
}

static bool no_grid(const void *options, const dt_quant_site *site, const real *params,
                    const real *stats, dt_grid *out)
{
    (void)options;
    (void)site;
    (void)params;
    (void)stats;
    *out = (dt_grid){ .scale = 1, .qmax = 1 };
    return false;
}

START_TEST(what_has_no_integer_codes_is_refused_by_name)
{
    testnet t;
    dt_error err;
    dt_lower_grid g;
    testnet_init(&t, RECIPE_SMALL RECIPE_W4A4);
    const dt_node *n = testnet_node(&t, "fakequant", "conv2.input_quant");
    dt_fakequant_conf *c = conf_of(&t, "conv2.input_quant");
    dt_quantizer other = *c->quantizer;
    other.grid = NULL;
    c->quantizer = &other;
    ck_assert_int_eq(dt_lower_activation(&t.low, n, &g, &err), DT_ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.text, "conv2.input_quant"));
    other.grid = no_grid;
    other.grid_wants = "this: that";
    ck_assert_int_eq(dt_lower_activation(&t.low, n, &g, &err), DT_ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.text, "conv2.input_quant"));
    ck_assert_msg(strstr(err.text, "it has with this: that") != NULL, "%s", err.text);
    other.grid = dt_quantizer_of(dt_table_find(&dt_quantizers, "lsq"))->grid;
    t.net.state.data[n->in[1]][0] = t.net.state.data[n->in[2]][0] = NAN;
    ck_assert_int_eq(dt_lower_activation(&t.low, n, &g, &err), DT_ERR_NUMERIC);
    testnet_fini(&t);
}
END_TEST

static float spoiled_offset;

static void plan_with_offset(const void *conf, const dt_quant_site *site, const real *params,
                             const real *stats, dt_encode *out)
{
    dt_quantizer_of(dt_table_find(&dt_quantizers, "lsq"))->plan(conf, site, params, stats, out);
    out->offset = spoiled_offset * out->scale;
}

#define LSQPLUS(offset)                                                                            \
    RECIPE_SMALL                                                                                   \
    "quant: {weights: {method: lsq, bits: 4}, activations: {method: lsqplus, bits: 4, "            \
    "config: unsigned_offset, offset: " offset "}}\n"

START_TEST(an_offset_of_lsqplus_is_a_zero_point_or_refused)
{
    testnet t;
    dt_error err;
    dt_lower_grid g;
    testnet_init(&t, LSQPLUS("integer"));
    const dt_node *n = testnet_node(&t, "fakequant", "conv2.input_quant");
    double s = (double)t.net.state.data[n->in[1]][0];
    t.net.state.data[n->in[2]][0] = (real)(-2.4 * s);
    ck_assert_int_eq(dt_lower_activation(&t.low, n, &g, &err), DT_OK);
    ck_assert(g.zero_point == 2 && g.low == 0 && g.high == 15);
    testnet_fini(&t);
    testnet_init(&t, LSQPLUS("float"));
    n = testnet_node(&t, "fakequant", "conv2.input_quant");
    ck_assert_int_eq(dt_lower_activation(&t.low, n, &g, &err), DT_ERR_UNSUPPORTED);
    ck_assert_msg(strstr(err.text, "conv2.input_quant") && strstr(err.text, "offset: integer"),
                  "%s", err.text);
    testnet_fini(&t);
}
END_TEST

#define EDGE "{weights: {method: lsq, bits: 8}, activations: {method: lsq, bits: 8}}"
START_TEST(uneven_steps_of_activations_are_refused)
{
    testnet t;
    dt_error err;
    dt_lower_grid g;
    testnet_init(&t, RECIPE_SMALL "quant: {weights: {method: lsq, bits: 4}, "
                                  "activations: {method: apot, bits: 4}, first: " EDGE
                                  ", last: " EDGE "}\n");
    const dt_node *n = testnet_node(&t, "fakequant", "conv2.input_quant");
    ck_assert_int_eq(dt_lower_activation(&t.low, n, &g, &err), DT_ERR_UNSUPPORTED);
    ck_assert_msg(strstr(err.text, "conv2.input_quant") && strstr(err.text, "uneven steps"), "%s",
                  err.text);
    testnet_fini(&t);
}
END_TEST

START_TEST(an_offset_between_steps_is_refused)
{
    testnet t;
    dt_error err;
    dt_lower_grid g;
    testnet_init(&t, RECIPE_SMALL RECIPE_W4A4);
    const dt_node *n = testnet_node(&t, "fakequant", "conv2.input_quant");
    dt_fakequant_conf *c = conf_of(&t, "conv2.input_quant");
    dt_quantizer other = *c->quantizer;
    other.plan = plan_with_offset;
    c->quantizer = &other;
    spoiled_offset = 0;
    ck_assert_int_eq(dt_lower_activation(&t.low, n, &g, &err), DT_OK);
    spoiled_offset = 0.5f;
    ck_assert_int_eq(dt_lower_activation(&t.low, n, &g, &err), DT_ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.text, "conv2.input_quant"));
    ck_assert_ptr_nonnull(strstr(err.text, "offset"));
    testnet_fini(&t);
}
END_TEST

DT_TEST_MAIN("lower", the_loss_is_not_needed, a_norm_belongs_to_the_conv_before_it,
             padded_channels_keep_their_grid, missing_sites_are_counted_and_named,
             the_share_of_integers_is_told, activations_are_unsigned_bytes,
             what_has_no_integer_codes_is_refused_by_name, an_offset_between_steps_is_refused,
             an_offset_of_lsqplus_is_a_zero_point_or_refused,
             uneven_steps_of_activations_are_refused)
