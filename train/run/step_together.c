/* A step whose batches run side by side. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/run/step_together.h"

#include <math.h>
#include <string.h>

#include "train/run/run_state.h"

static dt_status gather(void *arg, double *records, int64_t count, dt_error *err)
{
    return dt_comm_gather(arg, records, (size_t)count * sizeof *records, err);
}

static dt_status settle(void *arg, dt_status st, dt_error *err)
{
    return dt_comm_settle(arg, st, err);
}

static void *get(dt_step_together *t, size_t bytes)
{
    t->bytes += bytes;
    return dt_arena_get(t->arena, bytes ? bytes : 1);
}

static size_t input_bytes(const dt_plan *p, int value)
{
    return value >= 0 ? dt_plan_value_bytes(p, value) : 0;
}

static size_t sample_bytes(const dt_net *net, const dt_plan *p)
{
    return (size_t)(p->batch * dt_net_input_count(net)) * sizeof(real);
}

static size_t targets_bytes(const dt_net *net, const dt_plan *p)
{
    size_t mixed = input_bytes(p, net->targets);
    size_t answers = dt_goal_answer_bytes(&net->goal) * (size_t)p->batch;
    return mixed > answers ? mixed : answers;
}

/* Inputs of batch k. */
static bool get_inputs(dt_step_together *t, const dt_net *net, const dt_plan *p, int k)
{
    dt_batch *b = &t->batch[k];
    b->x = get(t, sample_bytes(net, p));
    b->labels = get(t, (size_t)p->batch * sizeof *b->labels);
    b->targets = get(t, targets_bytes(net, p));
    if (t->teacher) t->teacher[k] = get(t, input_bytes(p, net->teacher));
    return b->x && b->labels && b->targets && (!t->teacher || t->teacher[k]);
}

static dt_status get_all(dt_step_together *t, const dt_net *net, const dt_plan *p, int64_t most,
                         int64_t moves, const dt_alloc *a, dt_error *err)
{
    size_t n = (size_t)t->step.count;
    t->batch = get(t, n * sizeof *t->batch);
    t->teacher = net->teacher >= 0 ? get(t, n * sizeof *t->teacher) : NULL;
    t->gradients = get(t, n * sizeof *t->gradients);
    t->earlier = get(t, n * sizeof *t->earlier);
    t->moves = get(t, (size_t)moves * sizeof *t->moves);
    double *numbers = get(t, dt_together_bytes(&t->step, most));
    bool ok = t->batch && (t->teacher || net->teacher < 0) && t->gradients && t->earlier &&
              t->moves && numbers;
    for (int k = 0; ok && k < t->step.count; k++)
        ok = get_inputs(t, net, p, k);
    if (!ok) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for batches side by side");
    dt_together_lend(&t->step, most, numbers);
    for (int k = 0; k < t->step.count - 1; k++) {
        DT_TRY(dt_state_twin(&t->gradients[k], &net->state, a, err));
        t->earlier[k] = &t->gradients[k];
        t->bytes += t->gradients[k].bytes;
    }
    return DT_OK;
}

dt_status dt_step_together_init(dt_step_together *t, const dt_net *net, const dt_plan *p,
                                const dt_share *share, dt_comm *comm, int64_t most, int64_t moves,
                                const dt_alloc *a, dt_error *err)
{
    *t = (dt_step_together){ .on = true, .all = { comm, gather, settle } };
    t->step = (dt_together){ .count = share->count,
                             .rank = dt_comm_rank(comm),
                             .ranks = share->ranks,
                             .batches = share->batches,
                             .block = share->block };
    t->arena = dt_arena_new(a, "together");
    if (!t->arena) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for batches side by side");
    return get_all(t, net, p, most, moves, a, err);
}

void dt_step_together_fini(dt_step_together *t, const dt_share *share)
{
    for (int k = 0; t->gradients && k < share->count - 1; k++)
        dt_state_fini(&t->gradients[k]);
    dt_arena_free(t->arena);
    *t = (dt_step_together){ 0 };
}

/* The loader's batch, for longer than until the next one. */
static void keep(dt_run *r, int k, const dt_batch *from)
{
    const dt_plan *p = &r->phase->plan;
    const dt_net *net = &r->s.net;
    dt_batch *b = &r->together.batch[k];
    float *x = (float *)(uintptr_t)b->x, *targets = (float *)(uintptr_t)b->targets;
    int32_t *labels = (int32_t *)(uintptr_t)b->labels;
    bool answers = from->answer != DT_ANSWER_LABEL;
    memcpy(x, from->x, sample_bytes(net, p));
    if (from->labels) memcpy(labels, from->labels, (size_t)p->batch * sizeof *labels);
    if (from->targets && (answers || net->targets >= 0))
        memcpy(targets, from->targets,
               answers ? dt_goal_answer_bytes(&net->goal) * (size_t)p->batch
                       : input_bytes(p, net->targets));
    *b = *from;
    b->x = x;
    b->labels = labels;
    b->targets = targets;
}

static dt_status feed(dt_run *r, int k, dt_error *err)
{
    dt_batch batch;
    dt_step_together *t = &r->together;
    dt_exec *e = t->step.exec[k];
    DT_TRY(dt_run_next(r, &batch, err));
    keep(r, k, &batch);
    DT_TRY(dt_run_feed(r, e, &t->batch[k], r->share.first + k, err));
    if (t->teacher) {
        memcpy(t->teacher[k], r->s.teacher.logits, input_bytes(&r->phase->plan, r->s.net.teacher));
        dt_exec_set_input(e, r->s.net.teacher, t->teacher[k]);
    }
    e->moves = t->moves;
    return DT_OK;
}

/* The losses; false: one of them is not finite, or a value on the way to it was not. */
static bool note_losses(dt_run *r, double *out_bad)
{
    const dt_together *t = &r->together.step;
    for (int k = 0; k < t->count; k++) {
        const real *value = dt_exec_value(t->exec[k], r->s.net.step_loss);
        double loss = (double)value[0];
        *out_bad = loss;
        if (!isfinite(loss) || t->exec[k]->lost) return false;
        dt_run_note(r, t->exec[k], &r->together.batch[k], r->share.first + k, loss);
    }
    return true;
}

/* Once more, and all ranks stop at the norm behind the first value that is not finite on any. */
static dt_status find_bad(dt_run *r, bool finite, double loss, dt_error *err)
{
    dt_together *t = &r->together.step;
    for (int k = 0; k < t->count; k++) {
        t->exec[k]->hook = dt_run_find_nan;
        t->exec[k]->hook_arg = r;
    }
    DT_TRY(dt_together_forward(t, err));
    return dt_comm_settle(r->p->comm, finite ? DT_OK : dt_run_bad_loss(r, loss, err), err);
}

dt_status dt_run_batches_together(dt_run *r, dt_error *err)
{
    dt_step_together *t = &r->together;
    dt_exec *last = &r->phase->exec;
    dt_status st = DT_OK;
    bool bad;
    double loss = 0;
    t->step.exec = r->phase->side;
    t->step.calls = &t->all;
    for (int k = 0; st == DT_OK && k < t->step.count; k++)
        st = feed(r, k, err);
    DT_TRY(dt_comm_settle(r->p->comm, st, err));
    DT_TRY(dt_together_forward(&t->step, err));
    bool finite = note_losses(r, &loss);
    DT_TRY(dt_ranks_any(&r->ranks, !finite, &bad, err));
    if (bad) return find_bad(r, finite, loss, err);
    dt_ranks_watch(&r->ranks, last, r->phase->ends, &r->sums, t->earlier);
    DT_TRY(dt_together_backward(&t->step, err));
    for (int k = 0; r->share.ranks == 1 && k < t->step.count; k++)
        dt_accumulate_add(&r->sums, t->step.exec[k]->state, r->share.first + k);
    return DT_OK;
}
