/* Quantization without training. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "api/common.h"

#include <string.h>

enum { OURS = DT_QUANTIZE_FILE_WORDS + DT_QUANTIZE_WORDS };

/* What `how` says. */
typedef struct ask {
    const char *bits, *method, *data, *normalize;
} ask;

/* A recipe's source and the keys over it: the net's, ours, the caller's. */
typedef struct source {
    const char *path;
    char *text;   /* of a net's file; NULL: `path` is a recipe */
    char *own[DT_QUANTIZE_FILE_WORDS];
    int own_count;
    char *method; /* "ptq.method=..."; NULL: the recipe's */
    dt_quantize_words words;
    const detent_words *theirs;
} source;

static dt_status read_how(const detent_words *how, ask *a, dt_error *err)
{
    static const char *const names[] = { "bits", "method", "data", "normalize" };
    const char **values[] = { &a->bits, &a->method, &a->data, &a->normalize };
    for (size_t i = 0; i < how->count; i++) {
        const char *equals = strchr(how->at[i], '=');
        size_t k = 0;
        while (k < DT_ARRAY_LEN(names) && equals &&
               (strlen(names[k]) != (size_t)(equals - how->at[i]) ||
                strncmp(how->at[i], names[k], strlen(names[k])) != 0))
            k++;
        if (!equals || k == DT_ARRAY_LEN(names))
            return dt_fail(
                err, DT_ERR_ARG, NULL,
                "quantize: '%s' is none of bits=, method=, data=, normalize=", how->at[i]);
        *values[k] = equals + 1;
    }
    return DT_OK;
}

static dt_status open_file(source *s, const ask *a, dt_error *err)
{
    const dt_net_source net = { .net = s->path, .folder = a->data, .normalize = a->normalize };
    if (!dt_is_net_file(s->path)) {
        if (!a->data) return DT_OK;
        return dt_fail(err, DT_ERR_ARG, &(dt_where){ .key = "data" },
                       "is for a net's file, such as net.onnx; %s is a recipe, which has data.root",
                       s->path);
    }
    DT_TRY(dt_quantize_recipe_of(&net, &s->text, err));
    return dt_quantize_file_words(&net, s->own, &s->own_count, err);
}

static dt_status read_recipe(const source *s, dt_recipe **out, dt_error *err)
{
    const size_t most = s->theirs->count + OURS + 1;
    const char **all = dt_get_array(NULL, most, sizeof *all, "overrides");
    size_t n = 0;
    if (!all) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the recipe");
    for (int i = 0; i < s->own_count; i++)
        all[n++] = s->own[i];
    if (s->method) all[n++] = s->method;
    for (int i = 0; i < s->words.count; i++)
        all[n++] = s->words.text[i];
    if (s->theirs->count) memcpy(all + n, s->theirs->at, s->theirs->count * sizeof *all);
    n += s->theirs->count;
    const detent_words words = { all, n };
    const dt_recipe_params p = { .tables = &dt_tables,
                                 .path = s->path,
                                 .text = s->text,
                                 .overrides = all,
                                 .override_count = n };
    dt_status st = s->text ? dt_recipe_read(&p, out, err) : api_recipe(s->path, &words, out, err);
    dt_put(NULL, all);
    return st;
}

/* Read twice: what is added depends on what is there. */
static dt_status recipe_of(source *s, const ask *a, dt_recipe **out, dt_error *err)
{
    int weights = 0, activations = 0;
    dt_recipe *first;
    if (a->bits && !dt_quantize_bits(a->bits, &weights, &activations))
        return dt_fail(err, DT_ERR_RANGE, &(dt_where){ .key = "bits" },
                       "'%s' is no width such as 8, 4 or W4A8, of 1 to 8 bits", a->bits);
    DT_TRY(open_file(s, a, err));
    if (a->method) s->method = dt_format(NULL, "ptq.method=%s", a->method);
    if (a->method && !s->method) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to quantize");
    dt_status st = read_recipe(s, &first, err);
    if (st == DT_OK) {
        dt_quantize_add_words(first, weights, activations, &s->words);
        dt_recipe_free(first);
        st = read_recipe(s, out, err);
    }
    return st;
}

static void on_progress(void *arg, const char *stage, const char *unit, double share, double eta_s)
{
    (void)eta_s;
    api_send(arg, json_pack("{s:s,s:s,s:s,s:f}", "kind", "progress", "stage", stage, "unit", unit,
                            "share", share));
}

static void on_unit(void *arg, const dt_quantize_unit *u)
{
    api_send(arg, json_pack("{s:s,s:s,s:s,s:f,s:f}", "kind", "unit", "stage", u->stage, "unit",
                            u->unit, "before", u->before, "after", u->after));
}

static dt_status quantize(dt_recipe *recipe, const char *folder, int threads, int resume,
                          api_listener *l, dt_error *err)
{
    dt_session s;
    dt_quantize_report report;
    const dt_quantize_params p = {
        .recipe = recipe,
        .folder = folder,
        .threads = threads,
        .memory = dt_memory_limit_default(),
        .resume = resume != 0,
        .stop = &l->stop,
        .events = { .message = api_on_message, .progress = on_progress, .unit = on_unit, .arg = l }
    };
    DT_TRY(dt_quantize(&p, &s, &report, err));
    json_t *o = dt_quantize_json(&s, &report);
    dt_status st = o ? dt_quantize_write(folder, o, err)
                     : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the report");
    if (st == DT_OK)
        api_send(l, json_pack("{s:s,s:o}", "kind", "end", "report", o));
    else
        json_decref(o);
    dt_quantize_report_fini(NULL, &report);
    dt_session_close(&s);
    return st;
}

int detent_quantize(const char *path, const detent_words *overrides, const detent_words *how,
                    const char *folder, int threads, int resume, detent_event *event, void *arg,
                    char error[DETENT_ERROR])
{
    dt_error err = { 0 };
    dt_recipe *recipe;
    ask a = { 0 };
    source s = { .path = path, .theirs = overrides };
    api_listener l = { .event = event, .arg = arg };
    dt_status st = read_how(how, &a, &err);
    if (st == DT_OK) st = recipe_of(&s, &a, &recipe, &err);
    if (st == DT_OK) {
        st = quantize(recipe, folder, threads, resume, &l, &err);
        dt_recipe_free(recipe);
    }
    dt_quantize_file_words_fini(s.own);
    dt_put(NULL, s.method);
    dt_put(NULL, s.text);
    return api_told(st, &err, error);
}
