/* Evaluation among ranks. Every rank runs a block of the batches; the scores of all batches are
 * told to all ranks and added in the order of the batches, as one process adds them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/run/evaluate.h"

/* Batches of `rank`: begin_of(rank) .. begin_of(rank + 1) - 1, at most `room` of them. */
typedef struct blocks {
    int64_t batches, room;
} blocks;

static int64_t begin_of(const blocks *b, int rank)
{
    int64_t begin = rank * b->room;
    return begin < b->batches ? begin : b->batches;
}

static dt_status run_block(dt_evaluator *e, dt_loader *loader, const blocks *b, dt_score *scores,
                           dt_evaluate_fn progress, void *arg, dt_error *err)
{
    int rank = dt_comm_rank(e->comm);
    int64_t begin = begin_of(b, rank), end = begin_of(b, rank + 1);
    dt_score seen = { 0 };
    if (begin < end) DT_TRY(dt_loader_seek(loader, 0, begin, err));
    for (int64_t i = begin; i < end; i++) {
        dt_batch batch;
        DT_TRY(dt_loader_next(loader, &batch, err));
        if (batch.valid > 0) DT_TRY(dt_evaluate_batch(e, &batch, NULL, &scores[i], err));
        seen.count += scores[i].count;
        if (progress) /* it may not end what the others go on with */
            (void)progress(arg, &seen, dt_loader_samples(loader) * (end - begin) / b->batches);
    }
    return DT_OK;
}

static dt_score sum_of(const dt_score *scores, int64_t batches)
{
    dt_score s = { 0 };
    for (int64_t i = 0; i < batches; i++)
        if (scores[i].count > 0) dt_score_join(&s, &scores[i]);
    if (s.count) s.loss /= (double)s.count;
    return s;
}

dt_status dt_evaluate_ranks(dt_evaluator *e, dt_loader *loader, dt_evaluate_fn progress, void *arg,
                            dt_score *out, dt_error *err)
{
    int size = dt_comm_size(e->comm);
    int64_t batches = dt_loader_batches(loader);
    const blocks b = { batches, (batches + size - 1) / size };
    dt_score *scores =
        dt_get_array(e->alloc, (size_t)(b.room * size), sizeof *scores, "evaluation");
    dt_status st = scores ? run_block(e, loader, &b, scores, progress, arg, err)
                          : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for an evaluation");
    st = dt_comm_settle(e->comm, st, err);
    if (st == DT_OK) st = dt_comm_gather(e->comm, scores, (size_t)b.room * sizeof *scores, err);
    if (st == DT_OK) *out = sum_of(scores, batches);
    dt_put(e->alloc, scores);
    return st;
}
