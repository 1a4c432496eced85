/* The plans of a run: of every phase a training step, an evaluation and, if dynamics want it, a
 * pass for batch-norm statistics. All are made and printed before the first step, and one piece of
 * memory serves them all. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "autograd/fuse.h"
#include "autograd/query.h"
#include "train/run/run_state.h"

static void say(const dt_run *r, const char *text)
{
    if (r->p->events.message) r->p->events.message(r->p->events.arg, text);
}

/* The phase leaves running statistics alone, and its steps use them. */
static bool has_frozen_norms(const dt_phase *f)
{
    return f->conf && f->conf->norm;
}

static dt_status plan(dt_run *r, const dt_graph *g, dt_mode mode, dt_norms norms, dt_plan *out,
                      dt_error *err)
{
    const dt_net *net = &r->s.net;
    int outputs[DT_NET_WANTED];
    bool scores = dt_norms_in(mode, norms) == DT_NORMS_RUNNING && mode == DT_MODE_EVAL;
    int64_t batch = scores ? r->s.recipe->eval.batch : r->s.data_conf->batch;
    char line[400], text[512];
    DT_TRY(dt_plan_init(out,
                        &(dt_plan_request){ .graph = g,
                                            .kernels = &r->s.kernels,
                                            .mode = mode,
                                            .norms = norms,
                                            .batch = batch,
                                            .threads = r->s.threads,
                                            .frozen = r->optim.frozen,
                                            .outputs = outputs,
                                            .output_count = dt_net_wanted(net, mode, outputs) },
                        r->p->alloc, err));
    if (out->arena_bytes > r->step_bytes) {
        r->step_bytes = out->arena_bytes;
        r->step_key = scores ? "eval.batch" : "data.batch";
    }
    dt_plan_print(out, line, sizeof line);
    snprintf(text, sizeof text, "plan: %s", line);
    say(r, text);
    return DT_OK;
}

/* Side by side every batch has an arena. */
static size_t arena_of_all(const dt_run *r, const dt_plan *p)
{
    return dt_aligned(p->arena_bytes) * (size_t)(r->together.on ? r->share.count : 1);
}

/* The teacher runs before the step's forward pass, in the same memory. */
static dt_status plan_teacher(dt_run *r, dt_error *err)
{
    dt_teacher *t = &r->s.teacher;
    char line[400], text[512];
    if (!t->enabled) return DT_OK;
    DT_TRY(dt_teacher_make_plan(t, &r->s.kernels, r->s.data_conf->batch, r->s.threads,
                                r->s.net.plain, err));
    if (t->plan.arena_bytes > r->step_bytes) r->step_bytes = t->plan.arena_bytes;
    dt_plan_print(&t->plan, line, sizeof line);
    snprintf(text, sizeof text, "plan: teacher %s, %s", r->s.recipe->distill.model.row->name, line);
    say(r, text);
    return DT_OK;
}

static dt_status plan_phase(dt_run *r, dt_phase *f, dt_error *err)
{
    dt_plan eval;
    dt_norms norms = has_frozen_norms(f) ? DT_NORMS_RUNNING : DT_NORMS_MOVE;
    DT_TRY(plan(r, f->steps, DT_MODE_TRAIN, norms, &f->plan, err));
    if (arena_of_all(r, &f->plan) > r->step_bytes) {
        r->step_bytes = arena_of_all(r, &f->plan);
        r->step_key = "data.batch";
    }
    DT_TRY(plan(r, f->steps, DT_MODE_EVAL, DT_NORMS_RUNNING, &eval, err));
    dt_plan_fini(&eval); /* the evaluator makes its own */
    f->ends = dt_get_array(r->p->alloc, (size_t)f->steps->value_count + 1, sizeof *f->ends, "plan");
    if (!f->ends) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a plan");
    dt_ranks_ends(&f->plan, f->ends);
    if (f->unquantized_steps)
        DT_TRY(plan(r, f->unquantized_steps, DT_MODE_TRAIN, norms, &f->unquantized_plan, err));
    if (!dt_dynamics_wants_norm(&r->s.dynamics)) return DT_OK;
    return plan(r, f->steps, DT_MODE_EVAL, DT_NORMS_REPLACE, &f->norm, err);
}

/* The executor of batch k of the share, in an arena of its own. */
static dt_status open_side(dt_run *r, dt_phase *f, int k, dt_exec *e, dt_state *s, dt_error *err)
{
    unsigned char *memory = r->step_memory;
    if (memory) memory += (size_t)k * dt_aligned(f->plan.arena_bytes);
    return dt_exec_init(e, &f->plan, s, &r->s.kernels, memory, r->p->alloc, err);
}

static dt_status open_sides(dt_run *r, dt_phase *f, dt_error *err)
{
    int last = r->share.count - 1;
    size_t n = (size_t)r->share.count;
    f->side = dt_get_array(r->p->alloc, n, sizeof *f->side, "together");
    f->beside = dt_get_array(r->p->alloc, n, sizeof *f->beside, "together");
    if (!f->side || !f->beside)
        return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for batches side by side");
    for (int k = 0; k < last; k++) {
        DT_TRY(open_side(r, f, k, &f->beside[k], &r->together.gradients[k], err));
        f->side[k] = &f->beside[k];
    }
    f->side[last] = &f->exec;
    return DT_OK;
}

static dt_status open_phase(dt_run *r, dt_phase *f, dt_error *err)
{
    dt_net *net = &r->s.net;
    int last = r->together.on ? r->share.count - 1 : 0;
    DT_TRY(open_side(r, f, last, &f->exec, &net->state, err));
    if (r->together.on) DT_TRY(open_sides(r, f, err));
    DT_TRY(dt_evaluator_init(&f->evaluator, net, f->steps, &r->s.kernels, r->s.recipe->eval.batch,
                             r->s.threads, r->step_memory, r->p->alloc, err));
    f->evaluator.comm = r->p->comm;
    if (f->unquantized_steps)
        DT_TRY(dt_exec_init(&f->unquantized_exec, &f->unquantized_plan, &net->state, &r->s.kernels,
                            r->step_memory, r->p->alloc, err));
    if (!f->norm.graph) return DT_OK;
    return dt_exec_init(&f->norm_exec, &f->norm, &net->state, &r->s.kernels, r->step_memory,
                        r->p->alloc, err);
}

dt_status dt_run_feed(dt_run *r, dt_exec *e, const dt_batch *batch, int index, dt_error *err)
{
    const dt_net *net = &r->s.net;
    dt_exec_feed(e, batch->x);
    if (net->targets >= 0)
        dt_exec_set_input(e, net->targets, batch->targets);
    else
        dt_exec_feed_answers(e, dt_batch_answers(batch));
    if (net->teacher >= 0) {
        DT_TRY(dt_teacher_run(&r->s.teacher, batch->x, err));
        dt_exec_set_input(e, net->teacher, r->s.teacher.logits);
    }
    e->seed = (uint64_t)r->s.recipe->train.seed;
    e->step = r->at.step * r->share.batches + index;
    return DT_OK;
}

/* Batch i of the pictures of the epoch that has just begun or ended. */
static dt_status extra_batch(dt_run *r, int64_t batch, dt_batch *out, dt_error *err)
{
    int64_t per_epoch = dt_loader_batches(r->extra_loader);
    int64_t epoch = r->at.step / r->at.steps_per_epoch;
    if (batch % per_epoch == 0)
        DT_TRY(dt_loader_seek(r->extra_loader, epoch + batch / per_epoch, 0, err));
    return dt_loader_next(r->extra_loader, out, err);
}

/* Passes that dynamics ask for are rank 0's; what they make of them is spread. */
static dt_status gradient_pass(void *arg, int64_t batch, dt_error *err)
{
    dt_run *r = arg;
    if (!r->extra_loader) return DT_OK;
    dt_exec *e = &r->phase->unquantized_exec;
    dt_batch b;
    if (batch >= 0) {
        DT_TRY(extra_batch(r, batch, &b, err));
        DT_TRY(dt_run_feed(r, e, &b, 0, err));
    }
    DT_TRY(dt_exec_forward(e, err));
    dt_exec_backward(e);
    return DT_OK;
}

static dt_status norm_pass(void *arg, int64_t batch, dt_error *err)
{
    dt_run *r = arg;
    if (!r->extra_loader) return DT_OK;
    dt_exec *e = &r->phase->norm_exec;
    dt_batch b;
    DT_TRY(extra_batch(r, batch, &b, err));
    dt_exec_feed(e, b.x);
    dt_exec_feed_answers(e, dt_batch_answers(&b));
    return dt_exec_forward(e, err);
}

/* The phase's graph with weights as they are. */
static dt_status make_unquantized(dt_run *r, dt_phase *f, dt_error *err)
{
    const dt_net *net = &r->s.net;
    int keep[DT_NET_WANTED], kept = dt_net_keep(net, keep);
    dt_recipe_phase unquantized = { 0 };
    if (f->conf) unquantized = *f->conf;
    unquantized.weight_bits = 32;
    DT_TRY(dt_net_phase(net, &unquantized, r->p->alloc, &f->unquantized, err));
    f->unquantized_steps = &f->unquantized;
    if (net->plain) return DT_OK;
    DT_TRY(dt_fuse(&f->unquantized, keep, kept, &f->unquantized_fused, r->p->alloc, err));
    f->unquantized_steps = &f->unquantized_fused;
    return DT_OK;
}

/* Phase 0 begins with the run; without a phase at epoch 0 it is the recipe as it is. */
dt_status dt_run_make_phases(dt_run *r, dt_error *err)
{
    const dt_recipe *recipe = r->s.recipe;
    const dt_net *net = &r->s.net;
    int keep[DT_NET_WANTED], kept = dt_net_keep(net, keep);
    int n = 0;
    if (!recipe->phase_count || recipe->phase[0].epoch > 0) n++;
    for (size_t i = 0; i < recipe->phase_count; i++)
        r->phases[n++].conf = &recipe->phase[i];
    for (int i = 0; i < n; i++) {
        dt_phase *f = &r->phases[i];
        r->phase_count = i + 1;
        f->plain = &net->graph;
        f->steps = dt_net_steps(net);
        if (dt_dynamics_wants_gradients(&r->s.dynamics)) DT_TRY(make_unquantized(r, f, err));
        if (!f->conf) continue;
        f->first_step = f->conf->epoch * r->at.steps_per_epoch;
        DT_TRY(dt_net_phase(net, f->conf, r->p->alloc, &f->own, err));
        f->plain = f->steps = &f->own;
        if (net->plain) continue;
        DT_TRY(dt_fuse(&f->own, keep, kept, &f->own_fused, r->p->alloc, err));
        f->steps = &f->own_fused;
    }
    r->phase = r->phases;
    return DT_OK;
}

/* The phase of the last step that was done. */
static dt_phase *phase_before(dt_run *r)
{
    int i = 0;
    while (i + 1 < r->phase_count && r->phases[i + 1].first_step < r->at.step)
        i++;
    return &r->phases[i];
}

static bool is_site(const dt_node *node)
{
    return node->op->quantizes;
}

/* Whether a graph has sites that are new beside another. */
static bool has_new_sites(const dt_graph *before, const dt_graph *g)
{
    for (int i = 0; i < g->node_count; i++)
        if (is_site(&g->node[i]) && dt_net_is_new_site(before, &g->node[i])) return true;
    return false;
}

static void use_phase(dt_run *r, dt_phase *f, bool fresh)
{
    bool other = f->conf && has_new_sites(f->plain, &r->s.net.graph);
    r->phase = f;
    r->at.sites = f->plain;
    r->optim.hold_quant = f->conf && f->conf->ranges;
    r->at.weight_bits = other ? f->conf->weight_bits : 0;
    r->at.activation_bits = other ? f->conf->activation_bits : 0;
    r->s.dynamics.norm_frozen = has_frozen_norms(f);
    if (r->s.dynamics.count) dt_weights_bind(&r->s.dynamics.weights, f->plain, fresh);
}

/* The optimizer's steps of parameters that begin with phase f are counted from there. */
static void join(dt_run *r, const dt_phase *f)
{
    for (int i = 0; i < f->plain->node_count; i++) {
        const dt_node *node = &f->plain->node[i];
        if (!is_site(node) || !dt_net_is_new_site(f[-1].plain, node)) continue;
        for (int k = 1; k <= dt_query_params(node); k++)
            dt_optim_join(&r->optim, node->in[k], f->first_step);
    }
}

void dt_run_resume_phase(dt_run *r)
{
    dt_phase *now = phase_before(r);
    for (const dt_phase *f = r->phases + 1; f <= now; f++)
        join(r, f);
    use_phase(r, now, false);
}

static void say_phase(const dt_run *r, const dt_phase *f)
{
    char text[200], bits[2][24] = { "as quant says", "as quant says" };
    const dt_recipe_phase *c = f->conf;
    if (!c) return;
    if (c->weight_bits) snprintf(bits[0], sizeof bits[0], "%d or more", c->weight_bits);
    if (c->activation_bits) snprintf(bits[1], sizeof bits[1], "%d or more", c->activation_bits);
    snprintf(text, sizeof text, "phase from epoch %d: bits of weights %s, of activations %s%s%s",
             c->epoch, bits[0], bits[1], c->ranges ? ", ranges frozen" : "",
             c->norm ? ", batch norms frozen" : "");
    say(r, text);
}

dt_status dt_run_enter_phase(dt_run *r, bool fresh, dt_error *err)
{
    dt_phase *from = phase_before(r), *to = from;
    if (to + 1 < r->phases + r->phase_count && to[1].first_step == r->at.step) to++;
    if (r->phase != to || fresh) use_phase(r, to, fresh);
    if (!fresh && to == from) return DT_OK;
    say_phase(r, to);
    if (!fresh && !has_new_sites(from->plain, to->plain)) return DT_OK;
    if (!fresh || !r->s.quantizers_ready) {
        dt_status st = DT_OK;
        if (dt_comm_rank(r->p->comm) == 0)
            st =
                dt_session_calibrate_phase(&r->s, to->plain, fresh ? NULL : from->plain,
                                           has_frozen_norms(to) ? DT_NORMS_RUNNING : DT_NORMS_BATCH,
                                           r->p->events.site, r->p->events.arg, err);
        DT_TRY(dt_comm_settle(r->p->comm, st, err));
        DT_TRY(dt_run_spread(r, err));
    }
    r->s.quantizers_ready = true;
    if (!fresh) {
        join(r, to);
        dt_optim_restart(&r->optim, &r->s.net.graph, r->at.step);
        r->at.best = -1; /* scores at other bits are of another net */
    }
    const dt_dynamics_at at = { r->at.step, r->at.steps_per_epoch, r->at.total_steps };
    dt_dynamics_start(&r->s.dynamics, &at);
    return DT_OK;
}

static int64_t most_moves(const dt_run *r)
{
    int64_t moves = 0;
    for (int i = 0; i < r->phase_count; i++)
        if (r->phases[i].plan.moves > moves) moves = r->phases[i].plan.moves;
    return moves;
}

/* What batches side by side want beside their arenas; told before those are taken. */
static dt_status make_together(dt_run *r, dt_error *err)
{
    char text[240];
    int64_t most = 0;
    const dt_plan *p = &r->phases[0].plan;
    for (int i = 0; i < r->phase_count; i++) {
        int64_t n = dt_together_most(&r->phases[i].plan);
        if (n > most) most = n;
    }
    DT_TRY(dt_step_together_init(&r->together, &r->s.net, p, &r->share, r->p->comm, most,
                                 most_moves(r), r->p->alloc, err));
    snprintf(
        text, sizeof text,
        "norms: statistics of the step's %d batches together; %d of them side by side here, an "
        "arena each, and %.1f MB of inputs and gradients",
        r->share.batches, r->share.count, (double)r->together.bytes / 1e6);
    say(r, text);
    return DT_OK;
}

/* Sums of gradients, when a step has several batches. */
static dt_status make_sums(dt_run *r, dt_error *err)
{
    char text[200];
    int batches = r->share.batches, batch = r->s.data_conf->batch;
    int64_t moves = r->together.on ? 0 : most_moves(r); /* together they are those of the step */
    DT_TRY(dt_accumulate_init(&r->sums, &r->share, &r->s.net.graph, moves, r->p->alloc, err));
    DT_TRY(dt_ranks_init(&r->ranks, r->p->comm, &r->share, &r->s.net.graph, r->phases[0].ends,
                         r->p->alloc, err));
    if (batches == 1) return DT_OK;
    snprintf(text, sizeof text,
             "step: %d batches of %d, nominal batch %lld; sums of gradients %.1f MB", batches,
             batch, (long long)batches * batch, (double)r->sums.bytes / 1e6);
    say(r, text);
    if (r->share.ranks == 1) return DT_OK;
    snprintf(text, sizeof text,
             "ranks: %d with up to %d batches of a step each, %d on this host; buffers %.1f MB, "
             "%zu numbers of statistics a batch",
             r->share.ranks, r->share.block, dt_comm_here(r->p->comm),
             (double)r->ranks.reduce.bytes / 1e6, r->sums.moves_of_batch);
    say(r, text);
    return DT_OK;
}

/* Outputs of a step, put together for its score. */
static dt_status make_outputs(dt_run *r, dt_error *err)
{
    const dt_goal *g = &r->s.net.goal;
    if (g->count == 1) return DT_OK;
    size_t n = (size_t)(r->s.data_conf->batch * g->K);
    r->outputs = dt_get_array(r->p->alloc, n, sizeof *r->outputs, "outputs");
    return r->outputs ? DT_OK : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for outputs");
}

dt_status dt_run_make_plans(dt_run *r, dt_error *err)
{
    char text[160];
    const dt_net *net = &r->s.net;
    DT_TRY(make_outputs(r, err));
    r->together.on = r->s.recipe->train.sync_norm && r->share.batches > 1;
    for (int i = 0; i < r->phase_count; i++)
        DT_TRY(plan_phase(r, &r->phases[i], err));
    DT_TRY(plan_teacher(r, err));
    snprintf(text, sizeof text, "memory: arena %.1f MB, %zu parameters and their gradients %.1f MB",
             (double)r->step_bytes / 1e6, net->state.param_count, (double)net->state.bytes / 1e6);
    say(r, text);
    DT_TRY(make_sums(r, err));
    if (r->together.on) DT_TRY(make_together(r, err));
#if !DT_ASAN
    r->step_memory = dt_get(r->p->alloc, r->step_bytes, "step arena");
    if (!r->step_memory)
        return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a step: %.1f MB wanted",
                       (double)r->step_bytes / 1e6);
#endif
    for (int i = 0; i < r->phase_count; i++)
        DT_TRY(open_phase(r, &r->phases[i], err));
    if (r->s.teacher.enabled)
        DT_TRY(dt_teacher_start(&r->s.teacher, &r->s.kernels, r->step_memory, err));
    return DT_OK;
}

dt_status dt_run_open_passes(dt_run *r, dt_error *err)
{
    if (!dt_dynamics_wants_norm(&r->s.dynamics) && !dt_dynamics_wants_gradients(&r->s.dynamics))
        return DT_OK;
    r->s.dynamics.norm_pass = norm_pass;
    r->s.dynamics.gradient_pass = gradient_pass;
    r->s.dynamics.norm_arg = r->s.dynamics.pass_arg = r;
    if (dt_comm_rank(r->p->comm) > 0) return DT_OK;
    return dt_session_loader(&r->s, DT_SPLIT_TRAIN, r->s.data_conf->batch, &r->extra_loader, err);
}

void dt_run_end_plans(dt_run *r)
{
    for (int i = 0; i < r->phase_count; i++) {
        dt_phase *f = &r->phases[i];
        dt_put(r->p->alloc, f->ends);
        dt_evaluator_fini(&f->evaluator);
        dt_exec_fini(&f->norm_exec);
        dt_exec_fini(&f->unquantized_exec);
        dt_plan_fini(&f->unquantized_plan);
        dt_graph_fini(&f->unquantized_fused);
        dt_graph_fini(&f->unquantized);
        dt_exec_fini(&f->exec);
        for (int k = 0; f->beside && k < r->share.count - 1; k++)
            dt_exec_fini(&f->beside[k]);
        dt_put(r->p->alloc, f->beside);
        dt_put(r->p->alloc, f->side);
        dt_plan_fini(&f->norm);
        dt_plan_fini(&f->plan);
        dt_graph_fini(&f->own_fused);
        dt_graph_fini(&f->own);
    }
    dt_step_together_fini(&r->together, &r->share);
    dt_ranks_fini(&r->ranks);
    dt_accumulate_fini(&r->sums);
    dt_loader_close(r->extra_loader);
    dt_put(r->p->alloc, r->step_memory);
    dt_put(r->p->alloc, r->outputs);
}
