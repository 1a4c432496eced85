/* Messages, recipes, progress. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <jansson.h>

#include "cli/cli.h"
#include "cli/runtime.h"

int cli_fail(const dt_error *err)
{
    cli_say(err->text, CLI_ERROR); /* "file:line: ..." first: editors jump there */
    return 1;
}

dt_status cli_recipe(const cli_args *args, dt_recipe **out, dt_error *err)
{
    for (int i = 1; i < args->word_count; i++)
        if (!args->json && !args->quiet) fprintf(stderr, "override: %s\n", args->words[i]);
    const dt_recipe_params p = { .tables = &dt_tables,
                                 .path = args->words[0],
                                 .text = args->text,
                                 .overrides = args->words + 1,
                                 .override_count = (size_t)(args->word_count - 1) };
    if (!args->text) DT_TRY(dt_recipe_check_file(p.path, err));
    return dt_recipe_read(&p, out, err);
}

dt_status cli_recipe_or_checkpoint(const cli_args *args, dt_recipe **out, dt_error *err)
{
    const char *path = args->words[0];
    if (!dt_is_checkpoint(path) && !dt_is_graph(path)) return cli_recipe(args, out, err);
    return dt_recipe_open(path, args->words + 1, (size_t)(args->word_count - 1), out, err);
}

dt_data_need cli_need(const cli_args *args)
{
    return args->calibrate ? DT_NEED_BOTH : DT_NEED_TEST;
}

void cli_notes(const dt_data *data)
{
    const dt_data_info *info = data ? dt_data_info_of(data) : NULL;
    for (size_t i = 0; info && i < info->note_count; i++)
        fprintf(stderr, "%s\n", info->notes[i].text);
}

static void on_note(void *arg, const char *text)
{
    (void)arg;
    fprintf(stderr, "%s\n", text);
}

dt_status cli_calibrate(dt_session *s, const cli_args *args, dt_error *err)
{
    int flipped, small;
    dt_session_tell_sites(s, &s->net.graph, on_note, NULL);
    if (s->quantizers_ready) {
        cli_tell_floor(s);
        return DT_OK;
    }
    if (!args->calibrate) {
        char first[1024];
        int n = dt_session_anew(s, &s->net.graph, first, sizeof first);
        return dt_fail(err, DT_ERR_ARG, &(dt_where){ .file = args->words[0] },
                       "%d quantizers have no state of their bits, such as %s; give a trained "
                       "checkpoint as model.init, or --calibrate to start all from training data",
                       n, first);
    }
    return dt_session_calibrate(s, NULL, NULL, &flipped, &small, err);
}

void cli_tell_import(const dt_session *s, const cli_args *args)
{
    const dt_net_report *r = &s->report;
    if (s->source == DT_INIT_RANDOM) cli_say("no model.init: random weights", CLI_WARNING);
    if (s->source == DT_INIT_RANDOM || args->json) return;
    if (s->source == DT_INIT_FILE) {
        fprintf(stderr, "weights of %s\n", dt_net_model_file(s->recipe)->path);
        return;
    }
    fprintf(stderr, "imported %s\n", s->recipe->model.init);
    fprintf(stderr, "  matched    %d\n  missing    %d%s%s\n  unexpected %d%s%s\n", r->matched,
            r->missing, r->missing ? ": " : "", r->missing ? r->missing_name[0] : "", r->unexpected,
            r->unexpected ? ", left out: " : "", r->unexpected ? r->unexpected_name[0] : "");
    if (*s->init_note) fprintf(stderr, "  %s\n", s->init_note);
}

void cli_tell_floor(const dt_session *s)
{
    char names[400], text[600];
    int n = dt_hold_at_floor(&s->net.graph, &s->net.state, names, sizeof names);
    if (n == 0) return;
    snprintf(text, sizeof text,
             "warning: %d quantization site%s at the floor of its range, and may let nothing "
             "through: %s",
             n, n == 1 ? " is" : "s are", names);
    cli_say(text, CLI_WARNING);
}

dt_export_source cli_source(const dt_session *s, struct dt_text_attr *attr)
{
    return dt_session_source(s, DT_VERSION, attr);
}

const char *cli_rounding(const dt_session *s, const cli_args *args)
{
    const char *kept = args->runtime ? cli_runtime_rounding(args) : NULL;
    const dt_recipe_quant *quant = &s->recipe->quant;
    return args->rounding   ? args->rounding
           : kept           ? kept
           : quant->enabled ? quant->rounding
                            : dt_contracts->name;
}

dt_status cli_model(const dt_session *s, const cli_args *args, dt_int_model **out, dt_error *err)
{
    struct dt_text_attr attr[DT_SOURCE_TEXTS];
    const dt_export_source src = cli_source(s, attr);
    dt_lower_source low = dt_export_lower(&src);
    const dt_contract *contract;
    dt_lowered *l;
    DT_TRY(dt_contract_get(cli_rounding(s, args), args->rounding ? "--rounding" : NULL, &contract,
                           err));
    const char *format = args->runtime ? cli_runtime_format(args) : args->format;
    const dt_row *row = format ? dt_table_find(&dt_exporters, format) : NULL;
    low.no_gain = row && dt_exporter_of(row)->no_gain;
    DT_TRY(dt_lower_new(&low, &l, err));
    dt_status st = dt_int_model_new(l, contract, s->alloc, out, err);
    dt_lower_free(l);
    return st;
}

dt_status cli_round_biases(dt_session *s, dt_error *err)
{
    struct dt_text_attr attr[DT_SOURCE_TEXTS];
    const dt_export_source src = cli_source(s, attr);
    const dt_lower_source low = dt_export_lower(&src);
    dt_lowered *l;
    int count;
    DT_TRY(dt_lower_new(&low, &l, err));
    dt_lower_round_biases(l, &s->net.state, &count);
    dt_lower_free(l);
    return DT_OK;
}

void cli_put_score(json_t *o, const dt_goal *g, const dt_score *s, const char *end)
{
    char key[DT_GOAL_NAME + 32], name[DT_GOAL_NAME];
    for (int p = 0; p < g->trained; p++) {
        const dt_net_task *t = g->part[p].task;
        const char *what = t->counts ? t->sum[0] : t->metric->name;
        snprintf(key, sizeof key, "%s%s", dt_goal_name(g, &g->part[p], "_", what, name), end);
        json_object_set_new(o, key,
                            t->counts ? json_integer((json_int_t)s->sum[p][0])
                                      : json_real(dt_score_value(s, g, dt_goal_first(g, p))));
    }
}

void cli_put_same(json_t *o, const dt_goal *g, const int64_t *same)
{
    char key[DT_GOAL_NAME + 32], name[DT_GOAL_NAME];
    for (int p = 0; p < g->trained; p++) {
        snprintf(key, sizeof key, "same_%s",
                 dt_goal_name(g, &g->part[p], "_", g->part[p].task->means, name));
        json_object_set_new(o, key, json_integer((json_int_t)same[p]));
    }
}

void cli_print_metrics(const dt_goal *g, const dt_score *s, bool counts)
{
    char value[DT_METRIC_TEXT], label[DT_GOAL_NAME];
    const dt_metric *m;
    for (int i = 0; (m = dt_goal_metric(g, i, NULL)) != NULL; i++) {
        const dt_goal_part *p;
        dt_goal_metric(g, i, &p);
        dt_metric_print(m, dt_score_value(s, g, i), value);
        printf("%s%s %s", i ? ", " : "", dt_goal_label(g, i, label), value);
        if (m == p->task->metric && counts && p->task->counts)
            printf(" (%lld of %lld)", (long long)s->sum[p - g->part][0], (long long)s->count);
    }
}
