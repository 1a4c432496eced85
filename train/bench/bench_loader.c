/* Timing of the loader: a recipe's training batches, without a network. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <sys/resource.h>

#include "train/bench/bench.h"
#include "train/bench/bench_peak.h"
#include "train/net/budget.h"

enum { WARM_UP = 2, BATCHES = 20 };

static dt_status time_batches(dt_loader *loader, int batches, double *ms, dt_error *err)
{
    dt_batch batch;
    for (int i = 0; i < WARM_UP; i++)
        DT_TRY(dt_loader_next(loader, &batch, err));
    for (int i = 0; i < batches; i++) {
        double start = dt_bench_now();
        DT_TRY(dt_loader_next(loader, &batch, err));
        ms[i] = 1e3 * (dt_bench_now() - start);
    }
    return DT_OK;
}

/* An array's samples are as large as the first one, which its input tells. */
static dt_status check_memory(const dt_session *s, const dt_memory_limit *limit, dt_error *err)
{
    dt_net_input input;
    DT_TRY(dt_session_input(s, &input, err));
    size_t bytes = dt_budget_loader_bytes(&input, s->recipe->model.classes, s->data_conf->batch);
    return dt_budget_check_bytes(bytes, limit, "data.batch", "a smaller one needs less", err);
}

static dt_status bench(dt_session *s, const dt_memory_limit *limit, int batches, double *ms,
                       dt_bench_loader_result *out, dt_error *err)
{
    struct rusage usage;
    dt_loader *loader;
    s->memory = *limit;
    DT_TRY(dt_session_open_data(s, DT_NEED_TRAIN, err));
    DT_TRY(check_memory(s, limit, err));
    DT_TRY(dt_session_loader(s, DT_SPLIT_TRAIN, s->data_conf->batch, &loader, err));
    dt_status st = time_batches(loader, batches, ms, err);
    double sum = 0;
    for (int i = 0; i < batches; i++)
        sum += ms[i];
    getrusage(RUSAGE_SELF, &usage);
    *out = (dt_bench_loader_result){ .batch = s->data_conf->batch,
                                     .H = dt_loader_extent(loader).H,
                                     .W = dt_loader_extent(loader).W,
                                     .threads = s->threads,
                                     .batches = batches,
                                     .ms = sum / batches,
                                     .images_per_s = 1e3 * s->data_conf->batch * batches / sum,
                                     .peak_mb = (double)usage.ru_maxrss * 1024 / 1e6,
                                     .skipped = dt_loader_skipped(loader, NULL) };
    dt_loader_close(loader);
    return st;
}

dt_status dt_bench_loader(const dt_bench_params *p, dt_bench_loader_result *out, dt_error *err)
{
    int batches = p->steps > 0 ? p->steps : BATCHES;
    dt_session s;
    DT_TRY(dt_session_start(&s, p->recipe, p->threads, p->alloc, err));
    double *ms = dt_get_array(p->alloc, (size_t)batches, sizeof *ms, "bench");
    dt_status st = ms ? bench(&s, &p->memory, batches, ms, out, err)
                      : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the times");
    dt_put(p->alloc, ms);
    dt_session_close(&s);
    return st;
}
