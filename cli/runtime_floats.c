/* Pipe to the script that runs a net with float nodes in another runtime. What goes through it:
 *
 *   there  one line of JSON: the file, the shape of the picture, how many outputs, quantizers with
 * the shapes of their codes; for each batch int64 n and float pictures [n,H,W,C]; n = 0 ends back
 * one line of JSON: the runtime, its operators, those that should be integer and are not; for each
 * batch the codes of each quantizer in turn, then float outputs [n,K], one
 * behind the other */
/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <string.h>

#include "cli/runtime.h"
#include "cli/runtime_process.h"

#define ENOUGH 0.95 /* of the multiply-accumulates in integers: less is not called verified */

typedef struct exchange {
    cli_process process;
    dt_foreign net;
    uint8_t *codes; /* of a batch */
    float *logits;
    json_t *about; /* the runtime */
    double integer_macs;
} exchange;

static bool send_header(exchange *e, const dt_session *s)
{
    json_t *sites = json_array();
    for (int i = 0; i < e->net.site_count; i++) {
        const dt_foreign_site *site = &e->net.site[i];
        json_t *dims = json_array();
        for (int k = 0; k < site->shape.rank; k++)
            json_array_append_new(dims, json_integer((json_int_t)site->shape.dim[k]));
        json_array_append_new(sites, json_pack("{s:s,s:o,s:b}", "name", site->node->name, "shape",
                                               dims, "map", site->is_map));
    }
    json_t *o = json_pack("{s:s,s:o,s:I,s:o}", "model", e->process.file, "inputs",
                          cli_runtime_inputs(&s->net.graph), "outputs",
                          (json_int_t)s->net.goal.count, "sites", sites);
    bool ok = o && json_dumpf(o, e->process.to, JSON_COMPACT) == 0 &&
              fputc('\n', e->process.to) != EOF && fflush(e->process.to) == 0;
    json_decref(o);
    return ok;
}

/* False: the script has gone, or says what it should not; its exit status tells. */
static bool read_about(exchange *e)
{
    e->about = json_loadf(e->process.from, JSON_DISABLE_EOF_CHECK, NULL);
    return json_is_object(e->about) && json_is_string(json_object_get(e->about, "runtime")) &&
           json_is_object(json_object_get(e->about, "floats")) &&
           json_is_object(json_object_get(e->about, "operators")) && fgetc(e->process.from) == '\n';
}

static bool exchange_batch(exchange *e, const dt_session *s, const float *x, int64_t n)
{
    size_t pixels = (size_t)(n * dt_graph_record(&s->net.graph));
    size_t codes = (size_t)(n * dt_foreign_codes(&e->net));
    size_t classes = (size_t)(n * s->net.goal.K);
    return fwrite(&n, sizeof n, 1, e->process.to) == 1 &&
           fwrite(x, sizeof *x, pixels, e->process.to) == pixels && fflush(e->process.to) == 0 &&
           fread(e->codes, 1, codes, e->process.from) == codes &&
           fread(e->logits, sizeof *e->logits, classes, e->process.from) == classes;
}

/* False in `out_whole`: the script has gone. */
static dt_status feed(exchange *e, dt_session *s, dt_loader *loader, const cli_args *args,
                      bool *out_whole, dt_error *err)
{
    int64_t all = dt_loader_samples(loader), total = args->images ? args->images : 1000, done = 0;
    const int64_t end = 0;
    if (total > all) total = all;
    DT_TRY(dt_loader_seek(loader, 0, 0, err));
    bool ok = send_header(e, s) && read_about(e);
    for (int64_t i = 0;
         ok && !atomic_load(&cli_stop_requested) && done < total && i < dt_loader_batches(loader);
         i++) {
        dt_batch batch;
        DT_TRY(dt_loader_next(loader, &batch, err));
        int64_t n = batch.valid < total - done ? batch.valid : total - done;
        if (n == 0) continue;
        ok = exchange_batch(e, s, batch.x, n);
        if (ok) DT_TRY(dt_foreign_batch(&e->net, &batch, n, e->codes, e->logits, err));
        done += n;
    }
    *out_whole = ok && fwrite(&end, sizeof end, 1, e->process.to) == 1;
    return DT_OK;
}

static void sum_up(const dt_foreign *v, dt_foreign_site *out)
{
    *out = (dt_foreign_site){ 0 };
    for (int i = 0; i < v->site_count; i++) {
        out->checked += v->site[i].checked;
        out->differ += v->site[i].differ;
        out->ties += v->site[i].ties;
        if (v->site[i].largest > out->largest) out->largest = v->site[i].largest;
    }
}

static void print_json(const exchange *e, bool good)
{
    const dt_foreign *v = &e->net;
    json_t *sites = json_array();
    for (int i = 0; i < v->site_count; i++)
        json_array_append_new(
            sites, json_pack("{s:s,s:I,s:I,s:I,s:I}", "name", v->site[i].node->name, "checked",
                             (json_int_t)v->site[i].checked, "differ",
                             (json_int_t)v->site[i].differ, "ties", (json_int_t)v->site[i].ties,
                             "largest", (json_int_t)v->site[i].largest));
    json_object_set_new(e->about, "verified", json_boolean(good));
    json_object_set_new(e->about, "pictures", json_integer((json_int_t)v->pictures));
    json_object_set_new(e->about, "integer_macs", json_real(e->integer_macs));
    cli_put_same(e->about, &v->net->goal, v->same);
    cli_put_score(e->about, &v->net->goal, &v->score, "");
    cli_put_score(e->about, &v->net->goal, &v->score_foreign, "_runtime");
    json_object_set_new(e->about, "nodes", sites);
    cli_print_json(json_incref(e->about), 0);
}

static void print_list(const char *what, const json_t *counts)
{
    const char *name;
    const json_t *n;
    printf("%s:", what);
    json_object_foreach((json_t *)(uintptr_t)counts, name, n)
        printf(" %lld %s", (long long)json_integer_value(n), name);
    puts("");
}

static void print_part(const dt_foreign *v, const dt_goal *g, int p)
{
    char here[DT_METRIC_TEXT], there[DT_METRIC_TEXT], label[DT_GOAL_NAME], means[DT_GOAL_NAME];
    int i = dt_goal_first(g, p);
    const dt_metric *metric = dt_goal_metric(g, i, NULL);
    printf("end to end: the same %s for %lld pictures (%.2f%%); %s %s here, %s there\n",
           dt_goal_name(g, &g->part[p], " ", g->part[p].task->means, means), (long long)v->same[p],
           v->pictures ? 100 * (double)v->same[p] / (double)v->pictures : 0,
           dt_goal_label(g, i, label),
           dt_metric_print(metric, dt_score_value(&v->score, g, i), here),
           dt_metric_print(metric, dt_score_value(&v->score_foreign, g, i), there));
}

static void print_text(const exchange *e, bool good)
{
    const dt_foreign *v = &e->net;
    const json_t *floats = json_object_get(e->about, "floats");
    dt_foreign_site all;
    const dt_goal *g = &v->net->goal;
    sum_up(v, &all);
    print_list(json_string_value(json_object_get(e->about, "runtime")),
               json_object_get(e->about, "operators"));
    printf("%-36s %12s %9s %9s %5s %7s\n", "quantizer", "codes", "differ", "percent", "most",
           "at ties");
    for (int i = 0; i < v->site_count; i++) {
        const dt_foreign_site *s = &v->site[i];
        printf("%-36s %12lld %9lld %8.4f%% %5lld %7lld\n", s->node->name, (long long)s->checked,
               (long long)s->differ,
               100 * (double)s->differ / (double)(s->checked ? s->checked : 1),
               (long long)s->largest, (long long)s->ties);
    }
    if (json_object_size(floats)) print_list("products in float", floats);
    printf("%lld pictures, node by node: %lld of %lld codes differ (%.4f%%), by up to %lld, and %lld "
           "at ties\n",
           (long long)v->pictures, (long long)all.differ, (long long)all.checked,
           100 * (double)all.differ / (double)(all.checked ? all.checked : 1),
           (long long)all.largest, (long long)all.ties);
    for (int p = 0; p < g->trained; p++)
        print_part(v, g, p);
    printf("%.1f %% of the MACs in integers\n", 100 * e->integer_macs);
    puts(good ? "verified" : "NOT verified");
}

static dt_status compare(exchange *e, dt_session *s, const cli_args *args, bool *out_good,
                         dt_error *err)
{
    dt_loader *loader;
    bool whole = false;
    size_t room = (size_t)DT_VERIFY_BATCH;
    e->codes = dt_get_array(NULL, room, (size_t)dt_foreign_codes(&e->net), "verify");
    e->logits = dt_get_array(NULL, room * (size_t)s->net.goal.K, sizeof *e->logits, "verify");
    if (!e->codes || !e->logits) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to compare");
    DT_TRY(dt_session_loader(s, DT_SPLIT_TEST, DT_VERIFY_BATCH, &loader, err));
    dt_status st = cli_process_start(&e->process, args, true, err);
    if (st == DT_OK) {
        st = feed(e, s, loader, args, &whole, err);
        dt_status end =
            cli_process_finish(&e->process, whole, args, out_good, st == DT_OK ? err : NULL);
        st = st == DT_OK ? end : st;
    }
    dt_loader_close(loader);
    if (st != DT_OK) return st;
    if (!whole || e->net.pictures == 0)
        return dt_fail(err, DT_ERR_IO, &(dt_where){ .key = "--runtime" },
                       "'%s' ended before the last picture", e->process.script);
    bool fused = args->allow_float || (json_object_size(json_object_get(e->about, "floats")) == 0 &&
                                       e->integer_macs >= ENOUGH);
    *out_good = *out_good && fused && dt_foreign_first(&e->net) < 0;
    if (args->json)
        print_json(e, *out_good);
    else
        print_text(e, *out_good);
    return DT_OK;
}

dt_status cli_runtime_floats(dt_session *s, const dt_lowered *l, const cli_args *args,
                             bool *out_good, dt_error *err)
{
    exchange e = { .integer_macs = l->integer_macs };
    if (strcmp(args->runtime, "ort") != 0 || (args->format && strcmp(args->format, "onnx") != 0))
        return dt_fail(err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = "--runtime" },
                       "a network with parts in float is compared in ort with format onnx only, "
                       "not in '%s'",
                       args->runtime);
    DT_TRY(cli_process_open(&e.process, "verify_ort_floats", err));
    dt_status st = dt_foreign_init(&e.net, &s->net, l, &s->kernels, s->threads, s->alloc, err);
    if (st == DT_OK) st = cli_process_export(&e.process, s, "onnx", "fp32", args, err);
    if (st == DT_OK) st = compare(&e, s, args, out_good, err);
    cli_process_remove(&e.process);
    dt_foreign_fini(&e.net);
    dt_put(NULL, e.codes);
    dt_put(NULL, e.logits);
    json_decref(e.about);
    return st;
}
