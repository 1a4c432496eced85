/* From a recipe to the first step. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/atomic.h"
#include "core/memory.h"
#include "train/run/run_state.h"

static const char last[] = "last.h5";

static void say(const dt_run *r, const char *text)
{
    if (r->p->events.message) r->p->events.message(r->p->events.arg, text);
}

static dt_status open_loaders(dt_run *r, dt_error *err)
{
    int64_t eval = r->s.recipe->eval.batch;
    DT_TRY(dt_session_train_loader(&r->s, &r->share, &r->train, err));
    DT_TRY(dt_session_loader(&r->s, DT_SPLIT_TEST, eval, &r->test, err));
    if (r->s.data_conf->val > 0) DT_TRY(dt_session_loader(&r->s, DT_SPLIT_VAL, eval, &r->val, err));
    const dt_recipe_train *t = &r->s.recipe->train;
    r->at.steps_per_epoch = dt_loader_batches(r->train) / t->accumulate;
    if (r->at.steps_per_epoch == 0)
        return dt_fail(err, DT_ERR_RANGE, &(dt_where){ .key = "train.accumulate" },
                       "%d is more than the %lld batches of an epoch", t->accumulate,
                       (long long)dt_loader_batches(r->train));
    r->at.total_steps = r->at.last_step = r->at.steps_per_epoch * t->epochs;
    if (t->max_steps > 0 && t->max_steps < r->at.last_step) r->at.last_step = t->max_steps;
    return DT_OK;
}

static bool has_quantizers(const dt_graph *g)
{
    for (int i = 0; i < g->node_count; i++)
        if (g->node[i].op->quantizes) return true;
    return false;
}

/* Which batches of a step are this process's. */
static dt_status take_share(dt_run *r, dt_error *err)
{
    int ranks = dt_comm_size(r->p->comm), batches = r->p->recipe->train.accumulate, fit;
    if (dt_share_of(batches, dt_comm_rank(r->p->comm), ranks, &r->share, &fit)) return DT_OK;
    return dt_fail(
        err, DT_ERR_ARG, &(dt_where){ r->p->recipe->name, 0, "train.accumulate" },
        "%d batch%s a step cannot be shared by %d ranks so that all have work; %d rank%s "
        "can, or say train.accumulate=%d",
        batches, batches == 1 ? "" : "es", ranks, fit, fit == 1 ? "" : "s",
        (batches + ranks - 1) / ranks * ranks);
}

static void say_import(const dt_run *r, bool resumes)
{
    char text[1024];
    const dt_net_report *n = &r->s.report;
    if (*r->s.teacher.note) {
        snprintf(text, sizeof text, "teacher %s: %s", r->s.recipe->distill.teacher,
                 r->s.teacher.note);
        say(r, text);
    }
    if (r->s.source == DT_INIT_RANDOM) {
        if (has_quantizers(r->phases[0].plain) && !resumes)
            say(r, "warning: no model.init: quantized from the first step on, random weights; "
                   "most recipes start from a trained float net");
        return;
    }
    if (r->s.source == DT_INIT_FILE) {
        snprintf(text, sizeof text, "weights of %s", dt_net_model_file(r->s.recipe)->path);
        say(r, text);
        return;
    }
    snprintf(text, sizeof text, "imported %s", r->s.recipe->model.init);
    say(r, text);
    snprintf(text, sizeof text, "  matched %d, missing %d%s%s, unexpected %d%s%s", n->matched,
             n->missing, n->missing ? " such as " : "", n->missing ? n->missing_name[0] : "",
             n->unexpected, n->unexpected ? " such as " : "",
             n->unexpected ? n->unexpected_name[0] : "");
    say(r, text);
    if (*r->s.init_note) {
        snprintf(text, sizeof text, "  %s", r->s.init_note);
        say(r, text);
    }
    if (n->converted) {
        snprintf(text, sizeof text, "  %d quantizers converted from another form of their range",
                 n->converted);
        say(r, text);
    }
    dt_session_tell_sites(&r->s, r->phases[0].plain, r->p->events.message, r->p->events.arg);
}

/* Of a fresh run, before its quantizers start. */
static void make_gamma_positive(dt_run *r)
{
    char text[256];
    int small;
    if (r->s.kept || !dt_net_is_quantized(&r->s.net)) return;
    int flipped = dt_net_make_gamma_positive(&r->s.net, &small);
    snprintf(text, sizeof text,
             "batch norm: %d negative scales made positive (weights and means negated), %d near 0",
             flipped, small);
    say(r, text);
}

/* It was done with fewer steps. */
static dt_status undo_done(const dt_run *r, dt_error *err)
{
    return dt_dir_remove(&r->folder, "DONE", err);
}

static dt_status resume(dt_run *r, dt_error *err)
{
    char note[DT_CHECKPOINT_NOTE], text[96];
    DT_TRY(dt_checkpoint_load(&r->folder, last, &r->s, &r->optim, &r->at, note, sizeof note, err));
    if (note[0]) say(r, note);
    if (r->at.step > r->at.last_step) r->at.last_step = r->at.step;
    if (r->at.step < r->at.last_step) DT_TRY(undo_done(r, err));
    snprintf(text, sizeof text, "resumed at step %lld of %lld", (long long)r->at.step,
             (long long)r->at.last_step);
    say(r, text);
    dt_run_resume_phase(r);
    char *path = dt_dir_text(&r->folder, last);
    if (!path) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a path");
    dt_status st = dt_net_check_ranges(r->phase->plain, &r->s.net.state, NULL, path, err);
    dt_put(NULL, path);
    return st; /* the first step seeks its batches */
}

/* What the run takes beside its session, in blank memory. */
static dt_status count_rest(void *arg, dt_session *s, const char **out_key, dt_error *err)
{
    const dt_run *run = arg;
    dt_run_params p = *run->p;
    p.events = (dt_run_events){ .arg = NULL };
    p.alloc = s->alloc;
    dt_run r = { .p = &p,
                 .s = *s,
                 .share = run->share,
                 .folder = { .fd = -1 },
                 .at = { .steps_per_epoch = 1 } };
    dt_status st = dt_optim_state_init(&r.optim, &s->recipe->train, &r.s.net.graph, p.alloc, err);
    if (st == DT_OK) st = dt_run_make_phases(&r, err);
    if (st == DT_OK) st = dt_run_make_plans(&r, err);
    if (r.step_key) *out_key = r.step_key;
    s->teacher = r.s.teacher; /* its plan is closed with it */
    dt_run_end_plans(&r);
    dt_optim_state_fini(&r.optim);
    return st;
}

static dt_status check_norms(const dt_run *r, dt_error *err)
{
    const dt_graph *g = &r->s.net.graph;
    if (!r->s.recipe->train.sync_norm) return DT_OK;
    for (int i = 0; i < g->node_count; i++)
        if (g->node[i].op->batch_stat) return DT_OK;
    return dt_fail(err, DT_ERR_ARG, &(dt_where){ r->s.recipe->name, 0, "train.sync_norm" },
                   "'%s' has no batch norm; leave it out", r->s.recipe->model.choice.row->name);
}

/* What reads the recipe and may refuse it; writes nothing. `resumes`: others bring the state. */
static dt_status open_run(dt_run *r, bool resumes, dt_error *err)
{
    DT_TRY(take_share(r, err));
    const dt_session_params p = { .recipe = r->p->recipe,
                                  .threads = r->p->threads,
                                  .plain = r->p->plain,
                                  .isa = r->p->isa,
                                  .training = true,
                                  .skip_init = resumes,
                                  .memory = r->p->memory,
                                  .calibrates = true,
                                  .rest = count_rest,
                                  .rest_arg = r,
                                  .alloc = r->p->alloc };
    DT_TRY(dt_session_open(&r->s, &p, err));
    DT_TRY(check_norms(r, err));
    for (size_t i = 0; i < dt_data_info_of(r->s.data)->note_count; i++)
        say(r, dt_data_info_of(r->s.data)->notes[i].text);
    DT_TRY(dt_optim_state_init(&r->optim, &r->s.recipe->train, &r->s.net.graph, r->p->alloc, err));
    r->optim.threads = r->s.threads;
    DT_TRY(dt_hold_init(&r->hold, &r->s.net.graph, r->p->alloc, err));
    DT_TRY(open_loaders(r, err));
    DT_TRY(dt_run_make_phases(r, err));
    return resumes ? DT_OK : dt_session_judge(&r->s, r->phases[0].plain, false, err);
}

dt_status dt_run_check(const dt_run_params *params, size_t *out_params, dt_error *err)
{
    dt_measure blank;
    dt_run_params p = *params;
    DT_TRY(dt_measure_init(&blank, err));
    if (!p.alloc) p.alloc = &blank.alloc; /* nothing is trained: values cost time and memory */
    dt_run r = { .p = &p, .folder = { .fd = -1 } };
    dt_status st = open_run(&r, false, err);
    if (st == DT_OK) say_import(&r, false);
    *out_params = st == DT_OK ? r.s.net.state.param_count : 0;
    dt_run_end(&r);
    dt_measure_fini(&blank);
    return st;
}

/* What a run writes as a whole; the logs only when they are cut back. */
static const char *const written[] = { last,          "best.h5",       "DONE",
                                       "recipe.yaml", "metrics.jsonl", "summary.csv",
                                       DT_EVENTS_FILE };

/* Looks into the locked folder for a run, which only --resume may touch. */
static dt_status look(dt_run *r, bool *out_resumes, dt_error *err)
{
    const dt_where where = { .file = r->p->folder };
    bool resumable = dt_dir_has(&r->folder, last), done = dt_dir_has(&r->folder, "DONE");
    if (!r->p->resume && (resumable || done || dt_dir_has(&r->folder, "best.h5")))
        return dt_fail(err, DT_ERR_ARG, &where,
                       "holds a run already; go on with --resume, or give another --out");
    if (done && !resumable) /* best.h5 alone: killed before its first last.h5, and begun anew */
        return dt_fail(err, DT_ERR_ARG, &where,
                       "holds a finished run without its last.h5, nothing can go on; give another "
                       "--out");
    *out_resumes = resumable;
    return DT_OK;
}

static dt_status lock(dt_run *r, dt_error *err)
{
    DT_TRY(dt_dir_hold(&r->folder, r->p->folder, err));
    dt_dir_remove_temporaries(&r->folder, written, DT_ARRAY_LEN(written));
    return DT_OK;
}

/* Opens the run in its folder, which is this process's before anybody looks into it. A folder that
 * is not there is made when the recipe is known to be good, and may be another's by then. */
static dt_status open_in_folder(dt_run *r, bool *out_resumes, dt_error *err)
{
    bool began = false;
    *out_resumes = false;
    if (dt_file_exists(r->p->folder)) {
        DT_TRY(lock(r, err));
        DT_TRY(look(r, out_resumes, err));
        return open_run(r, *out_resumes, err);
    }
    DT_TRY(open_run(r, false, err));
    DT_TRY(dt_dir_make(r->p->folder, err));
    DT_TRY(lock(r, err));
    DT_TRY(look(r, &began, err));
    if (!began) return DT_OK;
    return dt_fail(err, DT_ERR_ARG, &(dt_where){ .file = r->p->folder },
                   "another process has begun a run here; start again to go on with it");
}

/* The file reads back to the run's recipe. */
static dt_status check_recipe(void *arg, const char *path, const unsigned char *bytes, size_t size,
                              dt_error *err)
{
    const dt_recipe *want = arg;
    dt_recipe *got;
    char *text = dt_format(NULL, "%.*s", (int)size, (const char *)bytes);
    if (!text) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to read the recipe back");
    const dt_recipe_params p = { .tables = &dt_tables, .path = path, .text = text };
    dt_status st = dt_recipe_read(&p, &got, err);
    dt_put(NULL, text);
    DT_TRY(st);
    if (strcmp(got->hash, want->hash) != 0 || strcmp(got->text, want->text) != 0)
        st = dt_fail(err, DT_ERR_IO, &(dt_where){ .file = path },
                     "what was written is not what is read back");
    dt_recipe_free(got);
    return st;
}

/* Logs for what comes. Epochs that they lack are no reason not to go on. */
static dt_status open_logs(dt_run *r, dt_error *err)
{
    dt_text note = { .alloc = r->p->alloc };
    bool cut = r->at.step % r->at.steps_per_epoch != 0;
    DT_TRY(dt_metrics_open(&r->metrics, &r->folder, &r->s.net.goal, r->at.step,
                           cut && r->at.step < r->at.last_step, err));
    dt_status st = dt_metrics_missing(&r->folder, &r->at, &note, err);
    if (st == DT_OK && note.size) say(r, note.bytes);
    dt_text_fini(&note);
    return st;
}

/* The folder, the file that the run starts from and the logs are rank 0's. */
static dt_status open_all(dt_run *r, bool *out_resumes, dt_error *err)
{
    dt_comm *c = r->p->comm;
    bool leads = dt_comm_rank(c) == 0;
    dt_status st = leads ? open_in_folder(r, out_resumes, err) : open_run(r, true, err);
    DT_TRY(dt_comm_settle(c, st, err));
    DT_TRY(dt_run_meet(r, err));
    DT_TRY(dt_comm_broadcast(c, out_resumes, sizeof *out_resumes, err));
    if (leads) say_import(r, *out_resumes);
    if (leads && *out_resumes) st = resume(r, err);
    if (leads && !*out_resumes) make_gamma_positive(r);
    DT_TRY(dt_comm_settle(c, st, err));
    return dt_run_spread(r, err);
}

static dt_status open_files(dt_run *r, dt_error *err)
{
    DT_TRY(dt_run_write(r, "recipe.yaml", r->s.recipe->text, check_recipe, r->s.recipe, err));
    return open_logs(r, err);
}

static dt_status open_steps(dt_run *r, dt_error *err)
{
    DT_TRY(dt_run_make_plans(r, err));
    return dt_run_open_passes(r, err);
}

dt_status dt_run_prepare(dt_run *r, dt_error *err)
{
    bool resumes = false;
    DT_TRY(open_all(r, &resumes, err));
    double start = dt_run_now();
    if (!resumes)
        DT_TRY(dt_run_enter_phase(r, true, err));
    else if (dt_comm_rank(r->p->comm) > 0)
        dt_run_resume_phase(r);
    r->times.ranges = dt_run_now() - start;
    DT_TRY(dt_comm_settle(r->p->comm, open_steps(r, err), err));
    dt_status st = dt_comm_rank(r->p->comm) == 0 ? open_files(r, err) : DT_OK;
    return dt_comm_settle(r->p->comm, st, err);
}

void dt_run_end(dt_run *r)
{
    dt_metrics_close(&r->metrics);
    dt_run_end_plans(r);
    dt_hold_fini(&r->hold);
    dt_optim_state_fini(&r->optim);
    dt_loader_close(r->train);
    dt_loader_close(r->test);
    dt_loader_close(r->val);
    dt_session_close(&r->s);
    dt_dir_release(&r->folder);
}
