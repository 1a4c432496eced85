/* A tiny network, timed: the numbers must belong together. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/bench/bench.h"

#include <math.h>
#include <string.h>

#include "tests/support/failalloc.h"
#include "tests/support/run.h"
#include "train/net/session.h"

static const char text[] = "model: {name: smallcnn, width: 2, classes: 10}\n"
                           "data: {name: cifar10, batch: 4}\n"
                           "quant:\n"
                           "  weights: {method: lsq, bits: 4}\n"
                           "  activations: {method: lsq, bits: 4}\n";

static dt_recipe *read_recipe(const char *override)
{
    dt_recipe *recipe;
    const dt_recipe_params p = { .tables = &dt_tables,
                                 .text = text,
                                 .overrides = &override,
                                 .override_count = override != NULL };
    ck_assert_int_eq(dt_recipe_read(&p, &recipe, NULL), DT_OK);
    return recipe;
}

static const dt_bench_op *find(const dt_bench_result *r, const char *name)
{
    for (int i = 0; i < r->op_count; i++)
        if (strcmp(r->op[i].name, name) == 0) return &r->op[i];
    return NULL;
}

START_TEST(quantized)
{
    dt_bench_result r;
    dt_recipe *recipe = read_recipe(NULL);
    const dt_bench_params p = {
        .recipe = recipe, .steps = 3, .side = 8, .threads = 1, .plain = true
    };
    ck_assert_int_eq(dt_bench_step(&p, &r, NULL), DT_OK);
    ck_assert(r.batch == 4 && r.steps == 3 && r.threads == 1);
    ck_assert(r.ms_min > 0 && r.ms_min <= r.ms_median && r.update_ms <= r.ms_median);
    ck_assert_double_eq_tol(r.images_per_s * r.ms_median, 4e3, 1e-6); /* rounding only */
    ck_assert(r.planned_mb > 0 && r.planned_mb < r.peak_mb);
    ck_assert_ptr_nonnull(find(&r, "fakequant"));
    ck_assert_int_eq(find(&r, "conv2d")->nodes, 5);
    ck_assert(find(&r, "conv2d")->forward_ms > 0 && find(&r, "conv2d")->backward_ms > 0);
    ck_assert_double_eq(r.bandwidth, 0); /* was not asked for */
    dt_recipe_free(recipe);
}
END_TEST

/* y [4,10] = x [4,8] w + b: every number moves once; back, x and w, and the gradients of all four.
 */
static void check_linear(const dt_bench_op *op)
{
    const int x = 4 * 8, w = 10 * 8, b = 10, y = 4 * 10;
    ck_assert_int_eq(op->nodes, 1);
    ck_assert_double_eq_tol(op->forward.mb, 4e-6 * (x + w + b + y), 1e-12);
    ck_assert_double_eq_tol(op->forward.gflop, 2e-9 * 4 * 10 * 8, 1e-15);
    ck_assert_double_eq_tol(op->backward.mb, 4e-6 * (x + w + y + x + w + b), 1e-12);
    ck_assert_double_eq_tol(op->backward.gflop, 2 * op->forward.gflop, 1e-15);
}

START_TEST(profiled)
{
    dt_bench_result r;
    dt_recipe *recipe = read_recipe("quant=none");
    const dt_bench_params p = {
        .recipe = recipe, .steps = 2, .side = 8, .threads = 1, .plain = true, .profile = true
    };
    double gflop = 0;
    ck_assert_int_eq(dt_bench_step(&p, &r, NULL), DT_OK);
    ck_assert(r.bandwidth > 0.05 && r.bandwidth < 10000);
    ck_assert_double_eq_tol(r.update_mb, 5 * 4e-6 * (double)r.params, 1e-9); /* momentum */
    for (int i = 0; i < r.op_count; i++)
        gflop += r.op[i].forward.gflop + r.op[i].backward.gflop;
    ck_assert_double_eq_tol(gflop, r.gflop, 1e-9 * gflop); /* the sum that is told */
    check_linear(find(&r, "linear"));
    dt_recipe_free(recipe);
}
END_TEST

START_TEST(quantization_off)
{
    dt_bench_result r;
    dt_recipe *recipe = read_recipe("quant=none");
    const dt_bench_params p = { .recipe = recipe, .steps = 2, .side = 8, .threads = 1 };
    ck_assert_int_eq(dt_bench_step(&p, &r, NULL), DT_OK);
    ck_assert_ptr_null(find(&r, "fakequant"));
    dt_recipe_free(recipe);
}
END_TEST

/* A rate that a core can have: 64 single operations a cycle are two AVX-512 units. A share of it is
 * whatever the machine's other work leaves of one measurement and the other. */
static void check_rate(double gflops, int threads)
{
    ck_assert_msg(gflops > 0.01 && gflops < 64 * 8 * threads, "%g GFLOP/s on %d threads", gflops,
                  threads);
}

/* Products of the step below, in 10^9 operations: forward, and both gradients, since the picture's
 * quantizer learns too. */
static double smallcnn_gflop(double batch, double side, double width)
{
    double macs = side * side * width * 27;            /* conv1: 3 channels */
    macs += side * side / 4 * (width * 2) * width * 9; /* conv2, which halves the picture */
    macs += side * side / 4 * (width * 2) * (width * 2) * 9;
    macs += side * side / 16 * (width * 4) * (width * 2) * 9;
    macs += side * side / 16 * (width * 4) * (width * 4) * 9;
    return 2e-9 * 3 * batch * (macs + width * 4 * 10);
}

/* A real step: what the plan says is what the process grows by; an arena of this size is always
 * fresh memory. Sanitizers add memory of their own. */
START_TEST(fused_at_full_size)
{
    dt_bench_result r;
    dt_recipe *recipe = read_recipe("model.width=32");
    const dt_bench_params p = { .recipe = recipe, .steps = 2, .side = 136, .threads = 2 };
    ck_assert_int_eq(dt_bench_step(&p, &r, NULL), DT_OK);
    ck_assert_int_eq(find(&r, "chain")->nodes, 5);
    ck_assert_int_eq(find(&r, "conv2d_codes")->nodes, 5);
    ck_assert_double_eq_tol(r.gflop, smallcnn_gflop(4, 136, 32), 1e-9);
    check_rate(r.fma_peak, 2);
    ck_assert(r.arena_mb > 33); /* glibc maps what is larger, see mallopt(3) */
    ck_assert_double_eq_tol(r.fma_share * r.fma_peak * r.ms_median, 1e3 * r.gflop, 1e-6);
    ck_assert(r.loader_share >= 0 && r.loader_share < 1);
#if !DT_ASAN
    ck_assert_msg(fabs(r.arena_real_mb / r.arena_mb - 1) < 0.05, "planned %.1f MB, real %.1f",
                  r.arena_mb, r.arena_real_mb);
#endif
    dt_recipe_free(recipe);
}
END_TEST

static void count_kernel(void *arg, const dt_bench_kernel *k)
{
    int *count = arg;
    const double macs = 2.0 * 8 * 8 * 64 * 64 * 9;      /* batch, picture, channels, kernel */
    bool codes = strcmp(k->pass, "forward codes") == 0; /* counted in integers */
    ck_assert_str_eq(k->shape, "c64_8");
    ck_assert_double_eq_tol(k->gops * k->ms, 2e-6 * macs, 1e-9);
    ck_assert_msg((k->fma_share > 0) == !codes, "%s: %g", k->pass, k->fma_share);
    if (!codes) check_rate(k->gops / k->fma_share, 1);
    ++*count;
}

START_TEST(single_kernels)
{
    int count = 0;
    dt_error err;
    dt_bench_ops_params p = {
        .batch = 2, .threads = 1, .only = "c64_8", .result = count_kernel, .arg = &count
    };
    ck_assert_int_eq(dt_bench_ops(&p, NULL), DT_OK);
    ck_assert_int_eq(count, 5);
    p.only = "c64";
    ck_assert_int_eq(dt_bench_ops(&p, &err), DT_ERR_NOT_FOUND);
}
END_TEST

START_TEST(no_memory)
{
    dt_recipe *recipe = read_recipe(NULL);
    dt_status st = DT_ERR_NOMEM;
    for (size_t at = 1; st == DT_ERR_NOMEM; at++) {
        failalloc a;
        dt_bench_result r;
        failalloc_init(&a, at);
        const dt_bench_params p = {
            .recipe = recipe, .steps = 1, .side = 4, .threads = 1, .alloc = &a.alloc
        };
        st = dt_bench_step(&p, &r, NULL);
        ck_assert(a.calls < at ? st == DT_OK : st == DT_ERR_NOMEM);
        ck_assert_uint_eq(a.live, 0);
    }
    dt_recipe_free(recipe);
}
END_TEST

START_TEST(loader_alone)
{
    dt_recipe *recipe = read_recipe("data.name=builtin");
    dt_bench_loader_result r;
    const dt_bench_params p = { .recipe = recipe, .steps = 3, .threads = 2 };
    ck_assert_int_eq(dt_bench_loader(&p, &r, NULL), DT_OK);
    ck_assert(r.batches == 3 && r.batch > 0 && r.H == 32 && r.W == 32 && r.threads == 2);
    ck_assert(r.ms > 0 && r.images_per_s > 0 && r.peak_mb > 0 && r.skipped == 0);
    dt_recipe_free(recipe);
}
END_TEST

DT_TEST_MAIN("bench", loader_alone, quantized, profiled, quantization_off, fused_at_full_size,
             single_kernels, no_memory)
