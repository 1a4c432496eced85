/* Evaluation of the integer model. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/run/evaluate_integer.h"

#include "core/mathx.h"

/* Sum of -log softmax of the true class. */
static double losses(const float *logits, const int32_t *labels, int64_t n, int64_t K)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        const float *x = logits + i * K;
        double most = (double)x[0], total = 0;
        for (int64_t k = 1; k < K; k++)
            most = (double)x[k] > most ? (double)x[k] : most;
        for (int64_t k = 0; k < K; k++)
            total += dt_exp((double)x[k] - most);
        sum += dt_log(total) + most - (double)x[labels[i]];
    }
    return sum;
}

static void one_batch(dt_int_run *r, const dt_batch *batch, float *logits, int32_t *predictions,
                      dt_score *s)
{
    const dt_int_value *v = &r->model->value[r->model->logits];
    const dt_int_value *x = &r->model->value[r->model->node[0].out];
    int64_t K = dt_int_count(v), size = dt_int_count(x);
    for (int64_t at = 0; at < batch->valid; at += r->room) {
        int64_t n = batch->valid - at < r->room ? batch->valid - at : r->room;
        dt_int_run_forward(r, batch->x + at * size, n);
        dt_int_run_logits(r, logits);
        s->loss += losses(logits, batch->labels + at, n, K);
        dt_score_count(s, logits, batch->labels + at, n, K,
                       predictions ? predictions + s->count : NULL);
    }
}

dt_status dt_evaluate_integer(dt_int_run *r, dt_loader *loader, dt_evaluate_fn progress, void *arg,
                              int32_t *predictions, dt_score *out, dt_error *err)
{
    dt_score s = { 0 };
    size_t K = (size_t)dt_int_count(&r->model->value[r->model->logits]);
    float *logits = dt_get_array(r->alloc, K * (size_t)r->room, sizeof *logits, "logits");
    if (!logits) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for logits");
    dt_status st = dt_loader_seek(loader, 0, 0, err);
    for (int64_t i = 0; st == DT_OK && i < dt_loader_batches(loader); i++) {
        dt_batch batch;
        st = dt_loader_next(loader, &batch, err);
        if (st != DT_OK) break;
        if (batch.valid > 0) one_batch(r, &batch, logits, predictions, &s);
        if (progress && !progress(arg, &s, dt_loader_samples(loader))) break;
    }
    dt_put(r->alloc, logits);
    if (st != DT_OK) return st;
    if (s.count) s.loss /= (double)s.count;
    *out = s;
    return DT_OK;
}
