/* Every row of every table can be named by a recipe, with its options at their defaults, and the
 * effective recipe reads back equal. Finds an option that clashes with a key of its section. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "tests/support/run.h"
#include "train/net/session.h"

/* Reads the text around the row's name. */
static void check_row(const char *before, const dt_row *row, const char *after)
{
    char text[600];
    dt_error err;
    dt_recipe *first, *again;
    snprintf(text, sizeof text, "%s%s%s", before, row->name, after);
    const dt_recipe_params p = { .tables = &dt_tables, .path = "rows.yaml", .text = text };
    ck_assert_msg(dt_recipe_read(&p, &first, &err) == DT_OK, "%s: %s", row->name, err.text);
    const dt_recipe_params q = { .tables = &dt_tables, .path = "rows.yaml", .text = first->text };
    ck_assert_msg(dt_recipe_read(&q, &again, &err) == DT_OK, "%s: %s", row->name, err.text);
    ck_assert_str_eq(first->text, again->text);
    ck_assert_str_eq(first->hash, again->hash);
    dt_recipe_free(first);
    dt_recipe_free(again);
}

static int check_table(const dt_table *table, const char *before, const char *after)
{
    int n = 0;
    for (const dt_row *const *r = table->rows; *r; r++, n++)
        check_row(before, *r, after);
    return n;
}

#define NET "{model: {name: smallcnn}, data: {name: builtin}, "

START_TEST(models)
{
    int n = check_table(dt_tables.models, "{model: {name: ", "}, data: {name: builtin}}");
    ck_assert_int_ge(n, 5);
}
END_TEST

START_TEST(datasets_and_transforms)
{
    int n = check_table(dt_tables.datasets, "{model: {name: smallcnn}, data: {name: ", "}}");
    ck_assert_int_ge(n, 4);
    n = check_table(dt_tables.transforms,
                    "{model: {name: smallcnn}, data: {name: builtin, train: [", "]}}");
    ck_assert_int_ge(n, 2);
}
END_TEST

START_TEST(quantizers)
{
    int n = check_table(dt_tables.quantizers, NET "quant: {weights: {bits: 4, method: ",
                        "}, activations: {method: none}, first: none, last: none}}");
    ck_assert_int_ge(n, 2);
    n = check_table(dt_tables.quantizers, NET "quant: {activations: {bits: 4, method: ",
                    "}, weights: {method: none}, first: none, last: none}}");
    ck_assert_int_ge(n, 2);
}
END_TEST

START_TEST(optimizers_and_schedules)
{
    int n = check_table(dt_tables.optimizers, NET "train: {optimizer: {name: ", "}}}");
    ck_assert_int_ge(n, 1);
    n = check_table(dt_tables.schedules, NET "train: {schedule: {name: ", "}}}");
    ck_assert_int_ge(n, 4);
}
END_TEST

DT_TEST_MAIN("recipe_rows", models, datasets_and_transforms, quantizers, optimizers_and_schedules)
