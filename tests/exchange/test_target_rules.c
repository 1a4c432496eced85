/* Every rule, on a net that breaks it and on one that does not. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/quantizer.h"
#include "autograd/query.h"
#include "exchange/target/target.h"
#include "tests/exchange/net.h"
#include "tests/support/run.h"

static const dt_target *target(const char *name)
{
    const dt_row *row = dt_table_find(&dt_targets, name);
    ck_assert_msg(row != NULL, "no target '%s'", name);
    return dt_target_of(row);
}

static const dt_target_finding *found(const dt_target_report *r, const dt_target_rule *rule)
{
    for (int i = 0; i < r->count; i++)
        if (r->finding[i].rule == rule) return &r->finding[i];
    return NULL;
}

#define RECIPE_7 RECIPE_QUANT("residual: {bits: 7}, last: {weights: 4, activations: 4}")
#define RECIPE_OFFSET                                                                              \
    "quant: {weights: {method: lsq, bits: 4}, activations: {method: asymmetric, "                  \
    "form: scale_offset, bits: 8}}\n"

static const struct {
    const char *recipe, *target;
    const dt_target_rule *rule;
    bool allow_float, breaks;
    const char *place; /* in what was found */
} cases[] = {
    { RECIPE_SMALL RECIPE_QUANT("placement: paper"), "ort", &dt_rule_complete, false, true,
      "avgpool" },
    { RECIPE_SMALL RECIPE_QUANT("placement: paper"), "ort", &dt_rule_complete, true, false, NULL },
    { RECIPE_SMALL, "mcu", &dt_rule_complete, false, true, "conv1" },
    { RECIPE_SMALL RECIPE_W4A4, "mcu", &dt_rule_complete, false, false, NULL },
    { RECIPE_SMALL RECIPE_W8("no"), "litert", &dt_rule_narrow, false, true, "-128" },
    { RECIPE_SMALL RECIPE_W8("yes"), "litert", &dt_rule_narrow, false, false, NULL },
    { RECIPE_SMALL RECIPE_OFFSET, "finn", &dt_rule_no_offset, false, true, "conv1.input_quant" },
    { RECIPE_SMALL RECIPE_W4A4, "finn", &dt_rule_no_offset, false, false, NULL },
    { RECIPE_SMALL RECIPE_W4A4, "finn", &dt_rule_few_thresholds, false, true, "255" },
    { RECIPE_SMALL RECIPE_W4A4, "trt", &dt_rule_unsigned_7, false, true, "255" },
    { RECIPE_SMALL RECIPE_7, "trt", &dt_rule_unsigned_7, false, false, NULL },
    { RECIPE_SMALL RECIPE_7, "openvino", &dt_rule_levels, false, true, "128" },
    { RECIPE_SMALL RECIPE_W4A4, "openvino", &dt_rule_levels, false, false, NULL },
    { RECIPE_RESNET RECIPE_W4A4, "trt", &dt_rule_skip_only, false, true, "layer1.0" },
    { RECIPE_SMALL RECIPE_W4A4, "trt", &dt_rule_skip_only, false, false, NULL },
    { RECIPE_SMALL RECIPE_QUANT(
          "rules: [{layers: conv2, weights: {granularity: group, group: 2}}]"),
      "mcu", &dt_rule_weight_scale, false, true, "conv2" },
    { RECIPE_SMALL "quant: {weights: {method: lsq, bits: 4, granularity: channel}, "
                   "activations: {method: lsq, bits: 4}}\n",
      "mcu", &dt_rule_weight_scale, false, false, NULL },
};

/* Norms of positive scale: code -128 has another refusal behind a negative one. */
static void make_positive(testnet *t)
{
    for (int i = 0; i < t->net.graph.node_count; i++) {
        const dt_node *n = &t->net.graph.node[i];
        if (!n->op->batch_stat) continue;
        for (int64_t c = 0; c < t->net.graph.value[n->in[DT_BN_GAMMA]].shape.dim[0]; c++)
            t->net.state.data[n->in[DT_BN_GAMMA]][c] = 1;
    }
    const dt_node *conv = testnet_node(t, "conv2d", "conv2");
    const dt_node *site = conv ? dt_query_site(&t->net.graph, conv->in[1]) : NULL;
    if (site) t->net.state.data[site->in[0]][0] = -1000; /* the lowest code there is */
    const dt_node *input = testnet_node(t, "fakequant", "conv1.input_quant");
    const dt_fakequant_conf *c = input ? input->conf : NULL;
    if (c && strcmp(c->quantizer->row.name, "asymmetric") == 0)
        t->net.state.data[input->in[2]][0] = 37; /* the zero point */
}

START_TEST(each_rule_finds_its_places)
{
    for (size_t i = 0; i < DT_ARRAY_LEN(cases); i++) {
        testnet t;
        dt_target_report r;
        dt_error err = { .text = "" };
        testnet_init(&t, cases[i].recipe);
        make_positive(&t);
        ck_assert_msg(dt_target_check(target(cases[i].target), &t.src, cases[i].allow_float, &r,
                                      &err) == DT_OK,
                      "case %zu: %s", i, err.text);
        const dt_target_finding *f = found(&r, cases[i].rule);
        ck_assert_msg((f != NULL) == cases[i].breaks, "case %zu: %s", i, f ? f->places : "nothing");
        if (f)
            ck_assert_msg(strstr(f->places, cases[i].place) != NULL, "case %zu: %s", i, f->places);
        if (f && !cases[i].rule->note) ck_assert_int_gt(r.broken, 0);
        testnet_fini(&t);
    }
}
END_TEST

/* Of a net whose quantizers have no numbers. */
START_TEST(what_no_number_mends_is_known_early)
{
    static const struct {
        const char *recipe, *target;
        bool breaks;
    } nets[] = { { RECIPE_SMALL RECIPE_W4A4, "trt", true },
                 { RECIPE_SMALL RECIPE_7, "trt", false },
                 { RECIPE_SMALL RECIPE_OFFSET, "trt", true }, /* its sums have no offset */
                 { RECIPE_SMALL RECIPE_W4A4, "litert", false } };
    for (size_t i = 0; i < DT_ARRAY_LEN(nets); i++) {
        testnet t;
        dt_target_report r;
        testnet_init(&t, nets[i].recipe);
        for (int v = 0; v < t.net.graph.node_count; v++) {
            const dt_node *n = &t.net.graph.node[v];
            if (n->op->quantizes) t.net.state.data[n->in[1]][0] = 0;
        }
        ck_assert_int_eq(dt_target_check_graph(target(nets[i].target), &t.src, false, &r, NULL),
                         DT_OK);
        const dt_target_finding *f = found(&r, &dt_rule_unsigned_7);
        ck_assert_msg((f != NULL) == nets[i].breaks, "net %zu: %s", i, f ? f->places : "nothing");
        if (f) ck_assert(r.broken == 1 && strstr(f->places, "goes to 255") != NULL);
        testnet_fini(&t);
    }
}
END_TEST

/* No recipe asks for more than one scale of an activation: a net made so by hand. */
START_TEST(activations_have_one_scale)
{
    testnet t;
    dt_target_report r;
    testnet_init(&t, RECIPE_SMALL RECIPE_W4A4);
    const dt_node *site = testnet_node(&t, "fakequant", "conv2.input_quant");
    ck_assert_ptr_nonnull(site);
    dt_fakequant_conf *c = (dt_fakequant_conf *)(uintptr_t)site->conf;
    c->site.groups = 4;
    ck_assert_int_eq(dt_target_check(target("mcu"), &t.src, false, &r, NULL), DT_OK);
    const dt_target_finding *f = found(&r, &dt_rule_activation_scale);
    ck_assert_ptr_nonnull(f);
    ck_assert_str_eq(f->places, "conv2.input_quant has 4");
    ck_assert_int_eq(r.broken, 1);
    c->site.groups = 1;
    testnet_fini(&t);
}
END_TEST

/* onnxruntime's own bounds, to the last bit. */
START_TEST(the_ratio_of_a_pool_is_bounded)
{
    static const struct {
        float ratio;
        bool breaks;
    } ratios[] = { { 1, false },        { 255.99998f, false },     { 256, true },
                   { 0x1p-32f, false }, { 0x1.fffffep-33f, true }, { 1e30f, true } };
    testnet t;
    dt_target_report r;
    testnet_init(&t, RECIPE_SMALL RECIPE_W4A4);
    make_positive(&t);
    const dt_node *x = testnet_node(&t, "fakequant", "avgpool.input_quant");
    const dt_node *y = testnet_node(&t, "fakequant", "avgpool.output_quant");
    ck_assert(x && y);
    float pixels = 1;
    for (int i = 1; i < 3; i++)
        pixels *= (float)t.net.graph.value[x->out[0]].shape.dim[i];
    for (size_t i = 0; i < DT_ARRAY_LEN(ratios); i++) {
        t.net.state.data[y->in[1]][0] = 1 / pixels;
        t.net.state.data[x->in[1]][0] = ratios[i].ratio;
        ck_assert_int_eq(dt_target_check(target("ort"), &t.src, false, &r, NULL), DT_OK);
        const dt_target_finding *f = found(&r, &dt_rule_pool_ratio);
        ck_assert_msg((f != NULL) == ratios[i].breaks, "ratio %g", (double)ratios[i].ratio);
        if (f) ck_assert(r.broken == 1 && strstr(f->places, "avgpool has"));
    }
    testnet_fini(&t);
}
END_TEST

DT_TEST_MAIN("target_rules", each_rule_finds_its_places, what_no_number_mends_is_known_early,
             activations_have_one_scale, the_ratio_of_a_pool_is_bounded)
