/* Double-buffered loader. The slot being filled belongs to the worker from dt_worker_start to
 * dt_worker_wait, and to the caller's thread otherwise. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/loader.h"

#include <string.h>

#include "core/thread.h"
#include "data/order.h"

enum { TASK = 16 /* samples of a short task */, MAX_BATCH = 8192 };

typedef struct slot {
    float *x;        /* [N,H,W,3] */
    int32_t *labels; /* [N] */
    int64_t epoch, index, valid;
    dt_error err;
} slot;

struct dt_loader {
    dt_loader_params p;
    dt_data_info info;
    int64_t samples, batches;
    size_t sample_size; /* elements of a picture */
    dt_normalize_table table;
    dt_transform_step steps[DT_TRANSFORM_MAX];
    dt_worker *worker;
    slot slots[2];
    int filling;                      /* slot of the next batch */
    uint32_t *base;                   /* [samples] of the split, ascending; NULL: 0, 1, 2, ... */
    uint32_t *order;                  /* [samples] of `order_epoch`; TRAIN only */
    int64_t order_epoch;              /* -1: none yet */
    uint8_t *scratch;                 /* [threads][2][H,W,3] */
    uint8_t failed[MAX_BATCH / TASK]; /* by task */
};

static int64_t sample_at(const dt_loader *l, int64_t position)
{
    if (l->order) return l->order[position];
    return l->base ? l->base[position] : position;
}

static dt_status load_sample(dt_loader *l, slot *s, int64_t i, int thread, dt_error *err)
{
    const dt_loader_params *p = &l->p;
    uint8_t *a = l->scratch + 2 * l->sample_size * (size_t)thread, *b = a + l->sample_size;
    const uint8_t *picture = a;
    int64_t sample = sample_at(l, s->index * p->batch + i);
    dt_split stored = p->split == DT_SPLIT_TEST ? DT_SPLIT_TEST : DT_SPLIT_TRAIN;
    int label;
    DT_TRY(dt_data_read(p->data, stored, sample, a, &label, err));
    if (p->step_count) {
        dt_rng rng;
        dt_rng_open(&rng, p->seed, DT_RNG_AUGMENT, (uint32_t)s->epoch, (uint64_t)sample);
        picture = dt_transform_apply(p->steps, p->step_count, &rng, l->info.H, l->info.W, a, b);
    }
    dt_normalize_apply(&l->table, l->info.H * l->info.W, picture,
                       s->x + l->sample_size * (size_t)i);
    s->labels[i] = label;
    return DT_OK;
}

static dt_status load_task(dt_loader *l, int64_t task, int thread, dt_error *err)
{
    slot *s = &l->slots[l->filling];
    int64_t end = (task + 1) * TASK < s->valid ? (task + 1) * TASK : s->valid;
    for (int64_t i = task * TASK; i < end; i++)
        DT_TRY(load_sample(l, s, i, thread, err));
    return DT_OK;
}

static void run_task(void *arg, int64_t task, int thread)
{
    dt_loader *l = arg;
    l->failed[task] = load_task(l, task, thread, NULL) != DT_OK;
}

static void set_order(dt_loader *l, int64_t epoch)
{
    if (!l->order || l->order_epoch == epoch) return;
    for (int64_t i = 0; i < l->samples; i++)
        l->order[i] = l->base ? l->base[i] : (uint32_t)i;
    dt_order_shuffle(l->p.seed, (uint32_t)epoch, l->samples, l->order);
    l->order_epoch = epoch;
}

/* Fills the slot; runs in the worker. */
static void fill(void *arg)
{
    dt_loader *l = arg;
    slot *s = &l->slots[l->filling];
    set_order(l, s->epoch);
    int64_t left = l->samples - s->index * l->p.batch;
    s->valid = left < l->p.batch ? left : l->p.batch;
    s->err.status = DT_OK;
    int64_t tasks = (s->valid + TASK - 1) / TASK;
    dt_parallel(l->p.threads, tasks, run_task, l);
    /* The first failing task runs again for its text, so the error does not depend on threads. */
    for (int64_t t = 0; t < tasks && s->err.status == DT_OK; t++)
        if (l->failed[t]) s->err.status = load_task(l, t, 0, &s->err);
    if (s->valid == l->p.batch) return;
    size_t rest = (size_t)(l->p.batch - s->valid);
    memset(s->x + (size_t)s->valid * l->sample_size, 0, rest * l->sample_size * sizeof *s->x);
    memset(s->labels + s->valid, 0, rest * sizeof *s->labels);
}

static void start(dt_loader *l, int64_t epoch, int64_t index)
{
    slot *s = &l->slots[l->filling];
    s->epoch = epoch;
    s->index = index;
    dt_worker_start(l->worker, fill, l);
}

/* Index of samples that the split has, and the counts. */
static dt_status plan_split(dt_loader *l, dt_error *err)
{
    dt_loader_params *p = &l->p;
    int64_t n = dt_data_count(p->data, DT_SPLIT_TRAIN);
    const dt_where val = { .key = "data.val" }, batch = { .key = "data.batch" };
    if (p->val < 0 || p->val >= n)
        return dt_fail(err, DT_ERR_RANGE, &val, "%lld is outside 0..%lld of the training samples",
                       (long long)p->val, (long long)n - 1);
    if (p->split == DT_SPLIT_VAL && p->val == 0)
        return dt_fail(err, DT_ERR_RANGE, &val, "0 leaves the validation split empty");
    l->samples = p->split == DT_SPLIT_TEST  ? dt_data_count(p->data, DT_SPLIT_TEST)
                 : p->split == DT_SPLIT_VAL ? p->val
                                            : n - p->val;
    if (p->batch < 1 || p->batch > MAX_BATCH)
        return dt_fail(err, DT_ERR_RANGE, &batch, "%lld is outside 1..%d", (long long)p->batch,
                       MAX_BATCH);
    if (p->split == DT_SPLIT_TRAIN && p->batch > l->samples)
        return dt_fail(err, DT_ERR_RANGE, &batch, "%lld is more than the %lld training samples",
                       (long long)p->batch, (long long)l->samples);
    l->batches =
        p->split == DT_SPLIT_TRAIN ? l->samples / p->batch : (l->samples + p->batch - 1) / p->batch;
    return DT_OK;
}

static dt_status no_memory(dt_error *err)
{
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the loader's batches");
}

static dt_status make_index(dt_loader *l, dt_error *err)
{
    const dt_loader_params *p = &l->p;
    if (p->split == DT_SPLIT_TRAIN) {
        l->order = dt_get_array(p->alloc, (size_t)l->samples, sizeof *l->order, "loader");
        if (!l->order) return no_memory(err);
    }
    if (p->split == DT_SPLIT_TEST || p->val == 0) return DT_OK;
    int64_t n = dt_data_count(p->data, DT_SPLIT_TRAIN);
    uint32_t *all = dt_get_array(p->alloc, (size_t)n, sizeof *all, "loader");
    l->base = dt_get_array(p->alloc, (size_t)l->samples, sizeof *l->base, "loader");
    if (!all || !l->base) {
        dt_put(p->alloc, all);
        return no_memory(err);
    }
    dt_order_split(p->seed, n, p->val, all);
    memcpy(l->base, p->split == DT_SPLIT_VAL ? all + n - p->val : all,
           (size_t)l->samples * sizeof *all);
    dt_put(p->alloc, all);
    return DT_OK;
}

static dt_status make_buffers(dt_loader *l, dt_error *err)
{
    const dt_loader_params *p = &l->p;
    size_t batch_size, scratch_size;
    l->sample_size = (size_t)(l->info.H * l->info.W * DT_DATA_CHANNELS); /* sides are limited */
    if (!dt_size_mul(l->sample_size, (size_t)p->batch, &batch_size) ||
        !dt_size_mul(l->sample_size, 2 * (size_t)p->threads, &scratch_size))
        return no_memory(err);
    for (int i = 0; i < 2; i++) {
        l->slots[i].x = dt_get_array(p->alloc, batch_size, sizeof(float), "loader");
        l->slots[i].labels = dt_get_array(p->alloc, (size_t)p->batch, sizeof(int32_t), "loader");
        if (!l->slots[i].x || !l->slots[i].labels) return no_memory(err);
    }
    l->scratch = dt_get(p->alloc, scratch_size, "loader");
    return l->scratch ? DT_OK : no_memory(err);
}

static dt_status set_up(dt_loader *l, dt_error *err)
{
    DT_TRY(plan_split(l, err));
    if (l->p.split != DT_SPLIT_TRAIN) l->p.step_count = 0;
    DT_TRY(dt_transform_check(l->p.steps, l->p.step_count, l->info.H, l->info.W, err));
    for (int i = 0; i < l->p.step_count; i++)
        l->steps[i] = l->p.steps[i];
    l->p.steps = l->steps;
    dt_normalize_fill(l->p.normalize ? l->p.normalize : &dt_normalizes[0], &l->table);
    DT_TRY(make_index(l, err));
    DT_TRY(make_buffers(l, err));
    l->order_epoch = -1;
    l->worker = dt_worker_new();
    if (!l->worker) return dt_fail(err, DT_ERR_NOMEM, NULL, "no thread for the loader");
    start(l, 0, 0);
    return DT_OK;
}

dt_status dt_loader_open(const dt_loader_params *params, dt_loader **out_loader, dt_error *err)
{
    if (!params || !params->data || !out_loader || params->threads < 0 ||
        params->threads > DT_MAX_THREADS || params->split < DT_SPLIT_TRAIN ||
        params->split > DT_SPLIT_VAL)
        return dt_fail(err, DT_ERR_ARG, NULL, "dt_loader_open: bad argument");
    dt_loader *l = dt_get(params->alloc, sizeof *l, "loader");
    if (!l) return no_memory(err);
    l->p = *params;
    if (l->p.threads == 0) l->p.threads = 1;
    l->info = *dt_data_info_of(params->data);
    dt_status st = set_up(l, err);
    if (st != DT_OK) {
        dt_loader_close(l);
        return st;
    }
    *out_loader = l;
    return DT_OK;
}

int64_t dt_loader_batches(const dt_loader *loader)
{
    return loader->batches;
}

int64_t dt_loader_samples(const dt_loader *loader)
{
    return loader->samples;
}

dt_status dt_loader_next(dt_loader *l, dt_batch *out_batch, dt_error *err)
{
    dt_worker_wait(l->worker);
    slot *s = &l->slots[l->filling];
    if (s->err.status != DT_OK) {
        dt_status st = s->err.status;
        if (err) *err = s->err;
        start(l, s->epoch, s->index);
        return st;
    }
    *out_batch = (dt_batch){
        .x = s->x, .labels = s->labels, .valid = s->valid, .epoch = s->epoch, .index = s->index
    };
    l->filling = 1 - l->filling;
    bool last = s->index + 1 == l->batches;
    start(l, last ? s->epoch + 1 : s->epoch, last ? 0 : s->index + 1);
    return DT_OK;
}

dt_status dt_loader_seek(dt_loader *l, int64_t epoch, int64_t batch, dt_error *err)
{
    if (epoch < 0 || epoch >= UINT32_MAX || batch < 0 || batch >= l->batches)
        return dt_fail(err, DT_ERR_RANGE, NULL, "epoch %lld, batch %lld is outside 0..%lld batches",
                       (long long)epoch, (long long)batch, (long long)l->batches - 1);
    dt_worker_wait(l->worker);
    slot *s = &l->slots[l->filling];
    if (s->epoch == epoch && s->index == batch && s->err.status == DT_OK) return DT_OK;
    start(l, epoch, batch);
    return DT_OK;
}

void dt_loader_close(dt_loader *l)
{
    if (!l) return;
    const dt_alloc *a = l->p.alloc;
    dt_worker_free(l->worker); /* first: it writes into the buffers */
    for (int i = 0; i < 2; i++) {
        dt_put(a, l->slots[i].x);
        dt_put(a, l->slots[i].labels);
    }
    dt_put(a, l->base);
    dt_put(a, l->order);
    dt_put(a, l->scratch);
    dt_put(a, l);
}
