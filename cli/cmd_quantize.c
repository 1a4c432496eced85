/* detent quantize */
/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/mixed.h"
#include "cli/quantize_file.h"
#include "core/atomic.h"

static void on_message(void *arg, const char *text)
{
    (void)arg;
    cli_progress(NULL, 0);
    fprintf(stderr, "%s\n", text);
}

static void on_progress(void *arg, const char *stage, const char *unit, double share, double eta_s)
{
    char text[256], eta[32];
    (void)arg;
    if (eta_s < 0)
        snprintf(text, sizeof text, "%s %s  %.0f %%", stage, unit, 100 * share);
    else
        snprintf(text, sizeof text, "%s %s  %.0f %%  ETA %s", stage, unit, 100 * share,
                 cli_duration(eta_s, eta, sizeof eta));
    cli_progress(text, 15);
}

static void on_unit(void *arg, const dt_quantize_unit *u)
{
    (void)arg;
    cli_progress(NULL, 0);
    fprintf(stderr, "%s %-24s loss %.6g -> %.6g, %lld of %lld codes changed\n", u->stage, u->unit,
            u->before, u->after, (long long)u->changed, (long long)u->weights);
}

/* ---- the report ---- */

/* Without labels no metric is claimed; the float net is compared with all the same. */
static bool has_labels(const dt_session *s)
{
    return !s->data || !dt_data_info_of(s->data)->unlabelled;
}

/* The task's metrics by name, and what is compared with the float net. */
static json_t *score_json(const dt_session *s, const dt_quantize_score *q)
{
    const dt_goal *g = &s->net.goal;
    double n = q->score.count ? (double)q->score.count : 1;
    if (!q->has) return json_null();
    json_t *o =
        json_pack("{s:I,s:I,s:f,s:f,s:o}", "count", (json_int_t)q->score.count, "agree",
                  (json_int_t)q->agree, "agreement", 100.0 * (double)q->agree / n, "kl", q->kl,
                  "sqnr_db", isfinite(q->sqnr_db) ? json_real(q->sqnr_db) : json_null());
    for (int i = 0; has_labels(s) && g->task->metric[i].name; i++)
        json_object_set_new(o, g->task->metric[i].name, json_real(dt_score_value(&q->score, g, i)));
    return o;
}

static json_t *units_json(const dt_quantize_report *r)
{
    json_t *list = json_array();
    for (int i = 0; i < r->unit_count; i++) {
        const dt_quantize_unit *u = &r->unit[i];
        json_array_append_new(
            list, json_pack("{s:s,s:s,s:f,s:f,s:f,s:I,s:I}", "stage", u->stage, "unit", u->unit,
                            "before", u->before, "after", u->after, "undecided", u->undecided,
                            "weights", (json_int_t)u->weights, "changed", (json_int_t)u->changed));
    }
    return list;
}

static json_t *layers_json(const dt_quantize_report *r)
{
    json_t *list = json_array();
    for (int i = 0; i < r->layer_count; i++) {
        const dt_quantize_layer *l = &r->layer[i];
        json_array_append_new(
            list, json_pack("{s:s,s:i,s:o,s:I,s:o}", "layer", l->name, "weight_bits", l->bits,
                            "input_bits",
                            l->x_bits == DT_PTQ_FLOAT ? json_null() : json_integer(l->x_bits),
                            "weights", (json_int_t)l->weights, "sqnr_db",
                            isfinite(l->sqnr_db) ? json_real(l->sqnr_db) : json_null()));
    }
    return list;
}

static json_t *report_json(const dt_session *s, const dt_quantize_report *r, const char *export,
                           const dt_export_report *e)
{
    json_t *o = json_pack(
        "{s:s,s:s,s:s,s:I,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:I,s:f,s:I,s:f,s:f,s:o,s:o}", "recipe",
        s->recipe->name, "hash", s->recipe->hash, "method", s->recipe->ptq.method, "pictures",
        (json_int_t)r->pictures, "measured_on",
        r->measured_on ? json_string(r->measured_on) : json_null(), "float",
        score_json(s, &r->plain), "quantized", score_json(s, &r->quantized), "integer",
        score_json(s, &r->integer), "no_integer",
        r->no_integer[0] ? json_string(r->no_integer) : json_null(), "units", units_json(r),
        "layers", layers_json(r), "weights", (json_int_t)r->weights, "weight_bits", r->weight_bits,
        "weight_bytes", (json_int_t)r->weight_bytes, "seconds", r->seconds, "cpu_seconds",
        r->cpu_seconds, "export", export ? cli_text_json(export) : json_null(), "export_bytes",
        export ? json_integer((json_int_t)e->bytes) : json_null());
    return o;
}

static void print_score(const dt_session *s, const char *what, const dt_quantize_score *q,
                        bool compared)
{
    char text[DT_METRIC_TEXT];
    const dt_goal *g = &s->net.goal;
    if (!q->has) return;
    double n = (double)q->score.count;
    if (!has_labels(s) && !compared) return;
    printf("%-12s ", what);
    if (has_labels(s))
        printf("%s %s of ", g->task->metric[0].label,
               dt_metric_print(&g->task->metric[0], dt_score_value(&q->score, g, 0), text));
    printf("%lld pictures", (long long)q->score.count);
    if (compared)
        printf(", agrees with float %.2f%%, KL %.5f, outputs' SQNR %.1f dB",
               100.0 * (double)q->agree / n, q->kl, q->sqnr_db);
    printf("\n");
}

/* The layers that are the farthest from the float net. */
static void print_worst(const dt_quantize_report *r)
{
    enum { WORST = 3 };
    double last = -INFINITY;
    for (int k = 0; k < WORST && k < r->layer_count; k++) {
        int worst = -1;
        for (int i = 0; i < r->layer_count; i++)
            if (r->layer[i].sqnr_db > last &&
                (worst < 0 || r->layer[i].sqnr_db < r->layer[worst].sqnr_db))
                worst = i;
        if (worst < 0 || !isfinite(r->layer[worst].sqnr_db)) break;
        last = r->layer[worst].sqnr_db;
        printf("%s%s %.1f dB", k ? ", " : "worst layers ", r->layer[worst].name, last);
    }
    if (isfinite(last)) printf("\n");
}

static void print_report(const dt_session *s, const dt_quantize_report *r, const char *folder)
{
    cli_progress(NULL, 0);
    if (r->measured_on) printf("measured on  %s pictures\n", r->measured_on);
    print_score(s, "float", &r->plain, false);
    print_score(s, "quantized", &r->quantized, true);
    print_score(s, "integer", &r->integer, true);
    if (r->no_integer[0]) printf("no integer model: %s\n", r->no_integer);
    printf("weights      %lld at %.2f bits, %lld bytes\n", (long long)r->weights, r->weight_bits,
           (long long)r->weight_bytes);
    print_worst(r);
    printf("method       %s on %lld pictures, %.1f s (%.1f s of processors)\n",
           s->recipe->ptq.method, (long long)r->pictures, r->seconds, r->cpu_seconds);
    printf("folder       %s\n", folder);
}

static dt_status write_report(const char *folder, json_t *o, dt_error *err)
{
    char *path, *text = json_dumps(o, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    if (!text) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the report");
    dt_status st = dt_path_join(folder, "report.json", &path, err);
    if (st == DT_OK) {
        st = dt_file_write(path, text, strlen(text), err);
        dt_put(NULL, path);
    }
    free(text);
    return st;
}

/* ---- the export ---- */

/* A net that is no integer model has none, unless a format was asked for. */
static dt_status export(const dt_session *s, const cli_args *args, const dt_quantize_report *r,
                        const char *folder, char **out_path, dt_export_report *e, dt_error *err)
{
    const dt_row *row;
    const dt_target *target;
    *out_path = NULL;
    if (!args->format && !args->target && !r->integer.has && r->no_integer[0]) return DT_OK;
    DT_TRY(cli_exporter(args, &row, &target, err));
    if (target) DT_TRY(cli_check_target(s, target, args, false, err));
    char *name = dt_format(NULL, "%s.%s", s->recipe->name, dt_exporter_of(row)->extension);
    if (!name) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    dt_status st = dt_path_join(folder, name, out_path, err);
    dt_put(NULL, name);
    return st == DT_OK ? cli_write_export(s, dt_exporter_of(row), args, *out_path, e, err) : st;
}

static dt_status finish(const dt_session *s, const cli_args *args, const dt_quantize_report *r,
                        const char *folder, dt_error *err)
{
    dt_export_report e = { 0 };
    char *path;
    DT_TRY(export(s, args, r, folder, &path, &e, err));
    json_t *o = report_json(s, r, path, &e);
    dt_status st = o ? write_report(folder, o, err)
                     : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the report");
    if (st == DT_OK && args->json)
        cli_print_json(o, 9);
    else if (o)
        json_decref(o);
    if (st == DT_OK && !args->json) print_report(s, r, folder);
    dt_put(NULL, path);
    return st;
}

/* ---- the recipe ---- */

/* "8", "W4A8", "w4": bits of both sides, 0: as they are. */
static bool parse_bits(const char *text, int *weights, int *activations)
{
    char *end;
    *weights = *activations = 0;
    if (*text != 'W' && *text != 'w') {
        *weights = *activations = (int)strtol(text, &end, 10);
        return end != text && !*end && *weights >= 1 && *weights <= 8;
    }
    *weights = (int)strtol(text + 1, &end, 10);
    if (end == text + 1 || *weights < 1 || *weights > 8) return false;
    if (!*end) return true;
    if (*end != 'A' && *end != 'a') return false;
    const char *second = end + 1;
    *activations = (int)strtol(second, &end, 10);
    return end != second && !*end && *activations >= 1 && *activations <= 8;
}

enum { OURS = 8, TEXT = 96 };

typedef struct overrides {
    char text[OURS][TEXT];
    int count;
} overrides;

static void add(overrides *o, const char *key, const char *value)
{
    snprintf(o->text[o->count++], TEXT, "%s=%s", key, value);
}

static void add_side(overrides *o, const char *side, int bits, bool is_float)
{
    char key[48], value[8];
    if (!bits) return;
    snprintf(key, sizeof key, "quant.%s.bits", side);
    snprintf(value, sizeof value, "%d", bits);
    add(o, key, value);
    snprintf(key, sizeof key, "quant.%s.method", side);
    if (is_float) add(o, key, "lsq");
}

/* The arguments with what the options say before the keys of the command line. */
static dt_status with_overrides(const cli_args *args, const overrides *o, cli_args *out,
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

/* Refuses what would only be found when all is done. */
static dt_status check_format(const cli_args *args, dt_error *err)
{
    const dt_row *row;
    const dt_target *target;
    return cli_exporter(args, &row, &target, err);
}

/* The same of a net that its target would not take, whatever comes of it. */
static dt_status on_ready(void *arg, const dt_session *s, dt_error *err)
{
    const cli_args *args = arg;
    const dt_row *row;
    const dt_target *target;
    DT_TRY(cli_exporter(args, &row, &target, err));
    return target ? cli_check_target(s, target, args, true, err) : DT_OK;
}

static bool is_mixed(const cli_args *args)
{
    return args->bits && strcmp(args->bits, "mixed") == 0;
}

/* The recipe with a rule for every layer whose width was chosen, behind its own rules. */
static dt_status with_rules(const cli_args *args, const cli_mixed *m, int own, dt_recipe **out,
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

/* Measures the layers of `*recipe` and puts the one with rules in its place. */
static dt_status choose_bits(const cli_args *args, dt_recipe **recipe, dt_error *err)
{
    static cli_mixed m;
    DT_TRY(cli_mixed_options(args, &m, err));
    if (!m.resource)
        return dt_fail(err, DT_ERR_ARG, &(dt_where){ .key = "--bits" },
                       "mixed wants a --budget, such as --budget bits=4");
    DT_TRY(cli_mixed_run(args, *recipe, &m, err));
    int own = (*recipe)->quant.rules;
    dt_recipe *mixed;
    dt_status st = with_rules(args, &m, own, &mixed, err);
    cli_mixed_fini(&m);
    if (st != DT_OK) return st;
    dt_recipe_free(*recipe);
    *recipe = mixed;
    return DT_OK;
}

static dt_status overrides_of(const cli_args *args, const dt_recipe *r, overrides *o, dt_error *err)
{
    int weights = 0, activations = 0;
    bool is_float = !r->quant.enabled;
    if (args->bits && !is_mixed(args) && !parse_bits(args->bits, &weights, &activations))
        return dt_fail(err, DT_ERR_RANGE, &(dt_where){ .key = "--bits" },
                       "'%s' is no width such as 8, 4 or W4A8, of 1 to 8 bits, nor 'mixed'",
                       args->bits);
    if (is_mixed(args) && is_float) weights = activations = 8;
    if (!args->method && !r->ptq.enabled) add(o, "ptq.method", "blockwise");
    if (is_float && weights && !activations) activations = 8;
    add_side(o, "weights", weights, is_float);
    add_side(o, "activations", activations, is_float);
    return DT_OK;
}

static dt_status recipe_of(const cli_args *args, dt_recipe **out, dt_error *err)
{
    overrides o = { .count = 0 };
    cli_args quiet, more = *args;
    dt_recipe *read;
    DT_TRY(check_format(args, err));
    if (args->method) add(&o, "ptq.method", args->method); /* what keys of stages are about */
    DT_TRY(with_overrides(args, &o, &quiet, err));
    quiet.json = true;
    DT_TRY(cli_recipe(&quiet, &read, err));
    dt_status st = overrides_of(args, read, &o, err);
    dt_recipe_free(read);
    if (st == DT_OK) st = with_overrides(args, &o, &more, err);
    if (st == DT_OK) st = cli_recipe(&more, &read, err);
    if (st != DT_OK) return st;
    if (is_mixed(args)) st = choose_bits(&more, &read, err);
    if (st == DT_OK)
        *out = read;
    else
        dt_recipe_free(read);
    return st;
}

static int quantize(dt_recipe *recipe, const char *folder, const cli_args *args)
{
    dt_error err;
    dt_session s;
    dt_quantize_report report;
    const dt_quantize_params p = { .recipe = recipe,
                                   .folder = folder,
                                   .threads = args->threads,
                                   .isa = args->isa,
                                   .memory = args->memory,
                                   .resume = args->resume,
                                   .rounding = args->rounding,
                                   .stop = &cli_stop_requested,
                                   .events = { on_ready, on_message, on_progress, on_unit,
                                               (void *)(uintptr_t)args } };
    cli_catch_stops();
    if (dt_quantize(&p, &s, &report, &err) != DT_OK) {
        int code = cli_fail(&err);
        return atomic_load(&cli_stop_requested) ? 130 : code;
    }
    dt_status st = finish(&s, args, &report, folder, &err);
    dt_quantize_report_fini(NULL, &report);
    dt_session_close(&s);
    return st == DT_OK ? 0 : cli_fail(&err);
}

static int quantize_recipe(const cli_args *args)
{
    dt_error err;
    dt_recipe *recipe;
    if (recipe_of(args, &recipe, &err) != DT_OK) return cli_fail(&err);
    if (args->dry_run) {
        printf("%s", recipe->text);
        dt_recipe_free(recipe);
        return 0;
    }
    char *folder =
        args->out ? dt_format(NULL, "%s", args->out) : dt_format(NULL, "runs/%s", recipe->name);
    int code = 1;
    if (folder)
        code = quantize(recipe, folder, args);
    else
        fprintf(stderr, "no memory\n");
    dt_put(NULL, folder);
    dt_recipe_free(recipe);
    return code;
}

int cli_quantize(const cli_args *args)
{
    dt_error err;
    cli_quantize_file f;
    if (cli_quantize_source(args, &f, &err) != DT_OK) return cli_fail(&err);
    int code = quantize_recipe(&f.args);
    cli_quantize_file_fini(&f);
    return code;
}
