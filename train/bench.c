/* Timing of training steps. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/bench.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "core/rng.h"
#include "core/thread.h"
#include "data/normalize.h"
#include "train/net.h"
#include "train/optim_state.h"

enum { STEPS = 20, WARM_UP = 3, PROFILE = 5, SIDE = 32, CHANNELS = DT_DATA_CHANNELS };

typedef struct bench {
    const dt_bench_params *p;
    dt_kernels kernels;
    dt_net net;
    dt_optim_state optim;
    dt_plan plan;
    dt_exec exec;
    int64_t batch, side, step;
    int threads, steps;
    double lr;
    float *x;               /* [batch,side,side,3] */
    int32_t *labels;        /* [batch] */
    double *ms, *update_ms; /* [steps] */
    double *op_seconds;     /* [2 * nodes] */
} bench;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static dt_status make_batch(bench *b, double low, double high, dt_error *err)
{
    size_t pixels = (size_t)(b->side * b->side) * CHANNELS, n;
    bool fits = dt_size_mul((size_t)b->batch, pixels, &n);
    b->x = fits ? dt_get_array(b->p->alloc, n, sizeof *b->x, "bench") : NULL;
    b->labels = dt_get_array(b->p->alloc, (size_t)b->batch, sizeof *b->labels, "bench");
    b->ms = dt_get_array(b->p->alloc, (size_t)b->steps, sizeof *b->ms, "bench");
    b->update_ms = dt_get_array(b->p->alloc, (size_t)b->steps, sizeof *b->ms, "bench");
    b->op_seconds =
        dt_get_array(b->p->alloc, 2 * (size_t)b->net.graph.node_count, sizeof(double), "bench");
    if (!b->x || !b->labels || !b->ms || !b->update_ms || !b->op_seconds)
        return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a batch of %lld pictures",
                       (long long)b->batch);
    dt_rng rng;
    dt_rng_open(&rng, 1, DT_RNG_TEST, 0, 0);
    for (size_t i = 0; i < n; i++)
        b->x[i] = (float)(low + (high - low) * dt_rng_uniform(&rng));
    for (int64_t i = 0; i < b->batch; i++)
        b->labels[i] = (int32_t)dt_rng_below(&rng, (uint32_t)b->net.classes);
    return DT_OK;
}

static dt_status prepare(bench *b, dt_error *err)
{
    dt_recipe *recipe = b->p->recipe;
    const dt_data_conf *data = recipe->data.common;
    float low, high;
    b->batch = data->batch;
    b->side = b->p->side > 0 ? b->p->side : SIDE;
    b->steps = b->p->steps > 0 ? b->p->steps : STEPS;
    b->threads = b->p->threads > 0 ? b->p->threads : dt_cpu_count();
    DT_TRY(dt_kernels_init(&b->kernels, b->p->isa, err));
    dt_normalize_range(&dt_normalizes[data->normalize], &low, &high);
    const dt_net_input input = { b->side, b->side, (double)low, (double)high };
    DT_TRY(dt_net_init(&b->net, recipe, &input, true, b->p->alloc, err));
    b->net.plain = b->p->plain;
    DT_TRY(make_batch(b, (double)low, (double)high, err));
    if (dt_net_is_quantized(&b->net))
        DT_TRY(dt_net_calibrate(&b->net, &b->kernels, b->threads, b->x, b->labels, b->batch, true,
                                NULL, NULL, b->p->alloc, err));
    DT_TRY(dt_optim_state_init(&b->optim, &recipe->train, &b->net.graph, b->p->alloc, err));
    b->lr = dt_optimizer_lr(b->optim.optimizer, recipe->train.optimizer.conf);
    const int outputs[] = { b->net.loss, b->net.logits };
    DT_TRY(dt_plan_init(&b->plan, dt_net_steps(&b->net), &b->kernels, DT_MODE_TRAIN, b->batch,
                        b->threads, outputs, 2, b->p->alloc, err));
    DT_TRY(dt_exec_init(&b->exec, &b->plan, &b->net.state, &b->kernels, NULL, b->p->alloc, err));
    dt_exec_set_input(&b->exec, b->net.input, b->x);
    dt_exec_set_input(&b->exec, b->net.labels, b->labels);
    return DT_OK;
}

static dt_status one_step(bench *b, double *out_ms, double *out_update_ms, dt_error *err)
{
    double start = now();
    DT_TRY(dt_exec_forward(&b->exec, err));
    dt_exec_backward(&b->exec);
    double middle = now();
    dt_optim_update(&b->optim, &b->net.state, b->lr, b->step++);
    double end = now();
    *out_ms = 1e3 * (end - start);
    *out_update_ms = 1e3 * (end - middle);
    return DT_OK;
}

static dt_status run_steps(bench *b, dt_error *err)
{
    double unused[2];
    for (int i = 0; i < WARM_UP; i++)
        DT_TRY(one_step(b, &unused[0], &unused[1], err));
    for (int i = 0; i < b->steps; i++)
        DT_TRY(one_step(b, &b->ms[i], &b->update_ms[i], err));
    b->exec.op_seconds = b->op_seconds;
    for (int i = 0; i < PROFILE; i++)
        DT_TRY(one_step(b, &unused[0], &unused[1], err));
    return DT_OK;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double sorted_median(double *x, int n)
{
    qsort(x, (size_t)n, sizeof *x, ascending);
    return (x[(n - 1) / 2] + x[n / 2]) / 2;
}

static void add_op(dt_bench_result *r, const char *name, double forward, double backward)
{
    int i = 0;
    while (i < r->op_count && strcmp(r->op[i].name, name) != 0)
        i++;
    if (i == DT_BENCH_OPS) return;
    if (i == r->op_count) r->op[r->op_count++] = (dt_bench_op){ .name = name };
    r->op[i].nodes++;
    r->op[i].forward_ms += 1e3 * forward / PROFILE;
    r->op[i].backward_ms += 1e3 * backward / PROFILE;
}

static void report(bench *b, dt_bench_result *r)
{
    struct rusage usage;
    size_t params = b->net.state.param_count;
    size_t optimizer = params * sizeof(real) * (size_t)b->optim.optimizer->state_count;
    *r = (dt_bench_result){ .batch = b->batch,
                            .params = (int64_t)params,
                            .threads = b->threads,
                            .steps = b->steps,
                            .isa = b->kernels.isa,
                            .ms_median = sorted_median(b->ms, b->steps),
                            .update_ms = sorted_median(b->update_ms, b->steps) };
    r->ms_min = b->ms[0];
    r->images_per_s = r->ms_median > 0 ? 1e3 * (double)b->batch / r->ms_median : 0;
    r->planned_mb = (double)(b->plan.arena_bytes + b->net.state.bytes + optimizer) / 1e6;
    getrusage(RUSAGE_SELF, &usage);
    r->peak_mb = (double)usage.ru_maxrss * 1024 / 1e6; /* Linux counts KiB */
    for (int i = 0; i < b->plan.graph->node_count; i++)
        add_op(r, b->plan.graph->node[i].op->name, b->op_seconds[2 * i], b->op_seconds[2 * i + 1]);
}

dt_status dt_bench_step(const dt_bench_params *params, dt_bench_result *out, dt_error *err)
{
    bench b = { .p = params };
    dt_status st = prepare(&b, err);
    if (st == DT_OK) st = run_steps(&b, err);
    if (st == DT_OK) report(&b, out);
    dt_exec_fini(&b.exec);
    dt_plan_fini(&b.plan);
    dt_optim_state_fini(&b.optim);
    dt_net_fini(&b.net);
    dt_put(params->alloc, b.x);
    dt_put(params->alloc, b.labels);
    dt_put(params->alloc, b.ms);
    dt_put(params->alloc, b.update_ms);
    dt_put(params->alloc, b.op_seconds);
    return st;
}
