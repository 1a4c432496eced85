/* The run of `detent quantize`. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/quantize/quantize.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "autograd/query.h"
#include "core/atomic.h"
#include "core/text.h"
#include "train/quantize/quantize_state.h"
#include "train/run/checkpoint.h"
#include "train/store/container.h"

typedef struct job {
    const dt_quantize_params *p;
    dt_session *s;
    dt_quantize_report *report;
    dt_ptq_output outputs[DT_GRAPH_PORTS];
    dt_quantize_truth truth;
    dt_tensors saved; /* of a run that goes on */
    bool goes_on;
    int done_stages, done_units;
    dt_dir folder;
    bool spills;              /* values of pictures lie in a file */
    float *pictures, *varied; /* [count,H,W,3], see dt_ptq_params */
    double started, cpu_started, share_started;
} job;

static double seconds_of(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void say(const job *j, const char *text)
{
    if (j->p->events.message) j->p->events.message(j->p->events.arg, text);
}

/* ---- the folder ---- */

static const char *const written[] = { "last.h5", "quantized.h5", "recipe.yaml", "report.json" };

static dt_status lock_folder(job *j, dt_error *err)
{
    DT_TRY(dt_dir_make(j->p->folder, err));
    DT_TRY(dt_dir_hold(&j->folder, j->p->folder, err));
    dt_dir_remove_temporaries(&j->folder, written, DT_ARRAY_LEN(written));
    bool last = dt_dir_has(&j->folder, "last.h5");
    bool done = dt_dir_has(&j->folder, "quantized.h5");
    j->goes_on = j->p->resume && last;
    if (j->goes_on || (!last && !done)) return DT_OK;
    return dt_fail(err, DT_ERR_ARG, &(dt_where){ .file = j->p->folder }, "%s",
                   done ? "holds a quantized net already; give another --out"
                        : "holds a run already; go on with --resume, or give another --out");
}

/* ---- saving, and going on ---- */

/* "stage|unit|before|after|undecided|weights|changed" a line, every bit of it. */
static dt_status put_results(const job *j, dt_tensors *set, dt_error *err)
{
    dt_text text = { .alloc = j->p->alloc };
    for (int i = 0; i < j->report->unit_count; i++) {
        const dt_quantize_unit *u = &j->report->unit[i];
        dt_text_say(&text, "%s|%s|%a|%a|%a|%" PRId64 "|%" PRId64 "\n", u->stage, u->unit, u->before,
                    u->after, u->undecided, u->weights, u->changed);
    }
    dt_status st = text.failed ? dt_fail(err, DT_ERR_NOMEM, NULL, "no memory") : DT_OK;
    if (st == DT_OK && text.size) st = dt_tensors_set_attr(set, "ptq.results", text.bytes, err);
    dt_text_fini(&text);
    return st;
}

static dt_status get_results(job *j, dt_error *err)
{
    const char *text = dt_tensors_attr(&j->saved, "ptq.results");
    for (int n = 0; text && *text; text += n + 1) {
        dt_quantize_unit *u = &j->report->unit[j->report->unit_count];
        if (j->report->unit_count == DT_QUANTIZE_UNITS ||
            sscanf(text, "%31[^|]|%95[^|]|%la|%la|%la|%" SCNd64 "|%" SCNd64 "%n", u->stage, u->unit,
                   &u->before, &u->after, &u->undecided, &u->weights, &u->changed, &n) != 7 ||
            text[n] != '\n')
            return dt_fail(err, DT_ERR_FORMAT, &(dt_where){ .file = j->p->folder },
                           "last.h5: ptq.results is damaged");
        j->report->unit_count++;
    }
    return DT_OK;
}

static dt_status save(const job *j, const char *name, int stages, int units, bool under_way,
                      dt_error *err)
{
    char a[24], b[24];
    dt_tensors more;
    DT_TRY(dt_dir_check(&j->folder, err));
    snprintf(a, sizeof a, "%d", stages);
    snprintf(b, sizeof b, "%d", units);
    dt_status st = dt_tensors_init(&more, j->p->alloc, err);
    if (st == DT_OK) {
        if (under_way) {
            st = dt_tensors_set_attr(&more, "ptq.stages", a, err);
            if (st == DT_OK) st = dt_tensors_set_attr(&more, "ptq.units", b, err);
        }
        if (st == DT_OK) st = put_results(j, &more, err);
        if (st == DT_OK) st = dt_checkpoint_save_net(&j->folder, name, j->s, &more, err);
        dt_tensors_fini(&more);
    }
    return st;
}

static int count_of(const dt_tensors *set, const char *key)
{
    const char *text = dt_tensors_attr(set, key);
    long n = text ? strtol(text, NULL, 10) : -1;
    return n < 0 || n > DT_QUANTIZE_UNITS ? -1 : (int)n;
}

static dt_status read_saved(job *j, dt_error *err)
{
    char *path = dt_dir_text(&j->folder, "last.h5");
    if (!path) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a path");
    dt_status st = dt_container_read(&j->folder, "last.h5", j->p->alloc, &j->saved, err);
    if (st == DT_OK) {
        const char *hash = dt_tensors_attr(&j->saved, "recipe.hash");
        j->done_stages = count_of(&j->saved, "ptq.stages");
        j->done_units = count_of(&j->saved, "ptq.units");
        if (!hash || j->done_stages < 0 || j->done_units < 0)
            st = dt_fail(err, DT_ERR_FORMAT, &(dt_where){ .file = path },
                         "is no state of a quantization that was stopped");
        else if (strcmp(hash, j->p->recipe->hash) != 0)
            st = dt_fail(err, DT_ERR_ARG, &(dt_where){ .file = path },
                         "belongs to another recipe; go on with the folder's recipe.yaml, or give "
                         "another --out");
    }
    dt_put(NULL, path);
    return st == DT_OK ? get_results(j, err) : st;
}

/* ---- events of the stages ---- */

static bool on_progress(void *arg, const char *stage, const char *unit, double share)
{
    job *j = arg;
    const dt_quantize_events *e = &j->p->events;
    double spent = seconds_of(CLOCK_MONOTONIC) - j->started, made = share - j->share_started;
    if (j->share_started < 0) j->share_started = share;
    double eta = made > 1e-3 ? spent * (1 - share) / made : -1;
    if (e->progress) e->progress(e->arg, stage, unit, share, eta);
    return !j->p->stop || !atomic_load(j->p->stop);
}

static dt_status on_unit(void *arg, const dt_ptq_result *r, dt_error *err)
{
    job *j = arg;
    if (j->report->unit_count == DT_QUANTIZE_UNITS) return DT_OK;
    dt_quantize_unit *u = &j->report->unit[j->report->unit_count++];
    snprintf(u->stage, sizeof u->stage, "%s", r->stage);
    snprintf(u->unit, sizeof u->unit, "%s", r->unit);
    u->before = r->before;
    u->after = r->after;
    u->undecided = r->undecided;
    u->weights = r->weights;
    u->changed = r->changed;
    if (j->p->events.unit) j->p->events.unit(j->p->events.arg, u);
    return save(j, "last.h5", r->at_stage, r->at_unit + 1, true, err);
}

static dt_status on_layer(void *arg, const dt_ptq_layer_result *r, dt_error *err)
{
    job *j = arg;
    (void)err;
    if (j->report->layer_count == DT_QUANTIZE_UNITS) return DT_OK;
    dt_quantize_layer *l = &j->report->layer[j->report->layer_count++];
    snprintf(l->name, sizeof l->name, "%s", r->name);
    l->bits = r->bits;
    l->x_bits = r->x_bits;
    l->weights = r->weights;
    l->sqnr_db = r->sqnr_db;
    return DT_OK;
}

static void on_message(void *arg, const char *text)
{
    say(arg, text);
}

static dt_status on_start(void *arg, dt_error *err)
{
    job *j = arg;
    dt_net_report report;
    const dt_net_file file = {
        .set = &j->saved, .path = "last.h5", .importer = &dt_importer_detent, .native = true
    };
    return dt_net_import(&j->s->net, &file, &report, err);
}

/* Without stages. */
static dt_ptq_params params_of(job *j)
{
    dt_ptq_params p;
    dt_quantize_net(j->s, j->outputs, &p);
    p.pictures = j->pictures;
    p.varied = j->varied;
    p.spill = j->spills ? &j->folder : NULL;
    p.started = j->s->net.given || j->s->report.has_quantizers;
    p.done_stages = j->done_stages;
    p.done_units = j->done_units;
    p.start = on_start;
    p.events = (dt_ptq_events){ on_message, on_progress, on_unit, on_layer, j };
    return p;
}

/* Says so if the first norm or range was learned of other pictures: their normalisation may be
 * wrong. */
static dt_status compare_norm(job *j, dt_error *err)
{
    const dt_ptq_params p = params_of(j);
    dt_ptq_gap gap;
    char text[400];
    static const char ask[] = "is data.normalize that of the net's training?";
    DT_TRY(dt_ptq_first_norm(&p, &gap, err));
    if (dt_ptq_gap_fits(&gap)) return DT_OK;
    if (gap.has)
        snprintf(text, sizeof text,
                 "warning: batch norm '%s' knows other pictures: its variances are %.3g times as "
                 "large here and its means %.2g deviations away; %s",
                 gap.name, gap.ratio, gap.shift, ask);
    else
        snprintf(text, sizeof text,
                 "warning: quantizer '%s' of the file knows other pictures: its values are from "
                 "%.3g to %.3g, these from %.3g to %.3g; %s",
                 gap.site, gap.site_low, gap.site_high, gap.read_low, gap.read_high, ask);
    say(j, text);
    return DT_OK;
}

static dt_status run_stages(job *j, dt_error *err)
{
    const dt_recipe_ptq *q = &j->p->recipe->ptq;
    dt_ptq_choice *stage = dt_get_array(j->p->alloc, q->stage_count + 1, sizeof *stage, "stages");
    if (!stage) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    for (size_t i = 0; i < q->stage_count; i++)
        stage[i] = (dt_ptq_choice){ q->stage[i].row, q->stage[i].conf };
    dt_ptq_params p = params_of(j);
    p.stage = stage;
    p.stage_count = (int)q->stage_count;
    j->started = seconds_of(CLOCK_MONOTONIC);
    j->cpu_started = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    j->share_started = -1;
    dt_status st = dt_ptq_run(&p, err);
    j->report->seconds = seconds_of(CLOCK_MONOTONIC) - j->started;
    j->report->cpu_seconds = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - j->cpu_started;
    dt_put(j->p->alloc, stage);
    return st;
}

/* ---- all of it ---- */

static void count_weights(job *j)
{
    const dt_graph *g = &j->s->net.graph;
    int64_t bits = 0, groups = 0;
    for (int i = 0; i < g->node_count; i++) {
        const dt_fakequant_conf *c = dt_query_quantizer(&g->node[i]);
        if (!c || !c->site.weight) continue;
        int64_t n = dt_shape_count(&g->value[g->node[i].in[0]].shape);
        j->report->weights += n;
        j->report->weight_bytes += (n * c->site.bits + 7) / 8;
        bits += n * c->site.bits;
        groups += c->site.groups;
    }
    j->report->weight_bits = j->report->weights ? (double)bits / (double)j->report->weights : 0;
    j->report->weight_bytes += 4 * groups;
}

static dt_status prepare(job *j, dt_error *err)
{
    char text[160];
    int small, flipped;
    DT_TRY(dt_quantize_check(j->s, err));
    if (j->p->events.ready) DT_TRY(j->p->events.ready(j->p->events.arg, j->s, err));
    flipped = dt_net_make_gamma_positive(&j->s->net, &small);
    if (flipped) {
        snprintf(
            text, sizeof text,
            "batch norm: %d negative scales made positive (weights and means negated), %d near "
            "0",
            flipped, small);
        say(j, text);
    }
    const bool makes = dt_quantize_makes(j->p->recipe);
    if (!makes) DT_TRY(dt_quantize_pictures(j->s, DT_SPLIT_TEST, &j->pictures, err));
    if (dt_quantize_varies(j->p->recipe))
        DT_TRY(dt_quantize_pictures(j->s, DT_SPLIT_TRAIN, &j->varied, err));
    j->report->pictures = j->p->recipe->ptq.images;
    if (!makes) DT_TRY(compare_norm(j, err));
    return dt_quantize_read_truth(j->s, &j->truth, j->report, err);
}

static dt_status remove_last(const job *j, dt_error *err)
{
    DT_TRY(dt_dir_check(&j->folder, err));
    return dt_dir_remove(&j->folder, "last.h5", err);
}

static dt_status write_recipe(const job *j, dt_error *err)
{
    const char *text = j->p->recipe->text;
    DT_TRY(dt_dir_check(&j->folder, err));
    return dt_file_write_checked(&j->folder, "recipe.yaml", text, strlen(text), NULL, NULL, err);
}

static dt_status run(job *j, dt_error *err)
{
    DT_TRY(prepare(j, err));
    DT_TRY(write_recipe(j, err));
    DT_TRY(run_stages(j, err));
    j->s->quantizers_ready = true;
    DT_TRY(dt_quantize_compare(j->s, &j->truth, j->p->rounding, j->report, err));
    count_weights(j);
    DT_TRY(save(j, "quantized.h5", 0, 0, false, err));
    return remove_last(j, err);
}

static dt_data_need need_of(const dt_recipe *r)
{
    if (r->ptq.score != DT_PTQ_SCORE_TEST) return DT_NEED_TRAIN;
    return dt_quantize_makes(r) ? DT_NEED_TEST : DT_NEED_BOTH;
}

static dt_status try_session(job *j, dt_error *err)
{
    const dt_quantize_params *p = j->p;
    return dt_session_open(j->s,
                           &(dt_session_params){ .recipe = p->recipe,
                                                 .threads = p->threads,
                                                 .isa = p->isa,
                                                 .gradients = true,
                                                 .need = need_of(p->recipe),
                                                 .calibrate = true,
                                                 .memory = p->memory,
                                                 .rest = dt_quantize_count,
                                                 .rest_arg = &j->spills,
                                                 .alloc = p->alloc },
                           err);
}

/* What memory does not hold of the pictures' values lies in a file of the folder. */
static dt_status open_session(job *j, dt_error *err)
{
    dt_status st = try_session(j, err);
    if (st != DT_ERR_NOMEM) return st;
    j->spills = true;
    DT_TRY(try_session(j, err));
    char *text = dt_format(NULL,
                           "values of pictures lie in files of %s: there is more of them than "
                           "memory that may be used (%s)",
                           j->p->folder, j->p->memory.why ? j->p->memory.why : "all there is");
    if (text) say(j, text);
    dt_put(NULL, text);
    return DT_OK;
}

dt_status dt_quantize(const dt_quantize_params *p, dt_session *out_session, dt_quantize_report *out,
                      dt_error *err)
{
    *out = (dt_quantize_report){ 0 };
    job j = { .p = p, .s = out_session, .report = out, .folder = { .fd = -1 } };
    out->unit = dt_get_array(p->alloc, DT_QUANTIZE_UNITS, sizeof *out->unit, "report");
    out->layer = dt_get_array(p->alloc, DT_QUANTIZE_UNITS, sizeof *out->layer, "report");
    bool ok = out->unit && out->layer;
    dt_status st =
        ok ? lock_folder(&j, err) : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the report");
    if (st == DT_OK && j.goes_on) st = read_saved(&j, err);
    if (st == DT_OK) st = open_session(&j, err);
    bool opened = st == DT_OK;
    if (opened) {
        st = run(&j, err);
        dt_quantize_end_truth(j.s, &j.truth);
        if (st != DT_OK) dt_session_close(j.s);
    }
    dt_put(p->alloc, j.pictures);
    dt_put(p->alloc, j.varied);
    dt_tensors_fini(&j.saved);
    dt_dir_release(&j.folder);
    if (st != DT_OK) dt_quantize_report_fini(p->alloc, out);
    return st;
}

void dt_quantize_report_fini(const dt_alloc *alloc, dt_quantize_report *r)
{
    dt_put(alloc, r->unit);
    dt_put(alloc, r->layer);
    r->unit = NULL;
    r->layer = NULL;
}
