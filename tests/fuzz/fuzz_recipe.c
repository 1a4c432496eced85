/* Recipes from memory. What is refused has one line of reason; what is accepted prints a text that
 * reads back to the same text and hash, and can be asked for every site. The part behind a NUL is
 * an override. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "tests/recipes/fake_tables.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void fault_unless(bool holds)
{
    if (!holds) abort();
}

static void ask_sites(dt_recipe *r)
{
    static const char *const layers[] = { "conv1", "layer3.0.conv2", "fc" };
    for (int i = 0; i < 24; i++) {
        dt_quant_choice c;
        dt_error err = { 0 };
        dt_status st = dt_recipe_site(r, layers[i % 3], (dt_layer_role)(i / 6),
                                      (dt_side)(i / 3 % 2), &c, &err);
        fault_unless(st == DT_OK || *err.text);
        if (st == DT_OK && c.quantized) fault_unless(c.bits >= 1 && c.bits <= 8 && c.method);
    }
    dt_status ignored = dt_recipe_check_rules_used(r, NULL);
    (void)ignored;
}

static void on_difference(void *user, const char *key, const char *a, const char *b)
{
    (void)user;
    fault_unless(key && (a || b));
    abort(); /* a recipe differs from itself */
}

static void check(dt_recipe *r)
{
    dt_recipe *again = NULL;
    dt_error err = { 0 };
    const dt_recipe_params p = { .tables = &fake_tables, .path = "/r/x.yaml", .text = r->text };
    fault_unless(dt_recipe_read(&p, &again, &err) == DT_OK);
    fault_unless(strcmp(r->text, again->text) == 0 && strcmp(r->hash, again->hash) == 0);
    fault_unless(dt_recipe_diff(r->text, again->text, on_difference, NULL, NULL, &err) == DT_OK);
    dt_recipe_free(again);
    ask_sites(r);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    const unsigned char *nul = size ? memchr(data, 0, size) : NULL;
    size_t text = nul ? (size_t)(nul - data) : size;
    char *copy = dt_get(NULL, size + 1, "fuzz"); /* ends with NUL */
    fault_unless(copy != NULL);
    if (size) memcpy(copy, data, size);
    const char *override = copy + text + 1;
    const dt_recipe_params p = { .tables = &fake_tables,
                                 .path = "/r/x.yaml",
                                 .text = copy,
                                 .text_size = text,
                                 .overrides = &override,
                                 .override_count = nul ? 1 : 0 };
    dt_recipe *r = NULL;
    dt_error err = { 0 };
    dt_status st = dt_recipe_read(&p, &r, &err);
    fault_unless(st == DT_OK || (*err.text && !r));
    if (st == DT_OK) check(r);
    dt_recipe_free(r);
    dt_put(NULL, copy);
    return 0;
}
