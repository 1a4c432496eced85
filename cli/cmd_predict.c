/* detent predict */
/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/plain.h"

enum { SHOWN = 5 };

/* Pictures and keys of the words behind the checkpoint. */
typedef struct split_words {
    cli_args recipe; /* the checkpoint and KEY=VALUE */
    const char *picture[CLI_MAX_WORDS];
    int count;
} split_words;

/* A word with '=' that names no file is a key. */
static void split(const cli_args *args, split_words *w)
{
    *w = (split_words){ .recipe = *args };
    w->recipe.word_count = 1;
    for (int i = 1; i < args->word_count; i++)
        if (strchr(args->words[i], '=') && !dt_file_exists(args->words[i]))
            w->recipe.words[w->recipe.word_count++] = args->words[i];
        else
            w->picture[w->count++] = args->words[i];
}

/* Logits -> shares that add up to 1. */
static void softmax(const float *y, int64_t n, double *p)
{
    double most = (double)y[0], sum = 0;
    for (int64_t i = 1; i < n; i++)
        most = fmax(most, (double)y[i]);
    for (int64_t i = 0; i < n; i++)
        sum += p[i] = exp((double)y[i] - most);
    for (int64_t i = 0; i < n; i++)
        p[i] /= sum;
}

static const char *class_name(const char *const *names, int64_t class, char text[32])
{
    if (names) return names[class];
    snprintf(text, 32, "class %lld", (long long)class);
    return text;
}

/* The most likely classes, of equal ones the first; used ones are set to -1. */
static json_t *show_classes(const char *const *names, double *p, int64_t K, bool json)
{
    json_t *list = json ? json_array() : NULL;
    char text[32], shown[CLI_PLAIN_NAME];
    for (int k = 0; k < SHOWN && k < K; k++) {
        int64_t best = 0;
        for (int64_t i = 1; i < K; i++)
            if (p[i] > p[best]) best = i;
        if (json)
            json_array_append_new(
                list, json_pack("{s:I,s:o,s:f}", "class", (json_int_t)best, "name",
                                cli_text_json(class_name(names, best, text)), "score", p[best]));
        else
            printf("%s %s %.2f%%", k ? "," : "",
                   cli_plain_name(class_name(names, best, text), shown), 100 * p[best]);
        p[best] = -1;
    }
    return list;
}

/* What the output of another task means; without one its numbers. */
static json_t *show_numbers(const dt_goal_part *g, const float *y, float *means, bool json)
{
    json_t *list = json ? json_array() : NULL;
    int64_t n = g->task ? g->task->predicted(g->K) : g->K;
    if (g->task)
        g->task->predict(g->conf, y, g->K, means);
    else
        memcpy(means, y, (size_t)n * sizeof *y);
    for (int64_t i = 0; i < n; i++)
        if (json)
            json_array_append_new(list, json_real((double)means[i]));
        else
            printf(" %.*g", g->task ? g->task->digits : 9, (double)means[i]);
    return list;
}

/* One output; `key` is what JSON has it under. */
static json_t *show_part(const dt_goal_part *g, const char *const *names, const float *y, double *p,
                         bool json, const char **out_key)
{
    if (g->task && g->task->answer == DT_ANSWER_LABEL) {
        *out_key = "classes";
        softmax(y, g->K, p);
        return show_classes(names, p, g->K, json);
    }
    float *means = (float *)p; /* no more than there are outputs */
    *out_key = g->task ? g->task->means : "numbers";
    return show_numbers(g, y, means, json);
}

/* Of several outputs each has a line, or an object by its name. */
static void show(const char *path, const dt_goal *g, const char *const *names, const float *y,
                 double *p, json_t *all)
{
    const dt_goal_part *named = dt_goal_labels(g);
    bool several = g->count > 1;
    char shown[CLI_PLAIN_NAME];
    const char *key;
    json_t *o = all ? json_pack("{s:o}", "picture", cli_text_json(path)) : NULL;
    for (int i = 0; i < g->count; i++) {
        const dt_goal_part *part = &g->part[i];
        if (!all) printf("%s:", cli_plain_name(path, shown));
        if (!all && several) printf(" %s:", part->output);
        json_t *list =
            show_part(part, part == named ? names : NULL, y + part->at, p, all != NULL, &key);
        if (!all) putchar('\n');
        if (all && several)
            json_object_set_new(o, part->output, json_pack("{s:o}", key, list));
        else if (all)
            json_object_set_new(o, key, list);
    }
    if (all) json_array_append_new(all, o);
}

static dt_status predict_all(dt_predictor *p, const split_words *w, dt_arena *arena, json_t *all,
                             dt_error *err)
{
    const dt_goal *g = &p->s->net.goal;
    const char *const *names;
    DT_TRY(dt_class_names(p->s, arena, &names, err));
    float *y = dt_arena_get(arena, (size_t)g->K * sizeof *y);
    double *shares = dt_arena_get(arena, (size_t)g->K * sizeof *shares);
    if (!y || !shares) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to predict");
    for (int i = 0; i < w->count; i++) {
        DT_TRY(dt_predict(p, w->picture[i], y, err));
        show(w->picture[i], g, names, y, shares, all);
    }
    return DT_OK;
}

static dt_status predict(dt_session *s, const split_words *w, json_t *all, dt_error *err)
{
    dt_int_model *m = NULL;
    dt_predictor p;
    if (!s->quantizers_ready)
        return dt_fail(err, DT_ERR_ARG, &(dt_where){ .file = w->recipe.words[0] },
                       "has quantizers without state; give a trained checkpoint");
    if (w->recipe.integer) DT_TRY(cli_model(s, &w->recipe, &m, err));
    dt_status st = dt_predictor_init(&p, s, m, err);
    if (st == DT_OK) {
        dt_arena *arena = dt_arena_new(NULL, "prediction");
        st = arena ? predict_all(&p, w, arena, all, err)
                   : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to predict");
        dt_arena_free(arena);
        dt_predictor_fini(&p);
    }
    if (m) dt_int_model_free(m);
    return st;
}

int cli_predict(const cli_args *args)
{
    dt_error err;
    dt_recipe *recipe;
    dt_session s;
    split_words w;
    split(args, &w);
    if (w.count == 0) {
        fprintf(stderr,
                "detent: predict: no picture is named; say predict CHECKPOINT PICTURE...\n");
        return 1;
    }
    json_t *all = args->json ? json_array() : NULL;
    dt_status st = cli_recipe_or_checkpoint(&w.recipe, &recipe, &err);
    if (st == DT_OK) {
        const dt_session_params p = { .recipe = recipe,
                                      .threads = args->threads,
                                      .isa = args->isa,
                                      .no_data = true,
                                      .need = DT_NEED_TEST,
                                      .memory = args->memory,
                                      .eval_batch = 1 };
        st = dt_session_open(&s, &p, &err);
        if (st == DT_OK) {
            st = predict(&s, &w, all, &err);
            dt_session_close(&s);
        }
        dt_recipe_free(recipe);
    }
    if (st == DT_OK && all)
        cli_print_json(all, 9);
    else if (all)
        json_decref(all);
    return st == DT_OK ? 0 : cli_fail(&err);
}
