/* Sites: precedence, merging, rules, messages. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "recipes/quant.h"

#include <stdio.h>

#include "tests/recipes/fake_tables.h"
#include "tests/support/run.h"

static dt_recipe *must_read(const char *quant)
{
    char text[2000];
    dt_recipe *r = NULL;
    dt_error err = { 0 };
    snprintf(text, sizeof text, "%squant:\n%s", FAKE_BASE, quant);
    ck_assert_msg(fake_read(text, NULL, &r, &err) == DT_OK, "%s", err.text);
    return r;
}

/* "lsq 4 channel", "none" */
static void site(dt_recipe *r, const char *layer, dt_layer_role role, dt_side side,
                 const char *want)
{
    dt_quant_choice c;
    dt_error err = { 0 };
    char got[100];
    ck_assert_msg(dt_recipe_site(r, layer, role, side, &c, &err) == DT_OK, "%s", err.text);
    if (c.quantized)
        snprintf(got, sizeof got, "%s %d %s", c.method->name, c.bits,
                 c.granularity == DT_PER_CHANNEL ? "channel" : "tensor");
    else
        snprintf(got, sizeof got, "%s", c.method->name);
    ck_assert_msg(strcmp(got, want) == 0, "%s: %s, not %s", layer, got, want);
    ck_assert(c.quantized || (!c.conf && !c.bits));
}

static const char *const body =
    "  weights: {method: lsq, bits: 4, granularity: channel, grad_scale: 2}\n"
    "  activations: {method: pact, bits: 3, alpha: 5}\n";

START_TEST(roles_by_default)
{
    dt_recipe *r = must_read(body);
    ck_assert(r->quant.enabled && r->quant.placement == DT_PLACEMENT_DEPLOY);
    ck_assert_int_eq(r->quant.residual_bits, 8);
    site(r, "x", DT_LAYER_BODY, DT_SIDE_WEIGHTS, "lsq 4 channel");
    site(r, "x", DT_LAYER_BODY, DT_SIDE_ACTIVATIONS, "pact 3 tensor");
    site(r, "x", DT_LAYER_FIRST, DT_SIDE_WEIGHTS, "lsq 8 channel");
    site(r, "x", DT_LAYER_LAST, DT_SIDE_ACTIVATIONS, "pact 8 tensor");
    site(r, "x", DT_LAYER_SHORTCUT, DT_SIDE_WEIGHTS, "lsq 4 channel");
    dt_quant_choice c;
    ck_assert_int_eq(dt_recipe_site(r, "x", DT_LAYER_FIRST, DT_SIDE_WEIGHTS, &c, NULL), DT_OK);
    ck_assert(((const fake_lsq *)c.conf)->grad_scale == 2);
    ck_assert_int_eq(dt_recipe_check_rules_used(r, NULL), DT_OK);
    ck_assert_int_eq(dt_recipe_site(r, NULL, DT_LAYER_BODY, DT_SIDE_WEIGHTS, &c, NULL), DT_ERR_ARG);
    ck_assert_int_eq(dt_recipe_site(r, "x", (dt_layer_role)4, DT_SIDE_WEIGHTS, &c, NULL),
                     DT_ERR_ARG);
    dt_recipe_free(r);
}
END_TEST

START_TEST(roles_as_given)
{
    char text[1000];
    snprintf(text, sizeof text,
             "%s  first: none\n  last: {weights: {method: pact, granularity: tensor}}\n"
             "  shortcut: {weights: 8, activations: none}\n  placement: paper\n"
             "  residual: {bits: 6}\n",
             body);
    dt_recipe *r = must_read(text);
    ck_assert(r->quant.placement == DT_PLACEMENT_PAPER && r->quant.residual_bits == 6);
    site(r, "x", DT_LAYER_FIRST, DT_SIDE_WEIGHTS, "none");
    site(r, "x", DT_LAYER_FIRST, DT_SIDE_ACTIVATIONS, "none");
    site(r, "x", DT_LAYER_LAST, DT_SIDE_WEIGHTS, "pact 8 tensor");
    site(r, "x", DT_LAYER_LAST, DT_SIDE_ACTIVATIONS, "pact 8 tensor");
    site(r, "x", DT_LAYER_SHORTCUT, DT_SIDE_WEIGHTS, "lsq 8 channel");
    site(r, "x", DT_LAYER_SHORTCUT, DT_SIDE_ACTIVATIONS, "none");
    dt_recipe_free(r);
    snprintf(text, sizeof text, "%s  first: body\n  last: {weights: body, activations: 2}\n", body);
    r = must_read(text);
    site(r, "x", DT_LAYER_FIRST, DT_SIDE_WEIGHTS, "lsq 4 channel");
    site(r, "x", DT_LAYER_FIRST, DT_SIDE_ACTIVATIONS, "pact 3 tensor");
    site(r, "x", DT_LAYER_LAST, DT_SIDE_WEIGHTS, "lsq 4 channel");
    site(r, "x", DT_LAYER_LAST, DT_SIDE_ACTIVATIONS, "pact 2 tensor");
    dt_recipe_free(r);
}
END_TEST

static double grad_scale(dt_recipe *r, const char *layer)
{
    dt_quant_choice c;
    ck_assert_int_eq(dt_recipe_site(r, layer, DT_LAYER_BODY, DT_SIDE_WEIGHTS, &c, NULL), DT_OK);
    ck_assert_ptr_eq(c.method, &lsq);
    return ((const fake_lsq *)c.conf)->grad_scale;
}

START_TEST(rules_merge_in_order)
{
    char text[1500];
    snprintf(text, sizeof text,
             "%s  rules:\n"
             "    - {layers: \"layer3.*\", weights: {bits: 3}}\n"
             "    - {layers: \"*.conv2\", weights: {grad_scale: 7}, activations: none}\n"
             "    - {layers: layer3.1.conv2, weights: {method: pact, alpha: 9}, activations: "
             "{method: lsq}}\n"
             "    - {layers: layer3.1.*2, weights: {method: lsq, granularity: tensor}}\n"
             "    - {layers: conv1, weights: 5}\n",
             body);
    dt_recipe *r = must_read(text);
    dt_error err;
    site(r, "layer3.0.conv1", DT_LAYER_BODY, DT_SIDE_WEIGHTS, "lsq 3 channel");
    site(r, "layer2.0.conv1", DT_LAYER_BODY, DT_SIDE_WEIGHTS, "lsq 4 channel");
    ck_assert(grad_scale(r, "layer3.0.conv1") == 2);
    ck_assert(grad_scale(r, "layer3.0.conv2") == 7);
    ck_assert(grad_scale(r, "layer1.0.conv2") == 7);
    site(r, "layer3.0.conv2", DT_LAYER_BODY, DT_SIDE_ACTIVATIONS, "none");
    ck_assert_int_eq(dt_recipe_check_rules_used(r, &err), DT_ERR_NOT_FOUND);
    ck_assert_str_eq(
        err.text, "/r/x.yaml:9: quant.rules.2.layers: 'layer3.1.conv2' matches no layer; there is "
                  "'layer3.0.conv2'");
    /* The method goes to pact and back: the options of lsq are at their defaults, bits are kept. */
    site(r, "layer3.1.conv2", DT_LAYER_BODY, DT_SIDE_WEIGHTS, "lsq 3 tensor");
    ck_assert(grad_scale(r, "layer3.1.conv2") == 1);
    site(r, "layer3.1.conv2", DT_LAYER_BODY, DT_SIDE_ACTIVATIONS, "lsq 3 tensor");
    ck_assert_int_eq(dt_recipe_check_rules_used(r, &err), DT_ERR_NOT_FOUND);
    ck_assert_str_eq(err.text,
                     "/r/x.yaml:11: quant.rules.4.layers: 'conv1' matches no layer; there is "
                     "'layer3.0.conv1'");
    site(r, "conv1", DT_LAYER_FIRST, DT_SIDE_WEIGHTS, "lsq 5 channel"); /* rules are above roles */
    ck_assert_int_eq(dt_recipe_check_rules_used(r, &err), DT_OK);
    dt_recipe_free(r);
}
END_TEST

START_TEST(float_nets)
{
    dt_recipe *r = NULL;
    static const char *const texts[] = { FAKE_BASE, FAKE_BASE "quant: none\n",
                                         FAKE_BASE "quant: {}\n",
                                         FAKE_BASE "quant: {weights: none}\n" };
    for (size_t i = 0; i < DT_ARRAY_LEN(texts); i++) {
        ck_assert_int_eq(fake_read(texts[i], NULL, &r, NULL), DT_OK);
        ck_assert_int_eq(r->quant.enabled, i >= 2);
        for (int role = 0; role < 4; role++)
            site(r, "x", (dt_layer_role)role, DT_SIDE_WEIGHTS, "none");
        ck_assert_int_eq(dt_recipe_check_rules_used(r, NULL), DT_OK);
        dt_recipe_free(r);
    }
}
END_TEST

START_TEST(overrides_come_last)
{
    dt_recipe *r;
    dt_error err = { 0 };
    const char *const o[] = { "quant.weights.bits=2", "quant.rules.0.weights=6", "quant.first=none",
                              NULL };
    const char *text = FAKE_BASE "quant:\n  weights: {method: lsq, bits: 4}\n"
                                 "  rules: [{layers: a, weights: 3}]\n";
    ck_assert_msg(fake_read(text, o, &r, &err) == DT_OK, "%s", err.text);
    site(r, "b", DT_LAYER_BODY, DT_SIDE_WEIGHTS, "lsq 2 tensor");
    site(r, "a", DT_LAYER_BODY, DT_SIDE_WEIGHTS, "lsq 6 tensor");
    site(r, "b", DT_LAYER_FIRST, DT_SIDE_WEIGHTS, "none");
    dt_recipe_free(r);
    ck_assert_int_eq(fake_read(text, (const char *const[]){ "quant.rules=[]", NULL }, &r, &err),
                     DT_OK);
    site(r, "a", DT_LAYER_BODY, DT_SIDE_WEIGHTS, "lsq 4 tensor");
    dt_recipe_free(r);
}
END_TEST

START_TEST(messages)
{
    static const char *const cases[][2] = {
        { "weights: {method: lsq, bits: 17}",
          "/r/x.yaml:4: quant.weights.bits: 17 is outside 1..8" },
        { "weights: {method: lsq, bitz: 4}",
          "/r/x.yaml:4: quant.weights.bitz: unknown key, did you mean 'bits'?" },
        { "weights: {bits: 4}", "/r/x.yaml:4: quant.weights: 'method' must name a quantizer; there "
                                "are: none, lsq, pact" },
        { "weights: 4", "/r/x.yaml:4: quant.weights: must be a map of keys with 'method'" },
        { "weights: {method: lsqq}",
          "/r/x.yaml:4: quant.weights.method: unknown quantizer 'lsqq', did you mean 'lsq'?" },
        { "weights: {method: pact, bits: 1}",
          "/r/x.yaml:4: quant.weights.bits: 1 is outside 2..8, the bits of 'pact'" },
        { "weights: {method: lsq, alpha: 1}",
          "/r/x.yaml:4: quant.weights.alpha: unknown key; there are: method, bits, granularity, "
          "group, ste, ste_strength, grad_scale, act_n" },
        { "weights: {method: none, alpha: 1}",
          "/r/x.yaml:4: quant.weights.alpha: unknown key; there are: method, bits, granularity, "
          "group, ste, ste_strength" },
        { "weights: {method: none, ste: ewgs}",
          "/r/x.yaml:4: quant.weights.ste: 'ewgs' shapes the gradient of rounding, and method none "
          "has none" },
        { "weigths: {method: lsq}",
          "/r/x.yaml:4: quant.weigths: unknown key, did you mean 'weights'?" },
        { "placement: dense",
          "/r/x.yaml:4: quant.placement: dense is not one of paper|deploy|trt|file" },
        { "first: 8",
          "/r/x.yaml:4: quant.first: must be none, body or a map of weights and activations" },
        { "first: {weight: 8}",
          "/r/x.yaml:4: quant.first.weight: unknown key, did you mean 'weights'?" },
        { "first: {weights: 9}", "/r/x.yaml:4: quant.first.weights: 9 is outside 1..8" },
        { "first: {weights: {}}",
          "/r/x.yaml:4: quant.first.weights: must be bits, none or a map of keys" },
        { "weights: {method: lsq}\n  first: {weights: {alpha: 1}}",
          "/r/x.yaml:5: quant.first.weights.alpha: unknown key; there are: method, bits, "
          "granularity, group, ste, ste_strength, grad_scale, act_n" },
        { "weights: {method: lsq}\n  last: {weights: {method: pact, bits: 1}}",
          "/r/x.yaml:5: quant.last.weights.bits: 1 is outside 2..8, the bits of 'pact'; "
          "quant.last.weights may have a method of its own, or be none" },
        { "weights: {method:lsq,bits:4}", "/r/x.yaml:4: quant.weights.method:lsq: a blank is "
                                          "missing behind the colon: method: lsq" },
        { "weights: {method: lsq}\n  last: {weights:4}",
          "/r/x.yaml:5: quant.last.weights:4: a blank is missing behind the colon: weights: 4" },
        { "weights: {method: lsq}\n  last: {weights: {grad_scale: -1}}",
          "/r/x.yaml:5: quant.last.weights.grad_scale: -1 is outside 0..100" },
        { "rules: {}", "/r/x.yaml:4: quant.rules: must be a list of rules" },
        { "rules: [a]",
          "/r/x.yaml:4: quant.rules.0: must be a map of layers, weights, activations" },
        { "rules: [{weights: 3}]",
          "/r/x.yaml:4: quant.rules.0: 'layers' must be a pattern of layer "
          "names, like \"layer3.*.conv2\"" },
        { "rules: [{layers: a}]",
          "/r/x.yaml:4: quant.rules.0: sets neither weights nor activations" },
        { "rules: [{layers: a, weights: body}]",
          "/r/x.yaml:4: quant.rules.0.weights: body is not a whole number in 1..8" },
        { "rules: [{layers: a, weights: [1]}]",
          "/r/x.yaml:4: quant.rules.0.weights: must be bits, none or a map of keys" },
        { "rules: [{layers: a, bits: 3}]",
          "/r/x.yaml:4: quant.rules.0.bits: unknown key; there are: layers, weights, activations" },
        { "rules: [{layers: a, weights: {gradscale: 3}}]",
          "/r/x.yaml:4: quant.rules.0.weights.gradscale: unknown key, did you mean 'grad_scale'?" },
        { "residual: {bits: 1}", "/r/x.yaml:4: quant.residual.bits: 1 is outside 2..8" },
    };
    for (size_t i = 0; i < DT_ARRAY_LEN(cases); i++) {
        char text[600];
        dt_recipe *r = NULL;
        dt_error err = { 0 };
        snprintf(text, sizeof text, "%squant:\n  %s\n", FAKE_BASE, cases[i][0]);
        ck_assert_msg(fake_read(text, NULL, &r, &err) != DT_OK, "%s", cases[i][0]);
        ck_assert_str_eq(err.text, cases[i][1]);
    }
}
END_TEST

/* What a rule without a method may set is known only when the layer is. */
START_TEST(messages_at_a_site)
{
    dt_quant_choice c;
    dt_error err;
    dt_recipe *r = must_read("  weights: {method: lsq, bits: 1}\n  rules:\n"
                             "    - {layers: a, weights: {alpha: 3}}\n"
                             "    - {layers: b, weights: {method: pact}}\n");
    ck_assert_int_eq(dt_recipe_site(r, "a", DT_LAYER_BODY, DT_SIDE_WEIGHTS, &c, &err),
                     DT_ERR_NOT_FOUND);
    ck_assert_str_eq(err.text, "/r/x.yaml:6: quant.rules.0.weights.alpha: unknown key; there are: "
                               "method, bits, granularity, group, ste, ste_strength, grad_scale, "
                               "act_n");
    ck_assert_int_eq(dt_recipe_site(r, "b", DT_LAYER_BODY, DT_SIDE_WEIGHTS, &c, &err),
                     DT_ERR_RANGE);
    ck_assert_str_eq(err.text, "/r/x.yaml:7: quant.rules.1.weights.method: 1 is outside 2..8, the "
                               "bits of 'pact'");
    site(r, "c", DT_LAYER_BODY, DT_SIDE_WEIGHTS, "lsq 1 tensor");
    dt_recipe_free(r);
}
END_TEST

DT_TEST_MAIN("quant", roles_by_default, roles_as_given, rules_merge_in_order, float_nets,
             overrides_come_last, messages, messages_at_a_site)
