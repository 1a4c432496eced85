/* Evaluation. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/run/evaluate.h"

#include <math.h>
#include <string.h>

dt_status dt_evaluator_init(dt_evaluator *e, dt_net *net, const dt_graph *graph,
                            const dt_kernels *k, int64_t batch, int threads, void *memory,
                            const dt_alloc *a, dt_error *err)
{
    *e = (dt_evaluator){ .net = net, .alloc = a };
    int outputs[DT_NET_WANTED];
    DT_TRY(dt_plan_init(
        &e->plan,
        &(dt_plan_request){ .graph = graph,
                            .kernels = k,
                            .mode = DT_MODE_EVAL,
                            .batch = batch,
                            .threads = threads,
                            .outputs = outputs,
                            .output_count = dt_net_wanted(net, DT_MODE_EVAL, outputs) },
        a, err));
    dt_status st = dt_exec_init(&e->exec, &e->plan, &net->state, k, memory, a, err);
    if (st == DT_OK) {
        e->answers = dt_get_array(a, (size_t)batch, dt_goal_answer_bytes(&net->goal), "answers");
        bool several = net->goal.count > 1;
        if (several)
            e->outputs = dt_get_array(a, (size_t)(batch * net->goal.K), sizeof(real), "outputs");
        if (!e->answers || (several && !e->outputs))
            st = dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for answers");
    }
    if (st != DT_OK) dt_evaluator_fini(e);
    return st;
}

void dt_evaluator_fini(dt_evaluator *e)
{
    dt_put(e->alloc, e->answers);
    dt_put(e->alloc, e->outputs);
    dt_exec_fini(&e->exec);
    dt_plan_fini(&e->plan);
    *e = (dt_evaluator){ 0 };
}

/* The answer of a sample that does not count: of a label -1, of flags and numbers nan. */
static void mark(const dt_goal_part *p, void *answer)
{
    if (p->task->answer == DT_ANSWER_LABEL)
        *(int32_t *)answer = -1;
    else
        for (int64_t k = 0; k < p->K; k++)
            ((float *)answer)[k] = NAN;
}

/* Fills up the answers behind the first `valid`. */
static void mark_rest(const dt_goal *g, void *answers, int64_t valid, int64_t batch)
{
    size_t size = dt_goal_answer_bytes(g);
    for (int64_t i = valid; i < batch; i++)
        for (int p = 0; p < g->trained; p++)
            mark(&g->part[p], (unsigned char *)answers + (size_t)i * size + g->part[p].answer_at);
}

void dt_evaluator_feed(dt_evaluator *e, const dt_batch *batch, int64_t valid)
{
    const dt_goal *g = &e->net->goal;
    memcpy(e->answers, dt_batch_answers(batch), (size_t)valid * dt_goal_answer_bytes(g));
    mark_rest(g, e->answers, valid, e->plan.batch);
    dt_exec_feed(&e->exec, batch->x);
    dt_exec_feed_answers(&e->exec, e->answers);
}

const real *dt_evaluator_outputs(const dt_evaluator *e, int64_t n)
{
    return dt_exec_outputs(&e->exec, n, e->outputs);
}

void dt_same_predictions(const dt_goal *g, const float *a, const float *b, int64_t n, int64_t *same)
{
    for (int64_t i = 0; i < n; i++)
        for (int p = 0; p < g->trained; p++) {
            int64_t each = g->part[p].task->predicted(g->part[p].K);
            same[p] += memcmp(a, b, (size_t)each * sizeof *a) == 0;
            a += each;
            b += each;
        }
}

dt_status dt_evaluate_batch(dt_evaluator *e, const dt_batch *batch, float *predictions,
                            dt_score *out, dt_error *err)
{
    const dt_goal *g = &e->net->goal;
    dt_evaluator_feed(e, batch, batch->valid);
    DT_TRY(dt_exec_forward(&e->exec, err));
    real loss = e->exec.lost ? (real)NAN : ((real *)dt_exec_value(&e->exec, e->net->loss))[0];
    dt_score s = { .loss = (double)loss * (double)batch->valid };
    dt_score_add(&s, g, dt_evaluator_outputs(e, batch->valid), e->answers, batch->valid,
                 predictions);
    *out = s;
    return DT_OK;
}

dt_status dt_evaluate(dt_evaluator *e, dt_loader *loader, dt_evaluate_fn progress, void *arg,
                      float *predictions, dt_score *out, dt_error *err)
{
    const dt_goal *g = &e->net->goal;
    dt_score s = { 0 }, part;
    if (dt_comm_size(e->comm) > 1) return dt_evaluate_ranks(e, loader, progress, arg, out, err);
    DT_TRY(dt_loader_seek(loader, 0, 0, err));
    for (int64_t i = 0; i < dt_loader_batches(loader); i++) {
        dt_batch batch;
        DT_TRY(dt_loader_next(loader, &batch, err));
        if (batch.valid == 0) continue; /* all of its pictures are broken */
        DT_TRY(dt_evaluate_batch(e, &batch,
                                 predictions ? predictions + s.count * dt_goal_predicted(g) : NULL,
                                 &part, err));
        dt_score_join(&s, &part);
        if (progress && !progress(arg, &s, dt_loader_samples(loader))) break;
    }
    if (s.count) s.loss /= (double)s.count;
    *out = s;
    return DT_OK;
}
