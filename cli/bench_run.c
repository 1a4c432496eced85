/* An epoch of a run as it is: where its time goes beside the steps. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/bench_run.h"

#include <jansson.h>

#include "cli/train_events.h"
#include "cli/work_folder.h"

typedef struct part {
    const char *key, *name;
    double seconds;
} part;

enum { PARTS = 6 };
static void list_parts(const dt_run_times *t, part out[PARTS])
{
    double beside = t->start + t->ranges + t->waits + t->scores + t->writes;
    const part parts[PARTS] = {
        { "start", "start: net, data, plans", t->start },
        { "ranges", "first scales", t->ranges },
        { "waits", "waiting for pictures", t->waits },
        { "steps", "steps", t->all - beside },
        { "scores", "evaluation", t->scores },
        { "writes", "checkpoints, logs", t->writes },
    };
    for (int i = 0; i < PARTS; i++)
        out[i] = parts[i];
}

static void print(const char *name, const dt_run_result *r, bool json)
{
    part parts[PARTS];
    list_parts(&r->times, parts);
    double all = r->times.all, steps = parts[3].seconds;
    if (json) {
        json_t *o = json_pack("{s:o,s:I,s:f}", "recipe", cli_text_json(name), "steps_done",
                              (json_int_t)r->step, "all_s", all);
        for (int i = 0; i < PARTS; i++) {
            char key[24];
            snprintf(key, sizeof key, "%s_s", parts[i].key);
            json_object_set_new(o, key, json_real(parts[i].seconds));
        }
        cli_print_json(o, 6);
        return;
    }
    printf("%s: a run of %lld steps\n%-24s %10s %8s\n", name, (long long)r->step, "part", "seconds",
           "share");
    for (int i = 0; i < PARTS; i++)
        printf("%-24s %10.2f %7.1f%%\n", parts[i].name, parts[i].seconds,
               100 * parts[i].seconds / all);
    printf("%-24s %10.2f\n%.3f times the steps\n", "all", all, all / steps);
}

static int train_in(const char *folder, dt_recipe *recipe, const cli_args *args)
{
    dt_error err;
    dt_run_result result;
    cli_train_view v = { .json = args->json };
    const dt_run_params p = { .recipe = recipe,
                              .folder = folder,
                              .threads = args->threads,
                              .plain = args->plain,
                              .isa = args->isa,
                              .memory = args->memory,
                              .stop = &cli_stop_requested,
                              .events = { .progress = cli_train_events(&v).progress, .arg = &v } };
    if (dt_run_train(&p, &result, &err) != DT_OK) return cli_fail(&err);
    cli_progress(NULL, 0);
    if (!result.finished) return 130;
    print(recipe->name, &result, args->json);
    return 0;
}

int cli_bench_run(dt_recipe *recipe, const cli_args *args)
{
    dt_error err;
    cli_folder folder;
    recipe->train.epochs = 1;
    if (cli_folder_make(&folder, &err) != DT_OK) return cli_fail(&err);
    cli_catch_stops();
    char *path = cli_folder_path(&folder, "run");
    int code = path ? train_in(path, recipe, args) : 1;
    if (!path) fputs("detent: no memory for a path\n", stderr);
    dt_put(NULL, path);
    cli_folder_remove(&folder);
    return code;
}
