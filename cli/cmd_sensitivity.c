/* detent sensitivity */
/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>

#include "cli/mixed.h"

static void print_table(const cli_mixed *m)
{
    const dt_ptq_mixed *t = &m->table;
    printf("%-28s %9s %12s %5s", "layer", "weights", "MACs", "bits");
    for (int k = 0; k < t->widths; k++)
        printf("   %d bits    ", t->width[k]);
    printf("%s\n", m->resource ? "  chosen" : "");
    for (int i = 0; i < t->count; i++) {
        const dt_ptq_mixed_layer *l = &t->layer[i];
        printf("%-28s %9lld %12lld %5d", l->name, (long long)l->weights, (long long)l->macs,
               l->bits);
        for (int k = 0; k < t->widths; k++)
            printf(" %12.5g", l->damage[k]);
        if (l->fixed)
            printf("  stays");
        else if (l->chosen >= 0)
            printf("  %6d", t->width[l->chosen]);
        printf("\n");
    }
}

/* The front, and the rules as they go into a recipe. */
static void print_choice(const cli_mixed *m)
{
    char rule[256];
    if (!m->resource) return;
    printf("\n%s allocation, %.6g of %.6g %s, damage %.6g; the front:\n", m->allocator->row.name,
           cli_mixed_amount(m, dt_ptq_cost(&m->table, m->resource, NULL)), m->amount,
           m->resource->unit, dt_ptq_damage(&m->table, NULL));
    for (int i = 0; i < m->front_count; i++)
        printf("  %12.6g %12.6g\n", cli_mixed_amount(m, m->front[i].cost), m->front[i].damage);
    printf("\nquant:\n  rules:\n");
    for (int i = 0; i < m->table.count; i++) {
        if (m->table.layer[i].chosen < 0) continue;
        cli_mixed_rule(m, i, rule, sizeof rule);
        printf("  - %s\n", rule);
    }
}

static json_t *layers_json(const cli_mixed *m)
{
    json_t *list = json_array();
    for (int i = 0; i < m->table.count; i++) {
        const dt_ptq_mixed_layer *l = &m->table.layer[i];
        json_t *damage = json_array();
        for (int k = 0; k < m->table.widths; k++)
            json_array_append_new(damage, json_real(l->damage[k]));
        json_array_append_new(
            list,
            json_pack("{s:s,s:I,s:I,s:i,s:b,s:o,s:o}", "layer", l->name, "weights",
                      (json_int_t)l->weights, "macs", (json_int_t)l->macs, "bits", l->bits, "fixed",
                      l->fixed, "damage", damage, "chosen",
                      l->chosen >= 0 ? json_integer(m->table.width[l->chosen]) : json_null()));
    }
    return list;
}

static void print_json(const cli_mixed *m)
{
    json_t *widths = json_array(), *front = json_array();
    for (int k = 0; k < m->table.widths; k++)
        json_array_append_new(widths, json_integer(m->table.width[k]));
    for (int i = 0; i < m->front_count; i++)
        json_array_append_new(front,
                              json_pack("{s:f,s:f}", "cost", cli_mixed_amount(m, m->front[i].cost),
                                        "damage", m->front[i].damage));
    json_t *o = json_pack("{s:s,s:o,s:o,s:o}", "metric", m->sense.metric, "widths", widths,
                          "layers", layers_json(m), "front", front);
    if (o && m->resource) {
        json_object_set_new(o, "unit", json_string(m->resource->unit));
        json_object_set_new(o, "budget", json_real(m->amount));
        json_object_set_new(
            o, "cost", json_real(cli_mixed_amount(m, dt_ptq_cost(&m->table, m->resource, NULL))));
        json_object_set_new(o, "damage", json_real(dt_ptq_damage(&m->table, NULL)));
    }
    cli_print_json(o, 9);
}

int cli_sensitivity(const cli_args *args)
{
    dt_error err;
    dt_recipe *recipe;
    static cli_mixed m;
    cli_args more = *args;
    if (cli_mixed_options(args, &m, &err) != DT_OK) return cli_fail(&err);
    if (more.word_count < CLI_MAX_WORDS) { /* its pictures; a preset stands for nothing here */
        for (int i = more.word_count++; i > 1; i--)
            more.words[i] = more.words[i - 1];
        more.words[1] = "ptq.method=nearest";
    }
    if (cli_recipe(&more, &recipe, &err) != DT_OK) return cli_fail(&err);
    cli_catch_stops();
    dt_status st = cli_mixed_run(args, recipe, &m, &err);
    if (st == DT_OK) {
        if (args->json) {
            print_json(&m);
        } else {
            print_table(&m);
            print_choice(&m);
        }
        cli_mixed_fini(&m);
    }
    dt_recipe_free(recipe);
    if (st == DT_OK) return 0;
    int code = cli_fail(&err);
    return atomic_load(&cli_stop_requested) ? 130 : code;
}
