/* detent list */
/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/wrap.h"
#include "core/glob.h"

static const struct list {
    const char *name;
    const dt_table *table; /* NULL: the keys of recipes */
    bool layers;           /* with no table: those of networks in YAML, and their keys */
} lists[] = {
    { "quantizers", &dt_quantizers },
    { "ranges", &dt_ranges },
    { "models", &dt_models },
    { "layers", NULL, .layers = true },
    { "tasks", &dt_tasks },
    { "losses", &dt_losses },
    { "datasets", &dt_datasets },
    { "transforms", &dt_transforms },
    { "optimizers", &dt_optimizers },
    { "schedules", &dt_schedules },
    { "dynamics", &dt_dynamics_rows },
    { "presets", &dt_ptq_presets },
    { "stages", &dt_ptq_stages },
    { "units", &dt_ptq_cutters },
    { "variables", &dt_ptq_variables },
    { "unit_losses", &dt_ptq_losses },
    { "solvers", &dt_ptq_solvers },
    { "metrics", &dt_ptq_metrics },
    { "allocators", &dt_ptq_allocators },
    { "resources", &dt_ptq_resources },
    { "importers", &dt_importers },
    { "exporters", &dt_exporters },
    { "targets", &dt_targets },
    { "keys", NULL },
};

enum { NAME_COLUMN = 21, LAYER_COLUMN = 27, KEY_COLUMN = 37, KEY_INDENT = 4 };

/* A listing under way. */
typedef struct listing {
    const char *pattern; /* NULL: all */
    json_t *json;        /* NULL: printed */
    size_t width;        /* of the terminal; 0: lines are not broken */
    int count;
} listing;

/* A pattern with * or ? is of the whole name, others of any part of it. */
static bool is_wanted(listing *l, const char *name)
{
    bool wanted = !l->pattern || (strpbrk(l->pattern, "*?") ? dt_glob_match(l->pattern, name)
                                                            : strstr(name, l->pattern) != NULL);
    l->count += wanted;
    return wanted;
}

static void print_rows(listing *l, const dt_table *table)
{
    for (const dt_row *const *r = table->rows; *r; r++) {
        if (!is_wanted(l, (*r)->name)) continue;
        if (l->json)
            json_array_append_new(l->json,
                                  json_pack("{s:s,s:s}", "name", (*r)->name, "help", (*r)->help));
        else
            cli_wrap(stdout, l->width, (*r)->name, NAME_COLUMN, (*r)->help);
    }
}

static void print_key(void *user, const dt_recipe_key *k)
{
    listing *l = user;
    if (!is_wanted(l, k->key)) return;
    if (l->json) {
        json_array_append_new(l->json, json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", "key", k->key, "row",
                                                 k->row ? k->row : "", "type", k->type, "default",
                                                 k->def, "rule", k->rule, "help", k->help));
        return;
    }
    char about[256], *told = dt_format(NULL, "%s; %s", k->help, k->rule);
    snprintf(about, sizeof about, "%-6s default %-14s %s%s%s", k->type, *k->def ? k->def : "-",
             k->row ? "(" : "", k->row ? k->row : "", k->row ? ")" : "");
    cli_wrap(stdout, l->width, k->key, KEY_COLUMN, about);
    cli_wrap(stdout, l->width, "", KEY_INDENT, told ? told : k->help);
    dt_put(NULL, told);
}

static void print_layer_line(const listing *l, const char *name, const char *rule, const char *help)
{
    char *told = dt_format(NULL, "%s%s%s", help, *rule ? "; " : "", rule);
    cli_wrap(stdout, l->width, name, LAYER_COLUMN, told ? told : help);
    dt_put(NULL, told);
}

/* A layer, or one of its keys as "conv2d.stride". */
static void print_layer_row(listing *l, const char *name, const char *rule, const char *help)
{
    if (!is_wanted(l, name)) return;
    if (l->json)
        json_array_append_new(l->json,
                              json_pack("{s:s,s:s,s:s}", "name", name, "rule", rule, "help", help));
    else
        print_layer_line(l, name, rule, help);
}

static void print_layer(void *arg, const dt_layer_kind *kind)
{
    char name[128], rule[256];
    print_layer_row(arg, kind->name, "", kind->layer ? kind->layer->row.help : "an operation");
    for (const dt_opt *o = kind->opts; o && o->type; o++) {
        snprintf(name, sizeof name, "%s.%s", kind->name, o->key);
        print_layer_row(arg, name, dt_opt_rule(o, rule, sizeof rule), o->help);
    }
}

static const struct list *find(const char *name)
{
    const char *names[DT_ARRAY_LEN(lists)];
    for (size_t i = 0; i < DT_ARRAY_LEN(lists); i++) {
        names[i] = lists[i].name;
        if (strcmp(name, names[i]) == 0) return &lists[i];
    }
    const char *near = dt_nearest(name, names, DT_ARRAY_LEN(names));
    fprintf(stderr, "detent: no list of '%s'%s%s%s\n", name,
            near ? ", did you mean '" : "; see detent list --help", near ? near : "",
            near ? "'?" : "");
    return NULL;
}

int cli_list(const cli_args *args)
{
    const struct list *list = find(args->words[0]);
    if (!list) return 1;
    listing l = { .pattern = args->word_count > 1 ? args->words[1] : NULL,
                  .json = args->json ? json_array() : NULL,
                  .width = cli_columns(STDOUT_FILENO) };
    if (list->table)
        print_rows(&l, list->table);
    else if (list->layers)
        dt_layer_each(print_layer, &l);
    else
        dt_recipe_list_keys(&dt_tables, print_key, &l);
    if (args->json) cli_print_json(l.json, 0);
    if (l.count || !l.pattern) return 0;
    fprintf(stderr, "detent: no name among the %s has '%s' in it\n", list->name, l.pattern);
    return 1;
}
