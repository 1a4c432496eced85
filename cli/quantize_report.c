/* What detent quantize says of its result. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/quantize_report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/atomic.h"

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

static json_t *proof_json(const dt_quantize_report *r)
{
    if (!r->has_proof) return json_null();
    return json_pack("{s:b,s:I,s:I}", "proved", r->proof_differ == 0, "cases",
                     (json_int_t)r->proof_cases, "differ", (json_int_t)r->proof_differ);
}

static json_t *drop_json(const cli_drop *d)
{
    if (!d) return json_null();
    return json_pack("{s:f,s:f,s:b,s:s,s:i,s:i,s:f,s:f,s:s}", "limit", d->limit, "drop", d->drop,
                     "met", d->met, "points_of", d->labelled ? "metric" : "agreement", "held_out",
                     d->held_out, "tries", d->tries, "cost", d->amount, "widest", d->widest, "unit",
                     d->unit);
}

json_t *cli_quantize_json(const dt_session *s, const dt_quantize_report *r, const cli_drop *drop,
                          const char *export, const dt_export_report *e)
{
    json_t *o =
        json_pack("{s:s,s:s,s:s,s:I,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:I,s:f,s:I,s:f,s:f,s:o,s:o,s:o}",
                  "recipe", s->recipe->name, "hash", s->recipe->hash, "method",
                  s->recipe->ptq.method, "pictures", (json_int_t)r->pictures, "measured_on",
                  r->measured_on ? json_string(r->measured_on) : json_null(), "float",
                  score_json(s, &r->plain), "quantized", score_json(s, &r->quantized), "integer",
                  score_json(s, &r->integer), "no_integer",
                  r->no_integer[0] ? json_string(r->no_integer) : json_null(), "units",
                  units_json(r), "layers", layers_json(r), "weights", (json_int_t)r->weights,
                  "weight_bits", r->weight_bits, "weight_bytes", (json_int_t)r->weight_bytes,
                  "seconds", r->seconds, "cpu_seconds", r->cpu_seconds, "max_drop", drop_json(drop),
                  "proof", proof_json(r), "export", export ? cli_text_json(export) : json_null(),
                  "export_bytes", export ? json_integer((json_int_t)e->bytes) : json_null());
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

void cli_quantize_worst(const dt_quantize_report *r, char *text, size_t size)
{
    enum { WORST = 3 };
    double last = -INFINITY;
    size_t used = 0;
    text[0] = '\0';
    for (int k = 0; k < WORST && used < size; k++) {
        int worst = -1;
        for (int i = 0; i < r->layer_count; i++)
            if (r->layer[i].sqnr_db > last &&
                (worst < 0 || r->layer[i].sqnr_db < r->layer[worst].sqnr_db))
                worst = i;
        if (worst < 0 || !isfinite(r->layer[worst].sqnr_db)) break;
        last = r->layer[worst].sqnr_db;
        used += (size_t)snprintf(text + used, size - used, "%s%s %.1f dB", k ? ", " : "",
                                 r->layer[worst].name, last);
    }
}

static void print_drop(const cli_drop *d)
{
    if (!d) return;
    printf("max drop     %.4g points of %s: %.4g on %d held-out training pictures, %.6g of %.6g %s "
           "(%d tries)\n",
           d->limit, d->labelled ? "the metric" : "agreement", d->drop, d->held_out, d->amount,
           d->widest, d->unit, d->tries);
}

void cli_quantize_print(const dt_session *s, const dt_quantize_report *r, const cli_drop *drop,
                        const char *folder)
{
    cli_progress(NULL, 0);
    if (r->measured_on) printf("measured on  %s pictures\n", r->measured_on);
    print_score(s, "float", &r->plain, false);
    print_score(s, "quantized", &r->quantized, true);
    print_score(s, "integer", &r->integer, true);
    if (r->no_integer[0]) printf("no integer model: %s\n", r->no_integer);
    printf("weights      %lld at %.2f bits, %lld bytes\n", (long long)r->weights, r->weight_bits,
           (long long)r->weight_bytes);
    if (r->has_proof)
        printf("proof        %s: of %lld sums, pairs and codes that can occur %lld differ between "
               "the engine and the reference\n",
               r->proof_differ == 0 ? "proved" : "NOT proved", (long long)r->proof_cases,
               (long long)r->proof_differ);
    char worst[400];
    cli_quantize_worst(r, worst, sizeof worst);
    if (worst[0]) printf("worst layers %s\n", worst);
    print_drop(drop);
    printf("method       %s on %lld pictures, %.1f s (%.1f s of processors)\n",
           s->recipe->ptq.method, (long long)r->pictures, r->seconds, r->cpu_seconds);
    printf("folder       %s\n", folder);
}

dt_status cli_quantize_write(const char *folder, json_t *o, dt_error *err)
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
