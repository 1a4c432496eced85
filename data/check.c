/* Reading every picture of a set once. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/check.h"

#include "core/thread.h"

enum { WINDOW = 64 /* pictures between two reports */ };

typedef struct result {
    int64_t H, W; /* 0: broken */
    int label;
    bool turned;
} result;

typedef struct checker {
    const dt_check_params *p;
    dt_split split;
    int64_t first;
    result results[WINDOW];
    dt_sample *thread; /* [threads] */
} checker;

static dt_status no_memory(dt_error *err)
{
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to check a dataset");
}

static void check_task(void *arg, int64_t i, int thread)
{
    checker *k = arg;
    dt_sample *s = &k->thread[thread];
    dt_sample_name name = { .label = -1 };
    bool good = dt_data_read(k->p->data, k->split, k->first + i, s, NULL) == DT_OK;
    dt_status named = good ? DT_OK : dt_data_name(k->p->data, k->split, k->first + i, &name, NULL);
    k->results[i] = (result){ .label = good ? s->label : named == DT_OK ? name.label : -1 };
    if (good) {
        k->results[i].H = s->picture.H;
        k->results[i].W = s->picture.W;
        k->results[i].turned = s->orientation != 1;
    }
    dt_sample_trim(s, 32 << 20);
}

static void widen(dt_check_range *r, int64_t v)
{
    if (r->most == 0 || v < r->least) r->least = v;
    if (v > r->most) r->most = v;
}

static void count(checker *k, dt_check_split *out, int64_t i)
{
    const result *r = &k->results[i];
    dt_error why = { 0 };
    out->count++;
    if (r->label >= 0) out->by_class[r->label]++;
    if (r->H) {
        out->turned += r->turned;
        out->pixels += (uint64_t)(r->H * r->W);
        widen(&out->height, r->H);
        widen(&out->width, r->W);
        return;
    }
    out->broken++;
    dt_status ignored = dt_data_read(k->p->data, k->split, k->first + i, &k->thread[0], &why);
    (void)ignored;
    if (k->p->broken) k->p->broken(k->p->arg, k->split, k->first + i, why.text);
}

static dt_status check_split(checker *k, int64_t before, int64_t total, dt_check_split *out,
                             dt_error *err)
{
    int64_t n = dt_data_count(k->p->data, k->split);
    for (k->first = 0; k->first < n; k->first += WINDOW) {
        int64_t here = n - k->first < WINDOW ? n - k->first : WINDOW;
        dt_parallel(k->p->threads > 0 ? k->p->threads : 1, here, check_task, k);
        for (int64_t i = 0; i < here; i++)
            count(k, out, i);
        if (k->p->progress && !k->p->progress(k->p->arg, before + k->first + here, total))
            return dt_fail(err, DT_ERR_ARG, NULL, "stopped");
    }
    return DT_OK;
}

static dt_status check_all(checker *k, dt_check_report *out, dt_error *err)
{
    int64_t train = dt_data_count(k->p->data, DT_SPLIT_TRAIN),
            test = dt_data_count(k->p->data, DT_SPLIT_TEST);
    for (int split = 0; split < DT_DATA_SPLITS; split++) {
        dt_check_split *s = &out->split[split];
        s->by_class = dt_get_array(k->p->alloc, (size_t)out->classes, sizeof *s->by_class, "check");
        if (!s->by_class) return no_memory(err);
        k->split = (dt_split)split;
        DT_TRY(check_split(k, split ? train : 0, train + test, s, err));
    }
    return DT_OK;
}

dt_status dt_check_run(const dt_check_params *p, dt_check_report *out, dt_error *err)
{
    int threads = p->threads > 0 ? p->threads : 1;
    checker *k = dt_get(p->alloc, sizeof *k, "check");
    if (!k) return no_memory(err);
    k->p = p;
    k->thread = dt_get_array(p->alloc, (size_t)threads, sizeof *k->thread, "check");
    for (int i = 0; k->thread && i < threads; i++)
        dt_sample_init(&k->thread[i], p->alloc);
    dt_check_report report = { .classes = dt_data_info_of(p->data)->classes, .alloc = p->alloc };
    dt_status st = k->thread ? check_all(k, &report, err) : no_memory(err);
    for (int i = 0; k->thread && i < threads; i++)
        dt_sample_fini(&k->thread[i]);
    dt_put(p->alloc, k->thread);
    dt_put(p->alloc, k);
    if (st == DT_OK)
        *out = report;
    else
        dt_check_fini(&report);
    return st;
}

void dt_check_fini(dt_check_report *report)
{
    for (int split = 0; split < DT_DATA_SPLITS; split++)
        dt_put(report->alloc, report->split[split].by_class);
    *report = (dt_check_report){ 0 };
}
