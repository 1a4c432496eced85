/* What detent quantize says of its result. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/quantize_report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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
    json_t *o = dt_quantize_json(s, r);
    if (!o) return NULL;
    json_object_set_new(o, "max_drop", drop_json(drop));
    json_object_set_new(o, "export", export ? cli_text_json(export) : json_null());
    json_object_set_new(o, "export_bytes",
                        export ? json_integer((json_int_t)e->bytes) : json_null());
    return o;
}

static void print_score(const dt_session *s, const char *what, const dt_quantize_score *q,
                        bool compared)
{
    char text[DT_METRIC_TEXT], label[DT_GOAL_NAME];
    const dt_goal *g = &s->net.goal;
    if (!q->has) return;
    double n = (double)q->score.count;
    if (!dt_quantize_has_labels(s) && !compared) return;
    printf("%-12s ", what);
    for (int p = 0; dt_quantize_has_labels(s) && p < g->trained; p++) {
        int i = dt_goal_first(g, p);
        dt_metric_print(dt_goal_metric(g, i, NULL), dt_score_value(&q->score, g, i), text);
        printf("%s%s %s", p ? ", " : "", dt_goal_label(g, i, label), text);
    }
    if (dt_quantize_has_labels(s)) printf(" of ");
    printf("%lld pictures", (long long)q->score.count);
    if (compared && q->agrees) printf(", agrees with float %.2f%%", 100.0 * (double)q->agree / n);
    if (compared && g->count == 1)
        printf(", KL %.5f, outputs' SQNR %.1f dB", q->kl, q->sqnr_db);
    for (int p = 0; compared && g->count > 1 && p < g->count; p++)
        printf("%s%s KL %.5f, SQNR %.1f dB", p ? ", " : "; ", g->part[p].output, q->part_kl[p],
               q->part_sqnr_db[p]);
    if (compared && q->paired && dt_quantize_has_labels(s)) {
        double ends[2];
        dt_quantize_interval(q, ends);
        printf(", %+.2f to %+.2f points to float (95 %%)", ends[0], ends[1]);
    }
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
