/* Evaluation. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/run/evaluate.h"

#include <math.h>

dt_status dt_evaluator_init(dt_evaluator *e, dt_net *net, const dt_graph *graph,
                            const dt_kernels *k, int64_t batch, int threads, void *memory,
                            const dt_alloc *a, dt_error *err)
{
    *e = (dt_evaluator){ .net = net, .alloc = a };
    const int outputs[] = { net->loss, net->logits };
    DT_TRY(dt_plan_init(&e->plan,
                        &(dt_plan_request){ .graph = graph,
                                            .kernels = k,
                                            .mode = DT_MODE_EVAL,
                                            .batch = batch,
                                            .threads = threads,
                                            .outputs = outputs,
                                            .output_count = 2 },
                        a, err));
    dt_status st = dt_exec_init(&e->exec, &e->plan, &net->state, k, memory, a, err);
    if (st == DT_OK) {
        e->labels = dt_get_array(a, (size_t)batch, sizeof *e->labels, "labels");
        if (!e->labels) st = dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for labels");
    }
    if (st != DT_OK) dt_evaluator_fini(e);
    return st;
}

void dt_evaluator_fini(dt_evaluator *e)
{
    dt_put(e->alloc, e->labels);
    dt_exec_fini(&e->exec);
    dt_plan_fini(&e->plan);
    *e = (dt_evaluator){ 0 };
}

void dt_score_count(dt_score *s, const real *logits, const int32_t *labels, int64_t valid,
                    int64_t K, int32_t *predictions)
{
    for (int64_t n = 0; n < valid; n++) {
        const real *x = logits + n * K, truth = x[labels[n]];
        int64_t best = 0, before = 0; /* classes ranked before the true one */
        for (int64_t k = 0; k < K; k++) {
            if (x[k] > x[best]) best = k;
            before += x[k] > truth || (x[k] == truth && k < labels[n]);
        }
        s->correct += best == labels[n];
        s->correct5 += before < 5;
        if (predictions) predictions[n] = (int32_t)best;
    }
    s->count += valid;
}

static dt_status one_batch(dt_evaluator *e, const dt_batch *batch, int32_t *predictions,
                           dt_score *s, dt_error *err)
{
    for (int64_t i = 0; i < e->plan.batch; i++)
        e->labels[i] = i < batch->valid ? batch->labels[i] : -1;
    dt_exec_set_input(&e->exec, e->net->input, batch->x);
    dt_exec_set_input(&e->exec, e->net->labels, e->labels);
    DT_TRY(dt_exec_forward(&e->exec, err));
    real loss = e->exec.lost ? (real)NAN : ((real *)dt_exec_value(&e->exec, e->net->loss))[0];
    s->loss += (double)loss * (double)batch->valid;
    dt_score_count(s, dt_exec_value(&e->exec, e->net->logits), e->labels, batch->valid,
                   e->net->classes, predictions ? predictions + s->count : NULL);
    return DT_OK;
}

dt_status dt_evaluate(dt_evaluator *e, dt_loader *loader, dt_evaluate_fn progress, void *arg,
                      int32_t *predictions, dt_score *out, dt_error *err)
{
    dt_score s = { 0 };
    DT_TRY(dt_loader_seek(loader, 0, 0, err));
    for (int64_t i = 0; i < dt_loader_batches(loader); i++) {
        dt_batch batch;
        DT_TRY(dt_loader_next(loader, &batch, err));
        if (batch.valid == 0) continue; /* all of its pictures are broken */
        DT_TRY(one_batch(e, &batch, predictions, &s, err));
        if (progress && !progress(arg, &s, dt_loader_samples(loader))) break;
    }
    if (s.count) s.loss /= (double)s.count;
    *out = s;
    return DT_OK;
}
