/* Timing of training steps. Batches come from the loader, over random pictures. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "core/thread.h"
#include "data/loader.h"
#include "dynamics/dynamics.h"
#include "train/bench/bench_data.h"
#include "train/bench/bench_peak.h"
#include "train/net/budget.h"
#include "train/net/net.h"
#include "train/run/optim_state.h"

enum { LATE_STEP = 500000 }; /* steps */
enum { STEPS = 20, WARM_UP = 3, PROFILE = 5, SIDE = 32 };

typedef struct bench {
    const dt_bench_params *p;
    dt_kernels kernels;
    dt_net net;
    dt_optim_state optim;
    dt_dynamics dynamics;
    dt_plan plan;
    dt_exec exec;
    int64_t batch, side, step;
    int threads, steps;
    double lr;
    dt_data *data;
    dt_loader *loader;
    double *ms, *update_ms; /* [steps] */
    double *op_seconds;     /* [2 * nodes] */
    double waited;          /* ms of the timed steps */
    double base;            /* MB of the process at the start */
    double resident, arena; /* MB: of the process before the arena, and its growth */
} bench;

/* Memory of the process now; 0 where the system does not tell. */
static double resident_mb(void)
{
    return (double)dt_memory_resident() / 1e6;
}

/* Else an arena in memory that was freed before, as of a calibration, would not be seen to grow. */
static void give_free_pages_back(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

static int list_steps(const bench *b, dt_transform_step steps[DT_TRANSFORM_MAX])
{
    const dt_recipe_data *d = &b->p->recipe->data;
    int count = d->train_count < DT_TRANSFORM_MAX ? (int)d->train_count : DT_TRANSFORM_MAX;
    for (int i = 0; i < count; i++)
        steps[i] = (dt_transform_step){ (const dt_transform *)(const void *)d->train[i].row,
                                        d->train[i].conf };
    return count;
}

/* What the recipe's transforms make of pictures of `side`: the network's input. */
static dt_status input_extent(const bench *b, dt_extent *out, dt_error *err)
{
    dt_transform_step steps[DT_TRANSFORM_MAX];
    *out = (dt_extent){ b->side, b->side };
    return dt_transform_check(steps, list_steps(b, steps), false, out, err);
}

static dt_status open_loader(bench *b, dt_error *err)
{
    const dt_recipe_data *d = &b->p->recipe->data;
    const dt_bench_data_conf conf = { b->side, b->net.classes };
    const dt_data_params data = { .conf = &conf, .alloc = b->p->alloc };
    dt_transform_step steps[DT_TRANSFORM_MAX];
    int count = list_steps(b, steps);
    const dt_normalize *normalize;
    dt_normalize own;
    DT_TRY(dt_normalize_of(d->common, &own, &normalize, err));
    DT_TRY(dt_data_open(&dt_bench_data, &data, &b->data, err));
    const dt_loader_params p = { .data = b->data,
                                 .split = DT_SPLIT_TRAIN,
                                 .batch = b->batch,
                                 .normalize = normalize,
                                 .steps = steps,
                                 .step_count = count,
                                 .threads = 1,
                                 .alloc = b->p->alloc };
    return dt_loader_open(&p, &b->loader, err);
}

static dt_status get_arrays(bench *b, dt_error *err)
{
    size_t nodes = (size_t)b->net.graph.node_count, steps = (size_t)b->steps;
    b->ms = dt_get_array(b->p->alloc, steps, sizeof *b->ms, "bench");
    b->update_ms = dt_get_array(b->p->alloc, steps, sizeof *b->ms, "bench");
    b->op_seconds = dt_get_array(b->p->alloc, 2 * nodes, sizeof(double), "bench");
    if (b->ms && b->update_ms && b->op_seconds) return DT_OK;
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for %d steps", b->steps);
}

static dt_status calibrate(bench *b, dt_error *err)
{
    dt_batch batch;
    if (!dt_net_is_quantized(&b->net)) return DT_OK;
    DT_TRY(dt_loader_next(b->loader, &batch, err));
    return dt_net_calibrate(&b->net, &b->kernels, b->threads, batch.x, dt_batch_answers(&batch),
                            b->batch, true, NULL, NULL, b->p->alloc, err);
}

static dt_status open_dynamics(bench *b, dt_error *err)
{
    dt_dynamics_choice choice[16];
    const dt_recipe *recipe = b->p->recipe;
    size_t count = recipe->dynamics_count < 16 ? recipe->dynamics_count : 16;
    for (size_t i = 0; i < count; i++)
        choice[i] = (dt_dynamics_choice){ recipe->dynamics[i].row, recipe->dynamics[i].conf };
    const dt_dynamics_params p = { .graph = &b->net.graph,
                                   .state = &b->net.state,
                                   .kernels = &b->kernels,
                                   .threads = b->threads,
                                   .choice = choice,
                                   .count = b->p->is_float ? 0 : (int)count,
                                   .file = recipe->name,
                                   .alloc = b->p->alloc };
    return dt_dynamics_open(&b->dynamics, &p, err);
}

static dt_status open_step(bench *b, dt_error *err)
{
    int outputs[DT_NET_WANTED];
    DT_TRY(dt_optim_state_init(&b->optim, &b->p->recipe->train, &b->net.graph, b->p->alloc, err));
    b->optim.threads = b->threads;
    return dt_plan_init(
        &b->plan,
        &(dt_plan_request){ .graph = dt_net_steps(&b->net),
                            .kernels = &b->kernels,
                            .mode = DT_MODE_TRAIN,
                            .batch = b->batch,
                            .threads = b->threads,
                            .outputs = outputs,
                            .output_count = dt_net_wanted(&b->net, DT_MODE_TRAIN, outputs) },
        b->p->alloc, err);
}

static void close_step(bench *b)
{
    dt_exec_fini(&b->exec);
    dt_plan_fini(&b->plan);
    dt_optim_state_fini(&b->optim);
    dt_dynamics_close(&b->dynamics);
    dt_net_fini(&b->net);
}

/* All that the step takes, in blank memory. */
static dt_status count_step(bench *b, const dt_net_input *input, dt_error *err)
{
    const dt_shape x = dt_net_input_shape(input);
    size_t pixels = (size_t)dt_shape_count(&x), bytes;
    if (!dt_size_mul(pixels * sizeof(float), 2 * (size_t)b->batch, &bytes)) bytes = SIZE_MAX / 2;
    void *batches = dt_get(b->p->alloc, bytes, "loader");
    dt_status st = batches ? dt_net_init(&b->net, b->p->recipe, input, true, b->p->alloc, err)
                           : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    b->net.plain = b->p->plain;
    if (st == DT_OK) st = open_dynamics(b, err);
    if (st == DT_OK) st = open_step(b, err);
    if (st == DT_OK)
        st = dt_exec_init(&b->exec, &b->plan, &b->net.state, &b->kernels, NULL, b->p->alloc, err);
    close_step(b);
    dt_put(b->p->alloc, batches);
    return st;
}

static dt_status check_memory(const bench *b, const dt_net_input *input, dt_error *err)
{
    dt_measure m;
    dt_error below = { .status = DT_OK };
    dt_bench_params p = *b->p;
    bench probe = *b;
    if (p.memory.bytes == 0) return DT_OK;
    DT_TRY(dt_measure_init(&m, err));
    p.alloc = &m.alloc;
    probe.p = &p;
    dt_status st = count_step(&probe, input, &below);
    dt_status fits = dt_budget_compare(&m, &p.memory, p.recipe, input, "data.batch", err);
    dt_measure_fini(&m);
    if (fits != DT_OK) return fits;
    if (st != DT_OK && err) *err = below;
    return st;
}

static dt_status prepare(bench *b, dt_error *err)
{
    dt_recipe *recipe = b->p->recipe;
    const dt_dataset *set = (const dt_dataset *)(const void *)recipe->data.choice.row;
    if (set->take) /* its net would be timed on other inputs */
        return dt_fail(err, DT_ERR_UNSUPPORTED, &(dt_where){ recipe->name, 0, "data.name" },
                       "samples of '%s' are arrays; steps are timed on pictures", set->row.name);
    if (b->p->is_float) recipe->quant.enabled = false;
    const dt_data_conf *data = recipe->data.common;
    const dt_normalize *normalize;
    dt_normalize own;
    float low, high;
    b->batch = data->batch;
    b->side = b->p->side > 0 ? b->p->side : SIDE;
    b->steps = b->p->steps > 0 ? b->p->steps : STEPS;
    b->threads = b->p->threads > 0 ? b->p->threads : dt_cpu_count();
    b->base = resident_mb();
    DT_TRY(dt_kernels_init(&b->kernels, b->p->isa, err));
    DT_TRY(dt_normalize_of(data, &own, &normalize, err));
    dt_normalize_range(normalize, &low, &high);
    dt_extent seen;
    DT_TRY(input_extent(b, &seen, err));
    const dt_net_input input = {
        .H = seen.H, .W = seen.W, .low = (double)low, .high = (double)high
    };
    DT_TRY(check_memory(b, &input, err));
    DT_TRY(dt_net_init(&b->net, recipe, &input, true, b->p->alloc, err));
    b->net.plain = b->p->plain;
    DT_TRY(open_loader(b, err));
    DT_TRY(get_arrays(b, err));
    DT_TRY(calibrate(b, err));
    DT_TRY(open_dynamics(b, err));
    dt_dynamics_start(&b->dynamics, &(dt_dynamics_at){ 0, STEPS, STEPS });
    DT_TRY(open_step(b, err));
    b->lr = dt_optimizer_lr(b->optim.optimizer, recipe->train.optimizer.conf);
    give_free_pages_back();
    b->resident = resident_mb();
    return dt_exec_init(&b->exec, &b->plan, &b->net.state, &b->kernels, NULL, b->p->alloc, err);
}

typedef struct step_times {
    double all, waited, update; /* ms */
} step_times;

static dt_status one_step(bench *b, step_times *t, dt_error *err)
{
    dt_batch batch;
    double start = dt_bench_now();
    DT_TRY(dt_loader_next(b->loader, &batch, err));
    double ready = dt_bench_now();
    dt_exec_set_input(&b->exec, b->net.input, batch.x);
    dt_exec_feed_answers(&b->exec, dt_batch_answers(&batch));
    dt_dynamics_forward(&b->dynamics);
    DT_TRY(dt_exec_forward(&b->exec, err));
    dt_exec_backward(&b->exec);
    double middle = dt_bench_now();
    /* In the second half of a run everything that starts late is under way. */
    const dt_dynamics_at at = { LATE_STEP + b->step, 1000, 2 * LATE_STEP };
    dt_dynamics_gradient(&b->dynamics, &at);
    dt_optim_update(&b->optim, &b->net.state, b->lr, b->step++);
    dt_dynamics_step(&b->dynamics);
    double end = dt_bench_now();
    *t = (step_times){ 1e3 * (end - start), 1e3 * (ready - start), 1e3 * (end - middle) };
    return DT_OK;
}

/* Steps in which operations are timed. */
static int profiled(const bench *b)
{
    return b->steps < PROFILE ? b->steps : PROFILE;
}

static dt_status run_steps(bench *b, dt_error *err)
{
    step_times t;
    for (int i = 0; i < WARM_UP; i++)
        DT_TRY(one_step(b, &t, err));
    for (int i = 0; i < b->steps; i++) {
        DT_TRY(one_step(b, &t, err));
        b->ms[i] = t.all;
        b->update_ms[i] = t.update;
        b->waited += t.waited;
    }
    b->arena = resident_mb() - b->resident;
    b->exec.op_seconds = b->op_seconds;
    for (int i = 0; i < profiled(b); i++)
        DT_TRY(one_step(b, &t, err));
    return DT_OK;
}

/* GFLOP of the products of a step: forward, and backward for each operand that has a gradient. */
static double step_gflop(const dt_plan *p)
{
    double macs = 0;
    for (int i = 0; i < p->graph->node_count; i++) {
        const dt_plan_node *pn = &p->node[i];
        double once = (double)dt_plan_node_macs(p, i);
        macs += once * (1 + (pn->runs_back && pn->wants[0]) + (pn->runs_back && pn->wants[1]));
    }
    return 2e-9 * macs;
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

static void add_work(dt_bench_work *sum, dt_bench_work w)
{
    sum->gflop += w.gflop;
    sum->mb += w.mb;
}

static void add_op(dt_bench_result *r, const bench *b, int node)
{
    const char *name = b->plan.graph->node[node].op->name;
    int i = 0;
    while (i < r->op_count && strcmp(r->op[i].name, name) != 0)
        i++;
    if (i == DT_BENCH_OPS) return;
    if (i == r->op_count) r->op[r->op_count++] = (dt_bench_op){ .name = name };
    r->op[i].nodes++;
    r->op[i].forward_ms += 1e3 * b->op_seconds[2 * node] / profiled(b);
    r->op[i].backward_ms += 1e3 * b->op_seconds[2 * node + 1] / profiled(b);
    add_work(&r->op[i].forward, dt_bench_forward_work(&b->plan, node));
    add_work(&r->op[i].backward, dt_bench_backward_work(&b->plan, node));
}

static void report(bench *b, dt_bench_result *r)
{
    struct rusage usage;
    double total = 0;
    for (int i = 0; i < b->steps; i++)
        total += b->ms[i];
    size_t params = b->net.state.param_count;
    size_t optimizer = params * sizeof(real) * (size_t)b->optim.optimizer->state_count;
    *r = (dt_bench_result){ .batch = b->batch,
                            .params = (int64_t)params,
                            .threads = b->threads,
                            .steps = b->steps,
                            .isa = b->kernels.isa,
                            .gflop = step_gflop(&b->plan),
                            .fma_peak = dt_bench_peak(&b->kernels, b->threads, 0),
                            .base_mb = b->base,
                            .arena_mb = (double)b->plan.arena_bytes / 1e6,
                            .arena_real_mb = b->arena,
                            .loader_share = total > 0 ? b->waited / total : 0,
                            .ms_median = sorted_median(b->ms, b->steps),
                            .update_ms = sorted_median(b->update_ms, b->steps) };
    /* Parameters and optimizer state are read and written, gradients read. */
    r->update_mb = 1e-6 * (double)(2 * optimizer + 3 * params * sizeof(real));
    r->ms_min = b->ms[0];
    r->fma_share = 1e3 * r->gflop / r->ms_median / r->fma_peak;
    r->images_per_s = r->ms_median > 0 ? 1e3 * (double)b->batch / r->ms_median : 0;
    r->planned_mb = (double)(b->plan.arena_bytes + b->net.state.bytes + optimizer) / 1e6;
    getrusage(RUSAGE_SELF, &usage);
    r->peak_mb = (double)usage.ru_maxrss * 1024 / 1e6; /* Linux counts KiB */
    for (int i = 0; i < b->plan.graph->node_count; i++)
        add_op(r, b, i);
}

dt_status dt_bench_step(const dt_bench_params *params, dt_bench_result *out, dt_error *err)
{
    bench b = { .p = params };
    dt_status st = prepare(&b, err);
    if (st == DT_OK) st = run_steps(&b, err);
    if (st == DT_OK) report(&b, out);
    if (st == DT_OK && params->profile)
        st = dt_bench_bandwidth(b.threads, params->alloc, &out->bandwidth, err);
    close_step(&b);
    dt_loader_close(b.loader);
    dt_data_close(b.data);
    dt_put(params->alloc, b.ms);
    dt_put(params->alloc, b.update_ms);
    dt_put(params->alloc, b.op_seconds);
    return st;
}
