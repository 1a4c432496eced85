/* detent repro */
/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <string.h>

#include "cli/train_events.h"
#include "cli/work_folder.h"

/* One recipe's run, and what came of it. */
typedef struct judged {
    const dt_recipe *recipe;
    bool quick;
    double percent; /* the first metric of the test split */
    char tag[DT_EXPECT_TAG], hex[DT_SHA256_HEX];
    const char *wanted; /* the hash that the recipe has for this tag; NULL: none */
    dt_expect_weights weights;
    bool good;
} judged;

static const char *const weights_word[] = { "not recorded", "equal", "different" };

/* Whether the recipe says anything that can be held against a run of this kind. */
static dt_status has_claim(const dt_recipe *recipe, const cli_args *args, dt_error *err)
{
    const dt_recipe_expect *e = &recipe->expect;
    dt_where where = { .file = recipe->name, .key = "expect.quick" };
    if (args->quick)
        return e->quick.count || args->json
                   ? DT_OK
                   : dt_fail(err, DT_ERR_NOT_FOUND, &where,
                             "there is no hash of the first steps; --json tells one to record");
    where.key = "expect.top1";
    return e->has_top1 ? DT_OK
                       : dt_fail(err, DT_ERR_NOT_FOUND, &where,
                                 "the recipe has no number that a run could be held to");
}

static dt_status hash_run(const char *folder, judged *j, dt_error *err)
{
    dt_inspection seen;
    char *path;
    DT_TRY(dt_path_join(folder, "last.h5", &path, err));
    dt_status st = dt_inspect_open(path, NULL, NULL, &seen, err);
    dt_put(NULL, path);
    if (st != DT_OK) return st;
    const char *isa = dt_tensors_attr(&seen.set, "isa"), *blas = dt_tensors_attr(&seen.set, "blas");
    dt_expect_tag(isa ? isa : "", blas ? blas : "", j->tag);
    memcpy(j->hex, seen.sha256, sizeof j->hex);
    dt_inspect_close(&seen);
    return DT_OK;
}

static dt_status judge(const char *folder, const dt_run_result *result, judged *j, dt_error *err)
{
    const dt_recipe_expect *e = &j->recipe->expect;
    DT_TRY(hash_run(folder, j, err));
    j->percent = dt_score_value(&result->score, &result->goal, 0);
    j->weights = dt_expect_compare(j->quick ? &e->quick : &e->sha256, j->tag, j->hex, &j->wanted);
    j->good = j->quick ? j->weights == DT_WEIGHTS_EQUAL
                       : j->weights != DT_WEIGHTS_DIFFER && dt_expect_reached(e, j->percent);
    return DT_OK;
}

static void print_judged(const judged *j, bool as_json)
{
    const dt_recipe_expect *e = &j->recipe->expect;
    if (as_json) {
        json_t *o =
            json_pack("{s:o,s:b,s:b,s:s,s:s,s:s,s:s*}", "recipe", cli_text_json(j->recipe->name),
                      "quick", j->quick, "pass", j->good, "tag", j->tag, "sha256", j->hex,
                      "weights", weights_word[j->weights], "recorded", j->wanted);
        if (o && !j->quick) json_object_set_new(o, "top1", json_real(j->percent));
        if (o && !j->quick) json_object_set_new(o, "expected", json_real(e->top1));
        cli_print_json(o, 9);
        return;
    }
    printf("%-28s", j->recipe->name);
    if (!j->quick)
        printf("  top-1 %.2f%%, expected %.2f - %.2f", j->percent, e->top1, e->tolerance);
    printf("  weights %.12s %s%s%.12s", j->hex, weights_word[j->weights],
           j->wanted ? ", recorded " : " for ", j->wanted ? j->wanted : "");
    printf("%s  %s\n", j->wanted ? "" : j->tag, j->good ? "pass" : "FAIL");
    fflush(stdout);
}

/* Trains, or goes on, or finds the run finished. */
static int run_in(dt_recipe *recipe, const char *folder, const cli_args *args)
{
    dt_error err;
    dt_run_result result;
    cli_train_view v = { 0 };
    judged j = { .recipe = recipe, .quick = args->quick };
    const dt_run_params p = {
        .recipe = recipe,
        .folder = folder,
        .threads = args->threads,
        .isa = args->isa,
        .memory = args->memory,
        .resume = true,
        .stop = &cli_stop_requested,
        .events = args->json || args->quick ? (dt_run_events){ .arg = NULL } : cli_train_events(&v),
    };
    if (dt_run_train(&p, &result, &err) != DT_OK) return cli_fail(&err);
    cli_progress(NULL, 0);
    if (!result.finished) return 130;
    if (judge(folder, &result, &j, &err) != DT_OK) return cli_fail(&err);
    print_judged(&j, args->json);
    return j.good ? 0 : 1;
}

static int run_quick(dt_recipe *recipe, const cli_args *args)
{
    dt_error err;
    cli_folder work;
    if (cli_folder_make(&work, &err) != DT_OK) return cli_fail(&err);
    char *folder = cli_folder_path(&work, "run");
    int code = 1;
    if (folder)
        code = run_in(recipe, folder, args);
    else if (dt_fail(&err, DT_ERR_NOMEM, NULL, "no memory") != DT_OK)
        cli_fail(&err);
    dt_put(NULL, folder);
    cli_folder_remove(&work);
    return code;
}

static int run_whole(dt_recipe *recipe, const cli_args *args)
{
    dt_error err;
    bool done = true;
    char *mark, *folder = args->from  ? dt_format(NULL, "%s", args->from)
                          : args->out ? dt_format(NULL, "%s/%s", args->out, recipe->name)
                                      : dt_format(NULL, "runs/repro/%s", recipe->name);
    if (!folder) {
        dt_fail(&err, DT_ERR_NOMEM, NULL, "no memory");
        return cli_fail(&err);
    }
    if (args->from && dt_path_join(folder, "DONE", &mark, &err) == DT_OK) {
        done = dt_file_exists(mark);
        dt_put(NULL, mark);
    }
    int code;
    if (done) {
        code = run_in(recipe, folder, args);
    } else {
        dt_fail(&err, DT_ERR_NOT_FOUND, &(dt_where){ .file = args->from },
                "is no finished run: it has no file DONE; repro without --from trains");
        code = cli_fail(&err);
    }
    dt_put(NULL, folder);
    return code;
}

/* The overrides, and for --quick the end of the run; a recipe of its own must know how many steps.
 */
static int one(const char *path, const cli_args *args)
{
    char steps[48];
    dt_error err;
    dt_recipe *recipe = NULL;
    cli_args own = *args;
    own.words[0] = path;
    own.word_count = 1;
    for (int i = 0; i < args->word_count; i++)
        if (strchr(args->words[i], '=')) own.words[own.word_count++] = args->words[i];
    dt_status st = cli_recipe(&own, &recipe, &err);
    if (st == DT_OK) st = has_claim(recipe, args, &err);
    if (st == DT_OK && args->quick) {
        snprintf(steps, sizeof steps, "train.max_steps=%d", recipe->expect.quick_steps);
        dt_recipe_free(recipe);
        recipe = NULL;
        own.words[own.word_count++] = steps;
        st = cli_recipe(&own, &recipe, &err);
    }
    int code = st != DT_OK   ? cli_fail(&err)
               : args->quick ? run_quick(recipe, args)
                             : run_whole(recipe, args);
    dt_recipe_free(recipe);
    return code;
}

int cli_repro(const cli_args *args)
{
    dt_error err;
    int recipes = 0, code = 0;
    for (int i = 0; i < args->word_count; i++)
        recipes += !strchr(args->words[i], '=');
    if (args->from && (args->quick || recipes != 1)) {
        dt_fail(&err, DT_ERR_ARG, NULL,
                "--from judges a finished run of one recipe, without --quick");
        return cli_fail(&err);
    }
    cli_catch_stops();
    cli_outlive_readers();
    for (int i = 0; i < args->word_count && code != 130; i++) {
        if (strchr(args->words[i], '=')) continue;
        int one_code = one(args->words[i], args);
        if (one_code) code = one_code;
    }
    return code;
}
