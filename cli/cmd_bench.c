/* detent bench */
/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <string.h>

#include "cli/cli.h"

static void print_json(const char *name, const dt_bench_result *r)
{
    json_t *ops = json_array();
    for (int i = 0; i < r->op_count; i++)
        json_array_append_new(ops, json_pack("{s:s,s:i,s:f,s:f}", "op", r->op[i].name, "nodes",
                                             r->op[i].nodes, "forward_ms", r->op[i].forward_ms,
                                             "backward_ms", r->op[i].backward_ms));
    json_t *o =
        json_pack("{s:s,s:s,s:i,s:I,s:I,s:i,s:f,s:f,s:f,s:f,s:f,s:f,s:o}", "recipe", name, "isa",
                  r->isa, "threads", r->threads, "batch", (json_int_t)r->batch, "params",
                  (json_int_t)r->params, "steps", r->steps, "ms_median", r->ms_median, "ms_min",
                  r->ms_min, "update_ms", r->update_ms, "img_per_s", r->images_per_s, "planned_mb",
                  r->planned_mb, "peak_mb", r->peak_mb, "ops", ops);
    if (o) json_dumpf(o, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    puts("");
    json_decref(o);
}

static void print_table(const char *name, const dt_bench_result *r)
{
    printf("%s: batch %lld, %lld parameters, %d threads, %s\n", name, (long long)r->batch,
           (long long)r->params, r->threads, r->isa);
    printf("step    median %.2f ms, fastest %.2f ms of %d; %.0f pictures/s\n", r->ms_median,
           r->ms_min, r->steps, r->images_per_s);
    printf("memory  planned %.1f MB, most of the process %.1f MB\n\n", r->planned_mb, r->peak_mb);
    printf("%-16s %6s %12s %12s %8s\n", "op", "nodes", "forward ms", "backward ms", "share");
    double sum = r->update_ms;
    for (int i = 0; i < r->op_count; i++)
        sum += r->op[i].forward_ms + r->op[i].backward_ms;
    for (int i = 0; i < r->op_count; i++)
        printf("%-16s %6d %12.2f %12.2f %7.1f%%\n", r->op[i].name, r->op[i].nodes,
               r->op[i].forward_ms, r->op[i].backward_ms,
               100 * (r->op[i].forward_ms + r->op[i].backward_ms) / sum);
    printf("%-16s %6s %12s %12.2f %7.1f%%\n", "(optimizer)", "", "", r->update_ms,
           100 * r->update_ms / sum);
}

int cli_bench(const cli_args *args)
{
    dt_error err;
    dt_recipe *recipe;
    dt_bench_result r;
    if (strcmp(args->words[0], "step") != 0) {
        fprintf(stderr, "detent: no benchmark '%s', did you mean 'step'?\n", args->words[0]);
        return 1;
    }
    cli_args rest = *args; /* without "step": recipe and overrides */
    rest.word_count--;
    memmove(rest.words, args->words + 1, sizeof *rest.words * (size_t)rest.word_count);
    if (cli_recipe(&rest, &recipe, &err) != DT_OK) return cli_fail(&err);
    const dt_bench_params p = {
        .recipe = recipe, .steps = args->steps, .threads = args->threads, .isa = args->isa,
        .plain = args->plain
    };
    dt_status st = dt_bench_step(&p, &r, &err);
    if (st == DT_OK && args->json)
        print_json(recipe->name, &r);
    else if (st == DT_OK)
        print_table(recipe->name, &r);
    dt_recipe_free(recipe);
    return st == DT_OK ? 0 : cli_fail(&err);
}
