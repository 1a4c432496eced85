/* What came of a quantization, as JSON: the folder's report.json. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/quantize/report.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/atomic.h"

/* Without labels no metric is claimed; the float net is compared with all the same. */
bool dt_quantize_has_labels(const dt_session *s)
{
    return !s->data || !dt_data_info_of(s->data)->unlabelled;
}

static json_t *sqnr_json(double db)
{
    return isfinite(db) ? json_real(db) : json_null();
}

/* What is compared of each output, by its name. */
static json_t *outputs_json(const dt_goal *g, const dt_quantize_score *q)
{
    json_t *o = json_object();
    for (int p = 0; p < g->count; p++)
        json_object_set_new(o, g->part[p].output,
                            json_pack("{s:f,s:o}", "kl", q->part_kl[p], "sqnr_db",
                                      sqnr_json(q->part_sqnr_db[p])));
    return o;
}

/* The task's metrics by name, and what is compared with the float net. */
static json_t *score_json(const dt_session *s, const dt_quantize_score *q)
{
    const dt_goal *g = &s->net.goal;
    double n = q->score.count ? (double)q->score.count : 1;
    if (!q->has) return json_null();
    json_t *o =
        json_pack("{s:I,s:o,s:o,s:f,s:o}", "count", (json_int_t)q->score.count, "agree",
                  q->agrees ? json_integer((json_int_t)q->agree) : json_null(), "agreement",
                  q->agrees ? json_real(100.0 * (double)q->agree / n) : json_null(), "kl", q->kl,
                  "sqnr_db", sqnr_json(q->sqnr_db));
    if (g->count > 1) json_object_set_new(o, "outputs", outputs_json(g, q));
    char key[DT_GOAL_NAME];
    for (int i = 0; dt_quantize_has_labels(s) && dt_goal_metric(g, i, NULL); i++)
        json_object_set_new(o, dt_goal_key(g, i, key), json_real(dt_score_value(&q->score, g, i)));
    if (dt_quantize_has_labels(s) && q->paired) {
        double ends[2];
        dt_quantize_interval(q, ends);
        json_object_set_new(o, "lost", json_integer((json_int_t)q->lost));
        json_object_set_new(o, "gained", json_integer((json_int_t)q->gained));
        json_object_set_new(o, "difference", json_pack("[f,f]", ends[0], ends[1]));
    }
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
                            sqnr_json(l->sqnr_db)));
    }
    return list;
}

static json_t *proof_json(const dt_quantize_report *r)
{
    if (!r->has_proof) return json_null();
    return json_pack("{s:b,s:I,s:I}", "proved", r->proof_differ == 0, "cases",
                     (json_int_t)r->proof_cases, "differ", (json_int_t)r->proof_differ);
}

json_t *dt_quantize_json(const dt_session *s, const dt_quantize_report *r)
{
    return json_pack("{s:s,s:s,s:s,s:I,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:I,s:f,s:I,s:f,s:f,s:o}",
                     "recipe", s->recipe->name, "hash", s->recipe->hash, "method",
                     s->recipe->ptq.method, "pictures", (json_int_t)r->pictures, "measured_on",
                     r->measured_on ? json_string(r->measured_on) : json_null(), "float",
                     score_json(s, &r->plain), "quantized", score_json(s, &r->quantized), "integer",
                     score_json(s, &r->integer), "no_integer",
                     r->no_integer[0] ? json_string(r->no_integer) : json_null(), "units",
                     units_json(r), "layers", layers_json(r), "weights", (json_int_t)r->weights,
                     "weight_bits", r->weight_bits, "weight_bytes", (json_int_t)r->weight_bytes,
                     "seconds", r->seconds, "cpu_seconds", r->cpu_seconds, "proof", proof_json(r));
}

dt_status dt_quantize_write(const char *folder, const json_t *o, dt_error *err)
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
