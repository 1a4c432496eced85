/* Evaluation of the integer model. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/run/evaluate_integer.h"

/* Sum of the losses of n samples. */
static double losses(const dt_goal *g, const float *y, const void *answers, int64_t n)
{
    const unsigned char *answer = answers;
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += dt_goal_loss(g, y + i * g->K, answer + (size_t)i * dt_goal_answer_bytes(g));
    return sum;
}

static void one_batch(dt_int_run *r, const dt_goal *g, const dt_batch *batch, float *output,
                      float *predictions, dt_score *s)
{
    const unsigned char *answers = dt_batch_answers(batch);
    int64_t size = r->model->record;
    for (int64_t at = 0; at < batch->valid; at += r->room) {
        int64_t n = batch->valid - at < r->room ? batch->valid - at : r->room;
        const void *answer = answers + (size_t)at * dt_goal_answer_bytes(g);
        dt_int_run_forward(r, batch->x + at * size, n);
        dt_int_run_logits(r, output);
        s->loss += losses(g, output, answer, n);
        dt_score_add(s, g, output, answer, n,
                     predictions ? predictions + s->count * dt_goal_predicted(g) : NULL);
    }
}

dt_status dt_evaluate_integer(dt_int_run *r, const dt_goal *goal, dt_loader *loader,
                              dt_evaluate_fn progress, void *arg, float *predictions, dt_score *out,
                              dt_error *err)
{
    dt_score s = { 0 };
    size_t K = (size_t)dt_int_outputs(r->model);
    float *logits = dt_get_array(r->alloc, K * (size_t)r->room, sizeof *logits, "logits");
    if (!logits) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for logits");
    dt_status st = dt_loader_seek(loader, 0, 0, err);
    for (int64_t i = 0; st == DT_OK && i < dt_loader_batches(loader); i++) {
        dt_batch batch;
        st = dt_loader_next(loader, &batch, err);
        if (st != DT_OK) break;
        if (batch.valid > 0) one_batch(r, goal, &batch, logits, predictions, &s);
        if (progress && !progress(arg, &s, dt_loader_samples(loader))) break;
    }
    dt_put(r->alloc, logits);
    if (st != DT_OK) return st;
    if (s.count) s.loss /= (double)s.count;
    *out = s;
    return DT_OK;
}
