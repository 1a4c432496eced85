/* The canonical form: what it looks like, and that it is the same for equal recipes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "recipes/quant.h"

#include <stdio.h>

#include "tests/recipes/fake_tables.h"
#include "tests/support/run.h"

static dt_recipe *must_read(const char *text)
{
    dt_recipe *r = NULL;
    dt_error err = { 0 };
    ck_assert_msg(fake_read(text, NULL, &r, &err) == DT_OK, "%s", err.text);
    return r;
}

START_TEST(effective_section)
{
    dt_recipe *r = must_read(
        FAKE_BASE
        "quant:\n  activations: {bits: 4, method: lsq}\n  weights: none\n"
        "  first: none\n  last: {activations: {act_n: features, bits: 6}}\n"
        "  rules:\n  - weights: {alpha: 1e0, grad_scale: 2.50, bits: 3}\n    layers: '*.b'\n"
        "  - {layers: c, activations: {method: none, bits: 3}}\n"
        "  - {layers: d, activations: {method: pact, granularity: channel}, weights: none}\n");
    const char *quant = strstr(r->text, "quant:");
    ck_assert_ptr_nonnull(quant);
    const char *want = "quant:\n  placement: deploy\n  share: true\n  rounding: fp32\n  fold_norm: "
                       "false\n  weights: none\n  "
                       "activations:\n    method: lsq\n"
                       "    bits: 4\n    granularity: tensor\n    group: 64\n    ste: own\n    "
                       "ste_strength: 0\n    grad_scale: 1\n    act_n: numel\n"
                       "  residual:\n    bits: 8\n"
                       "  first:\n    weights: none\n    activations: none\n"
                       "  last:\n    weights:\n      bits: 8\n    activations:\n      bits: 6\n"
                       "      act_n: features\n"
                       "  shortcut:\n    weights: body\n    activations: body\n"
                       "  rules:\n  - layers: '*.b'\n    weights:\n      bits: 3\n"
                       "      grad_scale: 2.5\n      alpha: 1\n"
                       "  - layers: c\n    activations: none\n"
                       "  - layers: d\n    weights: none\n    activations:\n      method: pact\n"
                       "      granularity: channel\ntrain:";
    ck_assert_msg(strncmp(quant, want, strlen(want)) == 0, "%s", quant);
    dt_recipe *again = must_read(r->text);
    ck_assert_str_eq(again->text, r->text);
    ck_assert_str_eq(again->hash, r->hash);
    dt_recipe_free(again);
    dt_recipe_free(r);
}
END_TEST

START_TEST(equal_recipes_have_equal_hashes)
{
    static const char *const same[] = {
        "weights: {method: lsq}",
        "weights: {method: lsq, bits: 8, granularity: tensor, grad_scale: 1.0}",
        "{weights: {method: lsq}, first: {weights: 8}}",
        "{weights: {method: lsq}, last: {activations: {bits: 8}, weights: 8}, shortcut: body}",
        "{weights: {method: lsq}, rules: [], activations: {method: none}, residual: {}}",
    };
    char hash[DT_SHA256_HEX] = "", text[500];
    for (size_t i = 0; i < DT_ARRAY_LEN(same); i++) {
        snprintf(text, sizeof text, "%squant:\n  %s\n", FAKE_BASE, same[i]);
        dt_recipe *r = must_read(text);
        if (i == 0) memcpy(hash, r->hash, sizeof hash);
        ck_assert_msg(strcmp(r->hash, hash) == 0, "%s", same[i]);
        dt_recipe_free(r);
    }
    dt_recipe *other = must_read(FAKE_BASE "quant: {weights: {method: lsq}, first: body}\n");
    ck_assert_str_ne(other->hash, hash);
    dt_recipe_free(other);
}
END_TEST

START_TEST(the_row_none)
{
    dt_reader r = { .tables = &fake_tables };
    ck_assert_ptr_eq(dt_quant_none(&r), &none);
    static const dt_row *const without[] = { &lsq, NULL };
    const dt_table table = { "quantizer", without };
    dt_recipe_tables tables = fake_tables;
    tables.quantizers = &table;
    r.tables = &tables;
    ck_assert_str_eq(dt_quant_none(&r)->name, "none");
    const dt_recipe_params p = { .tables = &tables,
                                 .text =
                                     FAKE_BASE "quant: {weights: {method: lsq}, first: {weights: "
                                               "{method: none}}}" };
    dt_recipe *recipe;
    dt_error err;
    ck_assert_msg(dt_recipe_read(&p, &recipe, &err) == DT_OK, "%s", err.text);
    dt_recipe_free(recipe);
}
END_TEST

DT_TEST_MAIN("quant_form", effective_section, equal_recipes_have_equal_hashes, the_row_none)
