/* SPDX-License-Identifier: Apache-2.0 */
#include "recipes/recipe.h"

#include <stdio.h>

#include "tests/recipes/fake_tables.h"
#include "tests/support/run.h"

static void collect(void *user, const char *key, const char *a, const char *b)
{
    char *text = user;
    size_t used = strlen(text);
    snprintf(text + used, 1000 - used, "%s: %s -> %s\n", key, a ? a : "-", b ? b : "-");
}

static void differ(const char *a, const char *b, const char *want)
{
    char text[1000] = "";
    dt_error err = { 0 };
    ck_assert_msg(dt_recipe_diff(a, b, collect, text, NULL, &err) == DT_OK, "%s", err.text);
    ck_assert_str_eq(text, want);
}

START_TEST(keys_that_differ)
{
    differ("{a: 1, b: {c: 2}}", "{b: {c: 2}, a: 1}", "");
    differ("{a: 1, b: {c: 2}}", "{a: 2, b: {d: 3}}", "a: 1 -> 2\nb.c: 2 -> -\nb.d: - -> 3\n");
    differ("{l: [1, 2]}", "{l: [1, 3, 4]}", "l.1: 2 -> 3\nl.2: - -> 4\n");
    differ("{q: none}", "{q: {w: 3}}", "q: none -> -\nq.w: - -> 3\n");
    differ("{q: []}", "{q: {}}", "q: [] -> {}\n");
    differ("{q: [1]}", "{q: []}", "q: - -> []\nq.0: 1 -> -\n");
    differ("{name: x, data: {root: /a}, expect: {top1: 1}}",
           "{name: y, data: {root: /b}, expect: {}}", "");
    differ("{data: {roots: 1}}", "{data: {roots: 2}}", "data.roots: 1 -> 2\n");
}
END_TEST

START_TEST(effective_recipes)
{
    dt_recipe *a, *b;
    char text[1000] = "";
    ck_assert_int_eq(fake_read(FAKE_BASE, NULL, &a, NULL), DT_OK);
    ck_assert_int_eq(fake_read(FAKE_BASE,
                               (const char *const[]){ "train.seed=2", "name=n", "train.max_steps=3",
                                                      "train.schedule={name: constant}", NULL },
                               &b, NULL),
                     DT_OK);
    ck_assert_int_eq(dt_recipe_diff(a->text, b->text, collect, text, NULL, NULL), DT_OK);
    ck_assert_str_eq(text, "train.seed: 1 -> 2\ntrain.schedule.name: cosine -> constant\n"
                           "train.schedule.min_lr: 0 -> -\n");
    ck_assert_int_eq(dt_recipe_diff(a->text, "[", collect, text, NULL, NULL), DT_ERR_FORMAT);
    dt_recipe_free(a);
    dt_recipe_free(b);
}
END_TEST

DT_TEST_MAIN("recipe_diff", keys_that_differ, effective_recipes)
