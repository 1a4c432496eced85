/* Every key of a recipe, from the option tables. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "recipes/schema.h"

typedef struct lister {
    dt_recipe_key_fn fn;
    void *user;
} lister;

/* Keys that no option table has, behind the section that they are in. */
static const dt_recipe_key structural[] = {
    { "data.train", NULL, "list", "[]", "a list of `name`, `name: value` or `name: {key: value}`",
      "transforms of training pictures, in order" },
    { "data.test", NULL, "list", "[]", "as data.train, without random ones",
      "transforms of test and validation pictures, which must have the training pictures' size" },
    { "tasks", NULL, "list", "", "a list of maps of keys, at most 8; in place of `task`",
      "what each output of a network with several is trained for" },
    { "train.groups.quant", NULL, "map", "", "as train.optimizer",
      "optimizer of quantizers' parameters, with a rate and decay of its own" },
    { "train.groups.quant_weights", NULL, "map", "", "as train.optimizer",
      "the same for quantizers of weights" },
    { "train.groups.quant_activations", NULL, "map", "", "as train.optimizer",
      "the same for quantizers of activations" },
    { "train.groups.PATTERN", NULL, "map", "", "as train.optimizer; * any characters, ? one",
      "the same for parameters of such names, quantizers' apart; later ones win" },
    { "train.freeze", NULL, "list", "[]", "patterns: * any characters, ? one",
      "parameters that stay as they are, quantizers' too: they get no gradient" },
    { "distill", NULL, "map", "", "none, or a map of keys, 'teacher' among them",
      "the loss also draws outputs to those of a float net; `model` is the net's own by default" },
    { "quant", NULL, "map", "none", "none or a map of keys", "absent or none: a float net" },
    { "quant.first", NULL, "map", "{weights: 8, activations: 8}",
      "none, body or a map of weights and activations: each bits, none, body or a map of keys",
      "the convolution that the picture goes into" },
    { "quant.last", NULL, "map", "{weights: 8, activations: 8}", "as quant.first",
      "the linear layer that gives the logits" },
    { "quant.shortcut", NULL, "map", "body", "as quant.first", "convolutions on skip branches" },
    { "quant.rules", NULL, "list", "[]", "a list of maps",
      "settings by layer name, later ones win; a rule that matches no layer is an error" },
    { "ptq", NULL, "map", "", "a map of keys; named: detent quantize does it",
      "quantization without training" },
    { "ptq.stages", NULL, "list", "those of ptq.method", "a list of `name` or `name: {key: value}`",
      "what is done to the net, in order" },
    { "quant.rules.N.layers", NULL, "text", "", "a pattern: * any characters, ? one",
      "layers that the rule is for" },
    { "quant.rules.N.weights", NULL, "map", "", "bits, none or a map of keys",
      "keys that change; a changed method resets its options" },
    { "quant.rules.N.activations", NULL, "map", "", "bits, none or a map of keys",
      "keys that change; a changed method resets its options" },
};

static const char *type_name(dt_opt_type type)
{
    switch (type) {
    case DT_OPT_TYPE_INT:
        return "int";
    case DT_OPT_TYPE_FLOAT:
        return "float";
    case DT_OPT_TYPE_BOOL:
        return "bool";
    case DT_OPT_TYPE_ENUM:
        return "enum";
    case DT_OPT_TYPE_STR:
        return "text";
    case DT_OPT_TYPE_INTS:
    case DT_OPT_TYPE_WORDS:
    case DT_OPT_TYPE_FLOATS:
        return "list";
    case DT_OPT_END_MARK:
        break;
    }
    return "";
}

/* Default as a recipe writes it, printed from an option struct of one field. */
static void print_default(const dt_opt *opt, char *text, size_t size)
{
    union {
        int i;
        double d;
        bool b;
        dt_opt_str s;
        dt_opt_ints list;
        dt_opt_words words;
        dt_opt_floats floats;
    } conf;
    dt_opt one[2] = { *opt, DT_OPT_END };
    one[0].offset = 0;
    one[0].map = NULL;
    dt_opt_defaults(one, &conf);
    dt_opt_print(one, &conf, text, size);
}

static void list_opts(const lister *l, const char *path, const char *row, const dt_opt *opts)
{
    for (; opts && opts->type; opts++) {
        char key[256], def[DT_OPT_STR_MAX], rule[256];
        snprintf(key, sizeof key, "%s%s%s", path, *path ? "." : "", opts->key);
        print_default(opts, def, sizeof def);
        dt_opt_rule(opts, rule, sizeof rule);
        const dt_recipe_key k = { key, row, type_name(opts->type), def, rule, opts->help };
        l->fn(l->user, &k);
        if (opts->map) list_opts(l, key, row, opts->map);
    }
}

static void list_name(const lister *l, const dt_section *s)
{
    char key[256], rule[512] = "one of ", help[64];
    snprintf(key, sizeof key, "%s.%s", s->path, s->name_key);
    for (const dt_row *const *row = s->table->rows; *row; row++) {
        size_t used = strlen(rule);
        snprintf(rule + used, sizeof rule - used, "%s%s", row == s->table->rows ? "" : "|",
                 (*row)->name);
    }
    snprintf(help, sizeof help, "which %s", s->table->kind);
    const dt_recipe_key k = { key, NULL, "name", s->fallback ? s->fallback : "", rule, help };
    l->fn(l->user, &k);
}

/* Whether a structural key stands directly in the section. */
static bool belongs(const dt_recipe_key *k, const char *path)
{
    size_t n = strlen(path);
    if (strcmp(k->key, path) == 0) return true;
    return n && strncmp(k->key, path, n) == 0 && k->key[n] == '.';
}

static void list_dynamics(const lister *l, const dt_table *dynamics)
{
    for (const dt_row *const *row = dynamics ? dynamics->rows : NULL; row && *row; row++) {
        char path[256];
        snprintf(path, sizeof path, "dynamics.%s", (*row)->name);
        const dt_recipe_key k = { path,        NULL, "map", "", "a map of keys; named: in use",
                                  (*row)->help };
        l->fn(l->user, &k);
        list_opts(l, path, NULL, (*row)->opts);
    }
}

/* Rows of a list at `at`. */
static void list_rows(const lister *l, const dt_table *rows, const char *at)
{
    for (const dt_row *const *row = rows ? rows->rows : NULL; row && *row; row++) {
        char path[256];
        snprintf(path, sizeof path, "%s.%s", at, (*row)->name);
        const dt_recipe_key k = {
            path, NULL, "map", "", "a map of keys, or the first key's value", (*row)->help
        };
        l->fn(l->user, &k);
        list_opts(l, path, NULL, (*row)->opts);
    }
}

void dt_recipe_list_keys(const dt_recipe_tables *tables, dt_recipe_key_fn fn, void *user)
{
    const lister l = { fn, user };
    dt_section section[DT_SECTION_COUNT];
    dt_sections(tables, section);
    for (int i = 0; i < DT_SECTION_COUNT; i++) {
        const dt_section *s = &section[i];
        if (s->name_key && s->table) list_name(&l, s);
        list_opts(&l, s->path, NULL, s->opts);
        for (const dt_row *const *row = s->table ? s->table->rows : NULL; row && *row; row++)
            list_opts(&l, s->path, (*row)->name, (*row)->opts);
        for (size_t k = 0; k < DT_ARRAY_LEN(structural); k++)
            if (belongs(&structural[k], s->path)) fn(user, &structural[k]);
        if (i == DT_SECTION_DATA) list_rows(&l, tables->transforms, "data.train");
        if (i == DT_SECTION_PTQ) list_rows(&l, tables->ptq_stages, "ptq.stages");
        if (i == DT_SECTION_SCHEDULE) {
            list_opts(&l, "phases.N", NULL, dt_phase_opts);
            list_dynamics(&l, tables->dynamics);
        }
    }
}
