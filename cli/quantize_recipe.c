/* The recipe that the words and options of detent quantize make. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/quantize_recipe.h"

#include <string.h>

static void add(cli_quantize_recipe *o, const char *key, const char *value)
{
    snprintf(o->text[o->count++], sizeof o->text[0], "%s=%s", key, value);
}

/* The arguments with what the options say before the keys of the command line. */
static dt_status with_words(const cli_args *args, const cli_quantize_recipe *o, cli_args *out,
                            dt_error *err)
{
    if (args->word_count + o->count > CLI_MAX_WORDS)
        return dt_fail(err, DT_ERR_ARG, NULL, "more than %d words", CLI_MAX_WORDS);
    *out = *args;
    for (int i = 0; i < o->count; i++)
        out->words[1 + i] = o->text[i];
    for (int i = 1; i < args->word_count; i++)
        out->words[i + o->count] = args->words[i];
    out->word_count += o->count;
    return DT_OK;
}

bool cli_quantize_mixed(const cli_args *args)
{
    return args->bits && strcmp(args->bits, "mixed") == 0;
}

dt_status cli_quantize_rules(const cli_args *args, const cli_mixed *m, int own, dt_recipe **out,
                             dt_error *err)
{
    dt_error below = { .status = DT_OK };
    const size_t most = (size_t)(m->table.count + args->word_count + 1);
    const char **words = dt_get_array(NULL, most, sizeof *words, "rules");
    size_t count = 0;
    dt_status st = words ? DT_OK : DT_ERR_NOMEM;
    for (int i = 1; words && i < args->word_count; i++)
        words[count++] = args->words[i];
    if (words && own == 0) words[count++] = "quant.rules=[]";
    size_t given = count;
    for (int i = 0; st == DT_OK && i < m->table.count; i++) {
        char rule[256];
        if (m->table.layer[i].chosen < 0) continue;
        cli_mixed_rule(m, i, rule, sizeof rule);
        char *text = dt_format(NULL, "quant.rules.%d=%s", own + (int)(count - given), rule);
        if (!text) st = DT_ERR_NOMEM;
        if (text) words[count++] = text;
    }
    const dt_recipe_params p = { .tables = &dt_tables,
                                 .path = args->words[0],
                                 .text = args->text,
                                 .overrides = words,
                                 .override_count = count };
    if (st == DT_OK) st = dt_recipe_read(&p, out, &below);
    for (size_t i = given; words && i < count; i++)
        dt_put(NULL, (void *)(uintptr_t)words[i]);
    dt_put(NULL, words);
    if (st == DT_OK) return st;
    return dt_fail(err, st, NULL, "%s", below.text[0] ? below.text : "no memory for rules");
}

/* Measures the layers of the recipe and puts the one with rules in its place. */
static dt_status choose_bits(cli_quantize_recipe *r, dt_error *err)
{
    static cli_mixed m;
    DT_TRY(cli_mixed_options(&r->args, &m, err));
    if (!m.resource)
        return dt_fail(err, DT_ERR_ARG, &(dt_where){ .key = "--bits" },
                       "mixed wants a --budget, such as --budget bits=4, or --max-drop 0.5");
    DT_TRY(cli_mixed_run(&r->args, r->recipe, &m, err));
    dt_recipe *mixed;
    dt_status st = cli_quantize_rules(&r->args, &m, r->recipe->quant.rules, &mixed, err);
    cli_mixed_fini(&m);
    if (st != DT_OK) return st;
    cli_quantize_put(r, mixed);
    return DT_OK;
}

void cli_quantize_put(cli_quantize_recipe *r, dt_recipe *recipe)
{
    if (r->recipe) dt_recipe_free(r->recipe);
    r->recipe = recipe;
}

dt_status cli_quantize_more(cli_quantize_recipe *r, const char *key, const char *value,
                            dt_error *err)
{
    if (r->count == CLI_QUANTIZE_OURS || r->args.word_count == CLI_MAX_WORDS)
        return dt_fail(err, DT_ERR_ARG, NULL, "more than %d words", CLI_MAX_WORDS);
    add(r, key, value);
    r->args.words[r->args.word_count++] = r->text[r->count - 1];
    return DT_OK;
}

dt_status cli_quantize_read(cli_quantize_recipe *r, dt_error *err)
{
    dt_recipe *read;
    cli_args quiet = r->args;
    quiet.json = true;
    DT_TRY(cli_recipe(&quiet, &read, err));
    cli_quantize_put(r, read);
    return DT_OK;
}

static dt_status words_of(const cli_args *args, const dt_recipe *r, cli_quantize_recipe *o,
                          dt_error *err)
{
    int weights = 0, activations = 0;
    bool mixed = cli_quantize_mixed(args);
    dt_quantize_words words = { .count = 0 };
    if (args->bits && !mixed && !dt_quantize_bits(args->bits, &weights, &activations))
        return dt_fail(err, DT_ERR_RANGE, &(dt_where){ .key = "--bits" },
                       "'%s' is no width such as 8, 4 or W4A8, of 1 to 8 bits, nor 'mixed'",
                       args->bits);
    if (mixed && !r->quant.enabled) weights = activations = 8;
    dt_quantize_add_words(r, weights, activations, &words);
    for (int i = 0; i < words.count; i++)
        snprintf(o->text[o->count++], sizeof o->text[0], "%s", words.text[i]);
    return DT_OK;
}

dt_status cli_quantize_recipe_of(const cli_args *args, cli_quantize_recipe *r, dt_error *err)
{
    cli_args quiet;
    dt_recipe *read;
    *r = (cli_quantize_recipe){ .count = 0 };
    if (args->method) add(r, "ptq.method", args->method); /* what keys of stages are about */
    DT_TRY(with_words(args, r, &quiet, err));
    quiet.json = true;
    DT_TRY(cli_recipe(&quiet, &read, err));
    dt_status st = words_of(args, read, r, err);
    dt_recipe_free(read);
    if (st == DT_OK) st = with_words(args, r, &r->args, err);
    if (st == DT_OK) st = cli_recipe(&r->args, &r->recipe, err);
    if (st == DT_OK && cli_quantize_mixed(args) && !args->max_drop) st = choose_bits(r, err);
    if (st != DT_OK) cli_quantize_put(r, NULL);
    return st;
}
