/* detent list */
/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <string.h>

#include "cli/cli.h"

static void print_rows(const dt_table *table, bool json)
{
    json_t *list = json ? json_array() : NULL;
    for (const dt_row *const *r = table->rows; *r; r++) {
        if (json)
            json_array_append_new(list,
                                  json_pack("{s:s,s:s}", "name", (*r)->name, "help", (*r)->help));
        else
            printf("%-20s %s\n", (*r)->name, (*r)->help);
    }
    if (!json) return;
    cli_print_json(list, 0);
}

static void print_key(void *user, const dt_recipe_key *k)
{
    json_t *list = user;
    if (list) {
        json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", "key", k->key, "row",
                                              k->row ? k->row : "", "type", k->type, "default",
                                              k->def, "rule", k->rule, "help", k->help));
        return;
    }
    printf("%-36s %-6s default %-14s %s%s%s\n    %s; %s\n", k->key, k->type, *k->def ? k->def : "-",
           k->row ? "(" : "", k->row ? k->row : "", k->row ? ")" : "", k->help, k->rule);
}

static void print_keys(bool json)
{
    json_t *list = json ? json_array() : NULL;
    dt_recipe_list_keys(&dt_tables, print_key, list);
    if (!list) return;
    cli_print_json(list, 0);
}

int cli_list(const cli_args *args)
{
    static const struct {
        const char *name;
        const dt_table *table; /* NULL: the keys */
    } lists[] = {
        { "quantizers", &dt_quantizers },
        { "models", &dt_models },
        { "datasets", &dt_datasets },
        { "transforms", &dt_transforms },
        { "optimizers", &dt_optimizers },
        { "schedules", &dt_schedules },
        { "dynamics", &dt_dynamics_rows },
        { "importers", &dt_importers },
        { "exporters", &dt_exporters },
        { "targets", &dt_targets },
        { "keys", NULL },
    };
    const char *names[DT_ARRAY_LEN(lists)];
    for (size_t i = 0; i < DT_ARRAY_LEN(lists); i++) {
        names[i] = lists[i].name;
        if (strcmp(args->words[0], names[i]) != 0) continue;
        if (lists[i].table)
            print_rows(lists[i].table, args->json);
        else
            print_keys(args->json);
        return 0;
    }
    const char *near = dt_nearest(args->words[0], names, DT_ARRAY_LEN(names));
    fprintf(stderr, "detent: no list of '%s'%s%s%s\n", args->words[0],
            near ? ", did you mean '" : "; see detent list --help", near ? near : "",
            near ? "'?" : "");
    return 1;
}
