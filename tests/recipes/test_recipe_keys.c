/* SPDX-License-Identifier: Apache-2.0 */
#include "recipes/recipe.h"

#include <stdio.h>

#include "tests/recipes/fake_tables.h"
#include "tests/support/run.h"

typedef struct list {
    char text[30000];
    int count;
} list;

static void add(void *user, const dt_recipe_key *k)
{
    list *l = user;
    size_t used = strlen(l->text);
    snprintf(l->text + used, sizeof l->text - used, "%s|%s|%s|%s|%s\n", k->key,
             k->row ? k->row : "", k->type, k->def, k->rule);
    ck_assert_msg(k->help != NULL, "%s", k->key);
    ck_assert_msg(*k->type && *k->rule, "%s", k->key);
    l->count++;
}

START_TEST(every_kind_of_key_is_listed)
{
    static list l;
    dt_recipe_list_keys(&fake_tables, add, &l);
    static const char *const lines[] = {
        "\nmodel.name||name||one of resnet20|resnet32|resnet44|resnet56|onnx|file\n",
        "\nmodel.classes||int|10|a whole number in 1..100000\n",
        "\nmodel.head|resnet20|text|linear|",
        "\ndata.limit|cifar10|int|0|a whole number in 0..50000\n",
        "\ndata.train||list|[]|",
        "\ndata.train.pad_crop.pad||int|4|a whole number in 0..16\n",
        "\ndata.train.hflip||map||",
        "\nquant.placement||enum|deploy|one of paper|deploy|trt|file\n",
        "\nquant.share||bool|true|true or false\n",
        "\nquant.rounding||text|fp32|",
        "\nquant.weights.bits||int|8|a whole number in 1..8\n",
        "\nquant.weights.alpha|pact|float|6|a number in 0..100\n",
        "\nquant.activations.act_n|lsq|enum|numel|one of numel|features\n",
        "\nquant.rules.N.layers||text||",
        "\ntrain.optimizer.name||name|sgd|one of adamw|sgd",
        "\ntrain.optimizer.nesterov|sgd|bool|false|true or false\n",
        "\ntrain.schedule.milestones|multistep|list|[]|",
        "\ntrain.schedule.warmup|cosine|float|0|",
        "\neval.batch||int|250|",
        "\nexpect.status||enum|published|one of measured|published|not_run\n",
    };
    for (size_t i = 0; i < DT_ARRAY_LEN(lines); i++)
        ck_assert_msg(strstr(l.text, lines[i]) != NULL, "%s is not listed", lines[i]);
    ck_assert_int_eq(strncmp(l.text, "name||text||", 12), 0);
}
END_TEST

/* The list and the reader agree: every key of an effective recipe is in the list. */
static void check_keys(const char *keys, const char *key, const char *row)
{
    char with[300], without[300];
    snprintf(with, sizeof with, "\n%s|%s|", key, row);
    snprintf(without, sizeof without, "\n%s||", key);
    ck_assert_msg(strstr(keys, with) || strstr(keys, without), "%s is not listed", key);
}

static void on_difference(void *user, const char *key, const char *a, const char *b)
{
    const list *l = user;
    (void)a;
    (void)b;
    static const char *const rows[] = { "resnet20", "cifar10", "lsq", "sgd", "cosine" };
    for (size_t i = 0; i < DT_ARRAY_LEN(rows); i++) {
        char line[300];
        snprintf(line, sizeof line, "\n%s|%s|", key, rows[i]);
        if (strstr(l->text, line)) return;
    }
    check_keys(l->text, key, "");
}

START_TEST(the_list_covers_the_effective_recipe)
{
    static list l;
    dt_recipe *r;
    dt_recipe_list_keys(&fake_tables, add, &l);
    ck_assert_int_eq(fake_read(FAKE_BASE
                               "quant: {weights: {method: lsq}, activations: {method: lsq}, first: "
                               "none, last: none, shortcut: none}\n",
                               NULL, &r, NULL),
                     DT_OK);
    /* Roles are listed as a whole. */
    char *text = r->state ? dt_get(NULL, strlen(r->text) + 1, "test") : NULL;
    ck_assert_ptr_nonnull(text);
    const char *from = strstr(r->text, "  first:"), *to = strstr(r->text, "  rules:");
    memcpy(text, r->text, (size_t)(from - r->text));
    strcat(text, to);
    ck_assert_int_eq(dt_recipe_diff(text, "{name: x}", on_difference, &l, NULL, NULL), DT_OK);
    dt_put(NULL, text);
    dt_recipe_free(r);
}
END_TEST

DT_TEST_MAIN("recipe_keys", every_kind_of_key_is_listed, the_list_covers_the_effective_recipe)
