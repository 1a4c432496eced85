/* The training loop. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/run/run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/atomic.h"
#include "optim/schedule.h"
#include "train/run/checkpoint.h"
#include "train/run/metrics.h"
#include "train/run/run_state.h"

double dt_run_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void say(const dt_run *r, const char *text)
{
    if (r->p->events.message) r->p->events.message(r->p->events.arg, text);
}

/* Printed without the sign that a nan happens to have. */
static double plain_nan(double x)
{
    return isnan(x) ? (double)NAN : x;
}

/* Quantizers clip an infinite weight to a finite code, so a net can be lost before its loss is. */
static dt_status check_finite(const dt_run *r, dt_error *err)
{
    const dt_graph *g = &r->s.net.graph;
    for (int i = 0; i < g->value_count; i++) {
        const real *x = r->s.net.state.data[i];
        for (int64_t k = 0, n = x ? dt_shape_count(&g->value[i].shape) : 0; k < n; k++)
            if (!isfinite(x[k]))
                return dt_fail(err, DT_ERR_NUMERIC, NULL,
                               "step %lld: '%s' is %g at element %lld, no checkpoint is written; a "
                               "lower train.optimizer.lr may help",
                               (long long)r->at.step, g->value[i].name, plain_nan((double)x[k]),
                               (long long)k);
    }
    return DT_OK;
}

static dt_status save_as(dt_run *r, const char *name, const dt_run_position *at,
                         const dt_tensors *before, dt_error *err)
{
    DT_TRY(check_finite(r, err));
    DT_TRY(dt_metrics_sync(&r->metrics, err)); /* what the checkpoint counts on */
    DT_TRY(dt_dir_check(&r->folder, err));
    r->saved_at = dt_run_now();
    return dt_checkpoint_save(&r->folder, name, &r->s, &r->optim, at, before, err);
}

static dt_status save(dt_run *r, const char *name, dt_error *err)
{
    return save_as(r, name, &r->at, NULL, err);
}

dt_status dt_run_write(const dt_run *r, const char *name, const char *text, dt_file_check *check,
                       void *arg, dt_error *err)
{
    DT_TRY(dt_dir_check(&r->folder, err));
    return dt_file_write_checked(&r->folder, name, text, strlen(text), check, arg, err);
}

static double learning_rate(const dt_run *r)
{
    const dt_recipe_train *t = &r->s.recipe->train;
    const dt_schedule *schedule = (const dt_schedule *)(const void *)t->schedule.row;
    return dt_schedule_lr(schedule, t->schedule.conf,
                          dt_optimizer_lr(r->optim.optimizer, t->optimizer.conf), r->at.step,
                          r->at.steps_per_epoch, r->at.total_steps);
}

/* Which values a step must not show: the first node whose output is not finite, found by running
 * the step's forward pass again. */
dt_status dt_run_find_nan(void *arg, const dt_node *node, const dt_op_run *run, bool after,
                          dt_error *err)
{
    const dt_run *r = arg;
    if (!after) return DT_OK;
    const real *y = run->out[0];
    if (r->phase->plan.graph->value[node->out[0]].store != DT_STORE_REAL) return DT_OK;
    for (int64_t i = 0, n = dt_shape_count(&run->out_shape[0]); i < n; i++)
        if (!isfinite(y[i]))
            return dt_fail(err, DT_ERR_NUMERIC, NULL,
                           "step %lld: the output of %s '%s' is %g at element %lld; a lower "
                           "train.optimizer.lr may help",
                           (long long)r->at.step, node->op->name, node->name,
                           plain_nan((double)y[i]), (long long)i);
    return DT_OK;
}

dt_status dt_run_bad_loss(const dt_run *r, double loss, dt_error *err)
{
    return dt_fail(err, DT_ERR_NUMERIC, NULL, "step %lld: the loss is %g", (long long)r->at.step,
                   plain_nan(loss));
}

static dt_status not_finite(dt_run *r, double loss, dt_error *err)
{
    r->phase->exec.hook = dt_run_find_nan;
    r->phase->exec.hook_arg = r;
    DT_TRY(dt_exec_forward(&r->phase->exec, err));
    return dt_run_bad_loss(r, loss, err);
}

static dt_dynamics_at dynamics_at(const dt_run *r)
{
    return (dt_dynamics_at){ r->at.step, r->at.steps_per_epoch, r->at.total_steps };
}

static bool leads(const dt_run *r)
{
    return dt_comm_rank(r->p->comm) == 0;
}

void dt_run_note(dt_run *r, const dt_exec *e, const dt_batch *batch, int index, double loss)
{
    const dt_net *net = &r->s.net;
    dt_score *note = &r->ranks.note[index];
    *note = (dt_score){ .loss = loss };
    dt_score_add(note, &net->goal, dt_exec_outputs(e, batch->valid, r->outputs),
                 dt_batch_answers(batch), batch->valid, NULL);
}

dt_status dt_run_next(dt_run *r, dt_batch *out, dt_error *err)
{
    double start = dt_run_now();
    dt_status st = dt_loader_next(r->train, out, err);
    r->times.waits += dt_run_now() - start;
    return st;
}

/* Forward and backward pass of batch `index` of a step; the gradients go into the step's sums. */
static dt_status one_batch(dt_run *r, int index, dt_error *err)
{
    dt_batch batch;
    const dt_net *net = &r->s.net;
    dt_exec *e = &r->phase->exec;
    DT_TRY(dt_run_next(r, &batch, err));
    DT_TRY(dt_run_feed(r, e, &batch, index, err));
    dt_accumulate_forward(&r->sums, e, index);
    DT_TRY(dt_exec_forward(e, err));
    double loss = (double)((real *)dt_exec_value(e, net->step_loss))[0];
    if (!isfinite(loss) || e->lost) return not_finite(r, loss, err);
    dt_run_note(r, e, &batch, index, loss);
    dt_ranks_backward(&r->ranks, e, r->phase->ends, &r->sums, index);
    return DT_OK;
}

/* The batches of this process, and what the step comes to. */
static dt_status all_batches(dt_run *r, dt_error *err)
{
    dt_status st = DT_OK;
    dt_ranks_begin(&r->ranks);
    if (r->together.on) DT_TRY(dt_run_batches_together(r, err));
    for (int i = 0; !r->together.on && st == DT_OK && i < r->share.count; i++)
        st = one_batch(r, r->share.first + i, err);
    r->wish = (dt_wish){ .stop = r->p->stop && atomic_load(r->p->stop),
                         .save = leads(r) && dt_run_now() - r->saved_at >
                                                 60 * r->s.recipe->train.save_minutes };
    return dt_ranks_end(&r->ranks, &r->phase->exec, &r->sums, &r->wish, st, err);
}

/* Losses and scores of all batches of a step. Returns its mean loss. */
static double join_batches(dt_run *r)
{
    double mean_level[DT_ACCUMULATE_LEVELS], samples_level[DT_ACCUMULATE_LEVELS], mean = 0;
    for (int i = 0; i < r->share.batches; i++) {
        dt_score note = r->ranks.note[i];
        double loss = note.loss;
        mean = dt_accumulate_number(&r->sums, mean_level, i, loss / r->share.batches);
        note.loss = dt_accumulate_number(&r->sums, samples_level, i, loss * (double)note.count);
        dt_score_join(&r->at.seen, &note);
    }
    return mean;
}

/* A range that an update would have carried to nothing. Every one goes to the log; the first of a
 * site, and the first at its floor, are told. */
static dt_status on_held(void *arg, const dt_hold_event *e, dt_error *err)
{
    dt_run *r = arg;
    char text[400], group[32] = "";
    if (e->first) {
        if (e->groups > 1) snprintf(group, sizeof group, " of group %lld", (long long)e->group);
        snprintf(text, sizeof text,
                 "step %lld: '%s' held at %s, %s%s %.6g (the update gave %.6g); a lower "
                 "train.optimizer.lr or train.quant_lr may help",
                 (long long)r->at.step + 1, e->site, e->at_floor ? "its floor" : "half",
                 e->parameter, group, e->held, e->updated);
        say(r, text);
    }
    dt_status st = leads(r) ? dt_metrics_held(&r->metrics, e, r->at.step + 1, err) : DT_OK;
    return dt_comm_settle(r->p->comm, st, err); /* ranks in the same state hold the same */
}

static dt_status one_step(dt_run *r, double lr, double *out_loss, dt_error *err)
{
    int64_t in_epoch = r->at.step % r->at.steps_per_epoch;
    if (in_epoch == 0 || r->at.step == r->first_step) /* batches that fill no step are left out */
        DT_TRY(dt_loader_seek(r->train, r->at.step / r->at.steps_per_epoch,
                              in_epoch * r->share.batches + r->share.first, err));
    dt_dynamics_forward(&r->s.dynamics);
    DT_TRY(all_batches(r, err));
    *out_loss = join_batches(r);
    dt_accumulate_move(&r->sums, &r->phase->exec);
    if (r->together.on) dt_exec_move(&r->phase->exec, r->together.moves);
    const dt_dynamics_at at = dynamics_at(r);
    dt_dynamics_gradient(&r->s.dynamics, &at);
    dt_hold_begin(&r->hold, &r->s.net.state);
    dt_optim_update(&r->optim, &r->s.net.state, lr, r->at.step);
    DT_TRY(dt_hold_end(&r->hold, r->phase->plain, &r->optim, &r->s.net.state, on_held, r, err));
    dt_dynamics_step(&r->s.dynamics);
    r->at.step++;
    return DT_OK;
}

/* Samples a second since this process began, evaluations left out. */
static double rate_of(const dt_run *r)
{
    double t = dt_run_now() - r->train_started - r->times.scores;
    int64_t done = (r->at.step - r->first_step) * r->s.data_conf->batch * r->share.batches;
    return t > 0 ? (double)done / t : 0;
}

static void show_step(dt_run *r, double lr)
{
    double rate = rate_of(r);
    int64_t nominal = (int64_t)r->s.data_conf->batch * r->share.batches;
    if (!r->p->events.progress) return;
    dt_run_progress progress = {
        .at = &r->at, .goal = &r->s.net.goal, .lr = lr, .images_per_s = rate
    };
    int64_t epochs_left = (r->at.last_step - r->at.step) / r->at.steps_per_epoch + 1;
    if (rate > 0)
        progress.eta_s = (double)((r->at.last_step - r->at.step) * nominal) / rate +
                         r->last_eval_seconds * (double)epochs_left;
    dt_dynamics_progress(&r->s.dynamics, progress.dynamics, sizeof progress.dynamics);
    r->p->events.progress(r->p->events.arg, &progress);
}

static bool show_eval(void *arg, const dt_score *so_far, int64_t total)
{
    dt_run *r = arg;
    dt_run_progress progress = {
        .at = &r->at, .evaluating = true, .eval_seen = so_far->count, .eval_total = total
    };
    if (r->p->events.progress) r->p->events.progress(r->p->events.arg, &progress);
    return true;
}

static dt_status evaluate(dt_run *r, dt_run_epoch *e, dt_error *err)
{
    DT_TRY(dt_evaluate(&r->phase->evaluator, r->test, show_eval, r, NULL, &e->score, err));
    if (!r->val) return DT_OK;
    e->has_val = true;
    return dt_evaluate(&r->phase->evaluator, r->val, show_eval, r, NULL, &e->val, err);
}

/* What dynamics do before an evaluation; what they take of training pictures is rank 0's. */
static dt_status before_eval(dt_run *r, bool estimate, dt_error *err)
{
    dt_status st = dt_dynamics_before_eval(&r->s.dynamics, estimate, err);
    DT_TRY(dt_comm_settle(r->p->comm, st, err));
    return dt_dynamics_wants_norm(&r->s.dynamics) ? dt_run_spread(r, err) : DT_OK;
}

/* Evaluations of the run, with what dynamics do around them. */
static dt_status score(dt_run *r, dt_run_epoch *e, dt_error *err)
{
    e->has_before = r->s.dynamics.compares;
    if (e->has_before) {
        DT_TRY(before_eval(r, false, err));
        DT_TRY(dt_evaluate(&r->phase->evaluator, r->test, show_eval, r, NULL, &e->before, err));
        dt_dynamics_after_eval(&r->s.dynamics);
    }
    DT_TRY(before_eval(r, true, err));
    dt_status st = evaluate(r, e, err);
    dt_dynamics_after_eval(&r->s.dynamics);
    return st;
}

/* Pictures that the loaders of all ranks left out, told when their number grew. */
static dt_status say_skipped(const dt_run *r, const dt_loader *loader, const char *split,
                             int64_t *told, dt_error *err)
{
    char text[700];
    dt_skipped s = { 0 };
    const char *first;
    if (!loader) return DT_OK;
    s.count = dt_loader_skipped(loader, &first);
    snprintf(s.first, sizeof s.first, "%s", first);
    DT_TRY(dt_ranks_skipped(&r->ranks, &s, err));
    if (s.count == *told) return DT_OK;
    snprintf(text, sizeof text, "left out %lld %s picture%s that cannot be read, such as %s",
             (long long)(s.count - *told), split, s.count - *told == 1 ? "" : "s", s.first);
    say(r, text);
    *told = s.count;
    return DT_OK;
}

/* What an epoch leaves in the folder; rank 0's. */
static dt_status write_epoch(dt_run *r, const dt_run_epoch *e, const dt_run_position *at,
                             const dt_tensors *before, dt_error *err)
{
    DT_TRY(dt_metrics_epoch(&r->metrics, e, err));
    DT_TRY(dt_metrics_dynamics(&r->metrics, &r->s.dynamics, r->at.step, err));
    DT_TRY(dt_metrics_sites(&r->metrics, r->phase->plain, &r->s.net.state, r->at.step, r->p->alloc,
                            err));
    /* In this order: killed in between, the run goes on from the older last.h5 and comes by again.
     */
    double start = dt_run_now();
    dt_status st = e->is_best ? save(r, "best.h5", err) : DT_OK;
    if (st == DT_OK) st = save_as(r, "last.h5", at, before, err);
    r->times.writes += dt_run_now() - start;
    return st;
}

/* After an epoch, and after the last step: scores, logs, checkpoints. `at`, `before`: what last.h5
 * goes on from, if not from what was scored. */
static dt_status end_epoch(dt_run *r, double lr, const dt_run_position *at,
                           const dt_tensors *before, dt_error *err)
{
    double start = dt_run_now();
    const dt_goal *goal = &r->s.net.goal;
    dt_run_epoch e = { .goal = goal,
                       .epoch = (r->at.step + r->at.steps_per_epoch - 1) / r->at.steps_per_epoch,
                       .step = r->at.step,
                       .lr = lr };
    DT_TRY(score(r, &e, err));
    DT_TRY(say_skipped(r, r->train, "training", &r->skipped[DT_SPLIT_TRAIN], err));
    DT_TRY(say_skipped(r, r->test, "test", &r->skipped[DT_SPLIT_TEST], err));
    DT_TRY(say_skipped(r, r->val, "validation", &r->skipped[DT_SPLIT_VAL], err));
    r->last_eval_seconds = dt_run_now() - start;
    r->times.scores += r->last_eval_seconds;
    e.train = r->at.seen;
    if (e.train.count) e.train.loss /= (double)e.train.count;
    e.seconds = dt_run_now() - r->epoch_started;
    r->epoch_started = dt_run_now();
    const dt_score *select = r->val ? &e.val : &e.score;
    double value = dt_score_deciding(select, goal);
    bool finite = isfinite(e.score.loss) && (!r->val || isfinite(e.val.loss));
    /* Where a run is cut an undisturbed one scores nothing: its best.h5 is kept, for going on. */
    bool cut = at != &r->at, kept = cut && r->at.best >= 0;
    e.is_best = finite && !kept && dt_goal_is_better(goal, value, r->at.best);
    if (e.is_best) r->at.best = value;
    r->at.seen = (dt_score){ 0 };
    dt_status st = leads(r) ? write_epoch(r, &e, at, before, err) : DT_OK;
    DT_TRY(dt_comm_settle(r->p->comm, st, err));
    r->score = e.score;
    r->scored_step = r->at.step;
    if (r->p->events.epoch) r->p->events.epoch(r->p->events.arg, &e);
    if (finite) return DT_OK;
    return dt_fail(err, DT_ERR_NUMERIC, &(dt_where){ .file = r->p->folder },
                   "epoch %lld: the loss of evaluation is %g; last.h5 has the state, best.h5 that "
                   "of the best epoch before",
                   (long long)e.epoch,
                   plain_nan(isfinite(e.score.loss) ? e.val.loss : e.score.loss));
}

/* After the last step of train.max_steps in mid-epoch: an undisturbed run scores nothing here, so
 * whoever goes on does it from the state of before. */
static dt_status end_cut(dt_run *r, double lr, dt_error *err)
{
    const dt_run_position at = r->at;
    dt_tensors before;
    if (!r->s.dynamics.count) return end_epoch(r, lr, &at, NULL, err);
    DT_TRY(dt_checkpoint_keep(&r->s, &before, err));
    dt_status st = end_epoch(r, lr, &at, &before, err);
    dt_tensors_fini(&before);
    return st;
}

/* last.h5 of the step that was done, by rank 0. */
static dt_status save_step(dt_run *r, dt_error *err)
{
    double start = dt_run_now();
    dt_status st = dt_comm_settle(r->p->comm, leads(r) ? save(r, "last.h5", err) : DT_OK, err);
    r->times.writes += dt_run_now() - start;
    return st;
}

static dt_status log_step(dt_run *r, double loss, double lr, dt_error *err)
{
    const dt_run_step step = { loss, lr, rate_of(r) };
    dt_status st = leads(r) ? dt_metrics_step(&r->metrics, &r->at, &step, err) : DT_OK;
    return dt_comm_settle(r->p->comm, st, err);
}

/* What dynamics do at the start of an epoch; what they take of training pictures is rank 0's. */
static dt_status begin_epoch(dt_run *r, dt_error *err)
{
    const dt_dynamics_at at = dynamics_at(r);
    DT_TRY(dt_comm_settle(r->p->comm, dt_dynamics_epoch(&r->s.dynamics, &at, err), err));
    return dt_dynamics_wants_gradients(&r->s.dynamics) ? dt_run_spread(r, err) : DT_OK;
}

/* A signal is obeyed at once in one process, and when all ranks know of it. */
static bool stops(const dt_run *r)
{
    if (dt_comm_size(r->p->comm) > 1) return r->wish.stop;
    return r->p->stop && atomic_load(r->p->stop);
}

/* At the end of a run. */
static void say_floor(const dt_run *r)
{
    char names[400], text[600];
    int n = dt_hold_at_floor(r->phase->plain, &r->s.net.state, names, sizeof names);
    if (n == 0) return;
    snprintf(text, sizeof text,
             "warning: %d quantization site%s at the floor of its range, and may let nothing "
             "through: %s",
             n, n == 1 ? " is" : "s are", names);
    say(r, text);
}

/* What an update takes more than half of, step after step, learns nothing from it. */
static void say_often(const dt_run *r)
{
    char names[400], text[600];
    int n = dt_hold_often(&r->hold, r->phase->plain, names, sizeof names);
    if (n == 0) return;
    snprintf(
        text, sizeof text,
        "warning: %d range%s held at half again and again: %s; the rate is too high for %s, see "
        "train.quant_lr",
        n, n == 1 ? " was" : "s were", names, n == 1 ? "it" : "them");
    say(r, text);
}

static void say_ranks(const dt_run *r)
{
    char text[240];
    dt_ranks_print(&r->ranks, text, sizeof text);
    if (text[0]) say(r, text);
}

static dt_status write_done(dt_run *r, dt_error *err)
{
    double start = dt_run_now();
    DT_TRY(dt_metrics_sync(&r->metrics, err));
    DT_TRY(dt_run_write(r, "DONE", "", NULL, NULL, err));
    r->times.writes += dt_run_now() - start;
    return DT_OK;
}

static dt_status loop(dt_run *r, dt_run_result *result, dt_error *err)
{
    double lr = learning_rate(r);
    r->train_started = r->epoch_started = r->saved_at = dt_run_now();
    r->first_step = r->at.step;
    while (r->at.step < r->at.last_step) {
        double loss = 0;
        lr = learning_rate(r);
        if (r->at.step > 0) DT_TRY(dt_run_enter_phase(r, false, err));
        if (r->at.step % r->at.steps_per_epoch == 0) DT_TRY(begin_epoch(r, err));
        DT_TRY(one_step(r, lr, &loss, err));
        if (r->at.step % r->s.recipe->train.log_steps == 0) DT_TRY(log_step(r, loss, lr, err));
        show_step(r, lr);
        if (r->at.step % r->at.steps_per_epoch == 0) {
            DT_TRY(end_epoch(r, lr, &r->at, NULL, err));
        } else if (r->at.step == r->at.last_step) {
            DT_TRY(end_cut(r, lr, err));
        } else if (r->wish.save) {
            DT_TRY(save_step(r, err));
        }
        if (stops(r) && r->at.step < r->at.last_step) {
            if (r->scored_step != r->at.step) DT_TRY(save_step(r, err));
            say(r, "stopped; resume with --resume");
            *result = (dt_run_result){ .step = r->at.step };
            return DT_OK;
        }
    }
    if (r->scored_step != r->at.step) {
        dt_run_epoch e = { .step = r->at.step };
        DT_TRY(score(r, &e, err));
        r->score = e.score;
    }
    say_floor(r);
    say_often(r);
    say_ranks(r);
    DT_TRY(dt_comm_settle(r->p->comm, leads(r) ? write_done(r, err) : DT_OK, err));
    *result = (dt_run_result){ true, r->score, r->s.net.goal, r->at.step };
    for (int p = 0; p < result->goal.trained; p++)
        result->goal.part[p].conf = result->goal.part[p].loss_conf = NULL;
    return DT_OK;
}

dt_status dt_run_train(const dt_run_params *params, dt_run_result *out_result, dt_error *err)
{
    dt_error own;
    dt_run_params p = *params;
    if (dt_comm_rank(p.comm) > 0) p.events = (dt_run_events){ .arg = NULL };
    dt_run r = { .p = &p, .folder = { .fd = -1 }, .at = { .best = -1 }, .scored_step = -1 };
    if (!err) err = &own; /* ranks tell each other what it holds */
    double start = dt_run_now();
    dt_status st = dt_run_prepare(&r, err);
    r.times.start = dt_run_now() - start - r.times.ranges;
    if (st == DT_OK) st = loop(&r, out_result, err);
    if (st == DT_OK) {
        r.times.all = dt_run_now() - start;
        out_result->times = r.times;
    }
    dt_run_end(&r);
    return st;
}
