/* Double-buffered loader. The slot being filled belongs to the worker from dt_worker_start to
 * dt_worker_wait, and to the caller's thread otherwise. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/loader.h"

#include <string.h>

#include "core/thread.h"
#include "data/order.h"

enum {
    MAX_TASK = 16,      /* samples of a task, when a sample is only copied */
    SHORT_TASK = 50000, /* elements; a task holds more only when it is a single sample */
    MAX_BATCH = 8192,
    STAND_INS = 16, /* samples tried in place of a broken one */
};

typedef struct slot {
    float *x;        /* [N,H,W,3], or of arrays [N,...] */
    int32_t *labels; /* [N] */
    float *targets;  /* [N,classes] of steps that mix, [N,K] flags or numbers; else NULL */
    int64_t epoch, index, valid, skipped;
    dt_error err, first_broken;
} slot;

/* How loading a sample went: 0, samples that were passed over for it, or FAILED. */
enum { FAILED = 255 };

struct dt_loader {
    dt_loader_params p;
    dt_data_info info;
    dt_extent size; /* of pictures in batches */
    int64_t samples, batches, task;
    size_t sample_size; /* elements of a picture */
    size_t answer_size; /* bytes */
    bool mixes;
    float *array_scale; /* means, then deviations of an array's channels; NULL: as they are */
    dt_normalize_table table;
    dt_transform_step steps[DT_TRANSFORM_MAX];
    dt_worker *worker;
    slot slots[2];
    int filling;         /* slot of the next batch */
    uint32_t *base;      /* [samples] of the split, ascending; NULL: 0, 1, 2, ... */
    uint32_t *order;     /* [samples] of `order_epoch`; TRAIN only */
    int64_t order_epoch; /* -1: none yet */
    dt_sample *thread;   /* [threads]: what each works on */
    dt_mix mix;          /* of the batch under way */
    int64_t skipped;     /* in the batches given so far */
    dt_error first_broken;
    uint8_t result[MAX_BATCH]; /* by sample of the batch */
};

static int64_t sample_at(const dt_loader *l, int64_t position)
{
    if (l->order) return l->order[position];
    return l->base ? l->base[position] : position;
}

static void *answer_at(const dt_loader *l, slot *s, int64_t i)
{
    return l->info.answer == DT_ANSWER_LABEL ? (void *)&s->labels[i]
                                             : s->targets + i * l->info.answers;
}

/* An array's values less their channel's mean, divided by its deviation. */
static void normalize_array(const dt_loader *l, float *x)
{
    const dt_shape *shape = &l->info.input;
    size_t C = (size_t)shape->dim[shape->rank - 1];
    for (size_t i = 0; l->array_scale && i < l->sample_size; i++)
        x[i] = (x[i] - l->array_scale[i % C]) / l->array_scale[C + i % C];
}

static dt_status load_array(dt_loader *l, slot *s, dt_split stored, int64_t sample, int64_t i,
                            float *x, dt_sample *at, dt_error *err)
{
    void *answer = answer_at(l, s, i);
    DT_TRY(dt_data_take(l->p.data, stored, sample, &at->file, x, answer, err));
    normalize_array(l, x);
    if (l->info.answers_itself) memcpy(answer, x, l->answer_size);
    return DT_OK;
}

/* Sample at a position of the epoch's order, as sample i of the batch. */
static dt_status load_position(dt_loader *l, slot *s, int64_t position, int64_t i, dt_sample *at,
                               dt_error *err)
{
    const dt_loader_params *p = &l->p;
    int64_t sample = sample_at(l, position);
    dt_split stored = p->split == DT_SPLIT_TEST ? DT_SPLIT_TEST : DT_SPLIT_TRAIN;
    float *x = s->x + l->sample_size * (size_t)i;
    dt_rng rng;
    if (l->info.input.rank) return load_array(l, s, stored, sample, i, x, at, err);
    DT_TRY(dt_data_read(p->data, stored, sample, at, err));
    dt_rng_open(&rng, p->seed, DT_RNG_AUGMENT, (uint32_t)s->epoch, (uint64_t)sample);
    DT_TRY(dt_transform_apply(p->steps, p->step_count, &rng, at, err));
    dt_normalize_apply(&l->table, l->size.H * l->size.W, at->picture.rgb.data, x);
    dt_transform_change(p->steps, p->step_count, &rng, l->size, x);
    s->labels[i] = at->label;
    dt_sample_trim(at, DT_LOADER_KEEP);
    return DT_OK;
}

/* Which failures mean a broken picture; the others end the run in any case. */
static bool is_broken(dt_status st)
{
    return st == DT_ERR_FORMAT || st == DT_ERR_IO || st == DT_ERR_NOT_FOUND || st == DT_ERR_SHAPE;
}

/* Sample i of the batch, or in training the next one that can be read. With `err` it tells why the
 * first failed. */
static int load_sample(dt_loader *l, slot *s, int64_t i, int thread, dt_error *err)
{
    const dt_loader_params *p = &l->p;
    int64_t position = s->index * p->batch + i;
    int tries = p->skip_broken && p->split == DT_SPLIT_TRAIN ? STAND_INS : 1;
    for (int k = 0; k < tries; k++) {
        dt_status st = load_position(l, s, (position + k) % l->samples, i, &l->thread[thread],
                                     k == 0 ? err : NULL);
        if (st == DT_OK) return k;
        if (!is_broken(st)) break;
    }
    return FAILED;
}

static void run_task(void *arg, int64_t task, int thread)
{
    dt_loader *l = arg;
    slot *s = &l->slots[l->filling];
    int64_t end = (task + 1) * l->task < s->valid ? (task + 1) * l->task : s->valid;
    for (int64_t i = task * l->task; i < end; i++)
        l->result[i] = (uint8_t)load_sample(l, s, i, thread, NULL);
}

/* Samples that failed in TEST and VAL: the others move up. */
static void close_gaps(dt_loader *l, slot *s)
{
    int64_t to = 0;
    for (int64_t i = 0; i < s->valid; i++) {
        if (l->result[i] == FAILED) continue;
        if (to != i) {
            memcpy(s->x + (size_t)to * l->sample_size, s->x + (size_t)i * l->sample_size,
                   l->sample_size * sizeof *s->x);
            memcpy(answer_at(l, s, to), answer_at(l, s, i), l->answer_size);
        }
        to++;
    }
    s->valid = to;
}

/* Counts what failed. The first such sample is loaded again for its text, so that errors do not
 * depend on threads. */
static void look_at_results(dt_loader *l, slot *s)
{
    bool gaps = l->p.skip_broken && l->p.split != DT_SPLIT_TRAIN;
    s->skipped = 0;
    s->err.status = s->first_broken.status = DT_OK;
    for (int64_t i = 0; i < s->valid && s->err.status == DT_OK; i++) {
        if (l->result[i] == 0) continue;
        dt_error why = { 0 };
        bool first = s->skipped == 0, lost = l->result[i] == FAILED;
        s->skipped += lost ? 1 : l->result[i];
        if (lost || first) load_sample(l, s, i, 0, &why);
        if (lost && !(gaps && is_broken(why.status)))
            s->err = why;
        else if (first)
            s->first_broken = why;
    }
    if (s->skipped && gaps && s->err.status == DT_OK) close_gaps(l, s);
}

/* Soft targets of the pair of samples i and N-1-i, before the pictures are mixed. */
static void set_targets(const dt_loader *l, slot *s, int64_t i, bool mixed)
{
    int64_t j = l->p.batch - 1 - i, K = l->p.classes;
    float own = mixed ? l->mix.label : 1;
    memset(s->targets + i * K, 0, (size_t)K * sizeof *s->targets);
    s->targets[i * K + s->labels[i]] += own;
    s->targets[i * K + s->labels[j]] += 1 - own;
}

/* Mixes samples i and N-1-i into each other, inside the box. */
static void mix_pair(void *arg, int64_t i, int thread)
{
    const dt_loader *l = arg;
    const slot *s = &l->slots[l->filling];
    const dt_mix *m = &l->mix;
    float *a = s->x + (size_t)i * l->sample_size,
          *b = s->x + (size_t)(l->p.batch - 1 - i) * l->sample_size;
    (void)thread;
    for (int64_t y = m->y0; y < m->y1; y++)
        for (int64_t k = 3 * (y * l->size.W + m->x0); k < 3 * (y * l->size.W + m->x1); k++) {
            float u = a[k], v = b[k];
            a[k] = m->own * u + (1 - m->own) * v;
            b[k] = m->own * v + (1 - m->own) * u;
        }
}

static void mix_batch(dt_loader *l, slot *s)
{
    dt_rng rng;
    dt_rng_open(&rng, l->p.seed, DT_RNG_MIX, (uint32_t)s->epoch, (uint64_t)s->index);
    bool mixed = dt_transform_mix(l->p.steps, l->p.step_count, &rng, l->size, &l->mix);
    for (int64_t i = 0; i < l->p.batch; i++)
        set_targets(l, s, i, mixed);
    if (mixed) dt_parallel(l->p.threads, l->p.batch / 2, mix_pair, l);
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
    dt_parallel(l->p.threads, (s->valid + l->task - 1) / l->task, run_task, l);
    look_at_results(l, s);
    if (s->err.status == DT_OK && l->mixes) mix_batch(l, s);
    if (s->valid == l->p.batch) return;
    size_t rest = (size_t)(l->p.batch - s->valid);
    memset(s->x + (size_t)s->valid * l->sample_size, 0, rest * l->sample_size * sizeof *s->x);
    memset(answer_at(l, s, s->valid), 0, rest * l->answer_size);
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
    const dt_where val = { .key = "data.val" },
                   batch = { .key = p->split == DT_SPLIT_TRAIN ? "data.batch" : "eval.batch" };
    if (dt_data_count(p->data, p->split == DT_SPLIT_TEST ? DT_SPLIT_TEST : DT_SPLIT_TRAIN) == 0)
        return dt_fail(err, DT_ERR_ARG, NULL, "the set was opened without the split that is read");
    if (p->split != DT_SPLIT_TEST && (p->val < 0 || p->val >= n))
        return dt_fail(err, DT_ERR_RANGE, &val, "%lld is outside 0..%lld of the training samples",
                       (long long)p->val, (long long)n - 1);
    if (p->split == DT_SPLIT_VAL && p->val == 0)
        return dt_fail(err, DT_ERR_RANGE, &val, "0 leaves the validation split empty");
    l->samples = p->split == DT_SPLIT_TEST  ? dt_data_count(p->data, DT_SPLIT_TEST)
                 : p->split == DT_SPLIT_VAL ? p->val
                                            : n - p->val;
    if (p->split == DT_SPLIT_TEST && p->most > 0 && p->most < l->samples) l->samples = p->most;
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

/* Some of the test samples, which are often sorted by class. */
static dt_status spread(dt_loader *l, dt_error *err)
{
    int64_t all = dt_data_count(l->p.data, DT_SPLIT_TEST);
    if (l->samples == all) return DT_OK;
    l->base = dt_get_array(l->p.alloc, (size_t)l->samples, sizeof *l->base, "loader");
    if (!l->base) return no_memory(err);
    for (int64_t i = 0; i < l->samples; i++)
        l->base[i] = (uint32_t)(i * all / l->samples);
    return DT_OK;
}

static dt_status make_index(dt_loader *l, dt_error *err)
{
    const dt_loader_params *p = &l->p;
    if (p->split == DT_SPLIT_TRAIN) {
        l->order = dt_get_array(p->alloc, (size_t)l->samples, sizeof *l->order, "loader");
        if (!l->order) return no_memory(err);
    }
    if (p->split == DT_SPLIT_TEST) return spread(l, err);
    if (p->val == 0) return DT_OK;
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
    size_t batch_size, targets_size;
    bool label = l->info.answer == DT_ANSWER_LABEL;
    l->mixes = dt_transform_has_mix(p->steps, p->step_count);
    l->answer_size = label ? sizeof(int32_t) : (size_t)l->info.answers * sizeof(float);
    if (!dt_size_mul(l->sample_size, (size_t)p->batch, &batch_size) ||
        !dt_size_mul((size_t)(label ? p->classes : l->info.answers), (size_t)p->batch,
                     &targets_size))
        return no_memory(err);
    bool soft = l->mixes || !label;
    for (int i = 0; i < 2; i++) {
        slot *s = &l->slots[i];
        s->x = dt_get_array(p->alloc, batch_size, sizeof *s->x, "loader");
        s->labels = dt_get_array(p->alloc, (size_t)p->batch, sizeof *s->labels, "loader");
        if (soft) s->targets = dt_get_array(p->alloc, targets_size, sizeof *s->targets, "loader");
        if (!s->x || !s->labels || (soft && !s->targets)) return no_memory(err);
    }
    l->thread = dt_get_array(p->alloc, (size_t)p->threads, sizeof *l->thread, "loader");
    if (!l->thread) return no_memory(err);
    for (int i = 0; i < p->threads; i++)
        dt_sample_init(&l->thread[i], p->alloc);
    for (int i = 0; i < p->threads && l->info.H; i++) { /* no step changes the size by much */
        DT_TRY(dt_picture_shape(&l->thread[i].picture, l->info.H, l->info.W, err));
        DT_TRY(dt_picture_shape(&l->thread[i].spare, l->info.H, l->info.W, err));
    }
    return DT_OK;
}

/* Means and deviations of an array's channels. */
static dt_status plan_scale(dt_loader *l, dt_error *err)
{
    const dt_opt_floats *const of[] = { l->p.mean, l->p.std };
    const dt_shape *shape = &l->info.input;
    int64_t C = shape->dim[shape->rank - 1];
    if (!(of[0] && of[0]->count) && !(of[1] && of[1]->count)) return DT_OK;
    if (l->info.input_nonneg && of[0] && of[0]->count)
        return dt_fail(err, DT_ERR_RANGE, &(dt_where){ .key = "data.nonneg" },
                       "does not hold for values less data.normalize.mean");
    l->array_scale = dt_get_array(l->p.alloc, 2 * (size_t)C, sizeof *l->array_scale, "loader");
    if (!l->array_scale) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the loader");
    for (int k = 0; k < 2; k++) {
        int count = of[k] ? of[k]->count : 0;
        if (count > 1 && count != C)
            return dt_fail(err, DT_ERR_RANGE,
                           &(dt_where){ .key = k ? "data.normalize.std" : "data.normalize.mean" },
                           "has %d numbers; one, or one for each of the %lld channels", count,
                           (long long)C);
        for (int64_t c = 0; c < C; c++)
            l->array_scale[k * C + c] = count ? (float)of[k]->value[count > 1 ? c : 0] : (float)k;
    }
    return DT_OK;
}

/* Arrays have no transforms. */
static dt_status plan_arrays(dt_loader *l, dt_error *err)
{
    if (l->p.step_count)
        return dt_fail(err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = l->p.steps[0].row->row.name },
                       "is for pictures; the samples are arrays");
    l->sample_size = (size_t)dt_shape_count(&l->info.input);
    return plan_scale(l, err);
}

static dt_status plan_pictures(dt_loader *l, dt_error *err)
{
    l->size = (dt_extent){ l->info.H, l->info.W };
    DT_TRY(dt_transform_check(l->p.steps, l->p.step_count, l->p.split != DT_SPLIT_TRAIN, &l->size,
                              err));
    DT_TRY(dt_transform_need_size("a batch", &l->size, err));
    for (int i = 0; i < l->p.step_count; i++)
        l->steps[i] = l->p.steps[i];
    l->p.steps = l->steps;
    l->sample_size = (size_t)(l->size.H * l->size.W * DT_DATA_CHANNELS); /* sides are limited */
    return DT_OK;
}

static dt_status plan_steps(dt_loader *l, dt_error *err)
{
    DT_TRY(l->info.input.rank ? plan_arrays(l, err) : plan_pictures(l, err));
    if (l->p.classes == 0) l->p.classes = l->info.classes;
    /* The worker's tasks are short, so that a step's threads do not wait long for a processor. */
    int64_t fit = SHORT_TASK / (int64_t)l->sample_size;
    l->task = l->info.coded || fit < 1 ? 1 : fit > MAX_TASK ? MAX_TASK : fit;
    return DT_OK;
}

static dt_status set_up(dt_loader *l, dt_error *err)
{
    DT_TRY(plan_split(l, err));
    DT_TRY(plan_steps(l, err));
    dt_normalize_fill(l->p.normalize ? l->p.normalize : &dt_normalizes[0], &l->table);
    DT_TRY(make_index(l, err));
    DT_TRY(make_buffers(l, err));
    l->order_epoch = -1;
    l->worker = dt_worker_new();
    if (!l->worker) return dt_fail(err, DT_ERR_NOMEM, NULL, "no thread for the loader");
    start(l, 0, l->p.first < l->batches ? l->p.first : 0);
    return DT_OK;
}

dt_status dt_loader_open(const dt_loader_params *params, dt_loader **out_loader, dt_error *err)
{
    if (!params || !params->data || !out_loader || params->threads < 0 ||
        params->threads > DT_MAX_THREADS || params->split < DT_SPLIT_TRAIN ||
        params->split > DT_SPLIT_VAL || params->first < 0 || params->count < 0 || params->of < 0 ||
        (params->of && params->first + params->count > params->of) ||
        (params->classes && params->classes < dt_data_info_of(params->data)->classes))
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

dt_extent dt_loader_extent(const dt_loader *loader)
{
    return loader->size;
}

int64_t dt_loader_skipped(const dt_loader *loader, const char **out_first)
{
    if (out_first) *out_first = loader->skipped ? loader->first_broken.text : "";
    return loader->skipped;
}

int64_t dt_loader_index(const dt_loader *loader, int64_t i)
{
    return loader->base ? loader->base[i] : i;
}

int64_t dt_loader_samples(const dt_loader *loader)
{
    return loader->samples;
}

/* The batch of ours behind that of slot s. */
static void start_next(dt_loader *l, const slot *s)
{
    const dt_loader_params *p = &l->p;
    int64_t next = s->index + 1, group = p->of ? s->index / p->of : 0;
    if (p->of && next >= group * p->of + p->first + p->count) next = ++group * p->of + p->first;
    bool is_over = p->of ? (group + 1) * p->of > l->batches : next == l->batches;
    start(l, is_over ? s->epoch + 1 : s->epoch, is_over ? p->first : next);
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
    if (s->skipped && !l->skipped) l->first_broken = s->first_broken;
    l->skipped += s->skipped;
    *out_batch = (dt_batch){ .x = s->x,
                             .labels = s->labels,
                             .targets = s->targets,
                             .answer = l->info.answer,
                             .valid = s->valid,
                             .skipped = s->skipped,
                             .epoch = s->epoch,
                             .index = s->index };
    l->filling = 1 - l->filling;
    start_next(l, s);
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
        dt_put(a, l->slots[i].targets);
    }
    for (int i = 0; l->thread && i < l->p.threads; i++)
        dt_sample_fini(&l->thread[i]);
    dt_put(a, l->array_scale);
    dt_put(a, l->base);
    dt_put(a, l->order);
    dt_put(a, l->thread);
    dt_put(a, l);
}
