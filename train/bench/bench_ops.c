/* Timing of single kernels: the convolutions of ResNets and MobileNetV2. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/alloc.h"
#include "core/rng.h"
#include "core/thread.h"
#include "train/bench/bench.h"
#include "train/bench/bench_peak.h"
#include "train/net/budget.h"

typedef struct row {
    const char *name;
    int count; /* how often ResNet-20 has it; 0: not part of it */
    int64_t size, C, O, K, S, P, G;
    bool large; /* an eighth of the batch */
} row;

static const row rows[] = {
    { "stem_3_16_32", 1, 32, 3, 16, 3, 1, 1, 1 },
    { "c16_32", 6, 32, 16, 16, 3, 1, 1, 1 },
    { "c16_c32_s2", 1, 32, 16, 32, 3, 2, 1, 1 },
    { "c32_16", 5, 16, 32, 32, 3, 1, 1, 1 },
    { "c32_c64_s2", 1, 16, 32, 64, 3, 2, 1, 1 },
    { "c64_8", 5, 8, 64, 64, 3, 1, 1, 1 },
    { "pointwise_64_64_16", 0, 16, 64, 64, 1, 1, 0, 1 },
    { "projection_32_64_s2", 0, 16, 32, 64, 1, 2, 0, 1 },
    { "depthwise_64_16", 0, 16, 64, 64, 3, 1, 1, 64 },
    { "c128_16", 0, 16, 128, 128, 3, 1, 1, 1 },
    { "c256_8", 0, 8, 256, 256, 3, 1, 1, 1 },
    { "c512_7", 0, 7, 512, 512, 3, 1, 1, 1 },
    { "stem_3_64_224_n16", 0, 224, 3, 64, 7, 2, 3, 1, true }, /* ResNet-18 at 224 */
    { "c64_56_n16", 0, 56, 64, 64, 3, 1, 1, 1, true },
    { "c64_128_56_s2_n16", 0, 56, 64, 128, 3, 2, 1, 1, true },
    { "stem_3_32_224_n16", 0, 224, 3, 32, 3, 2, 1, 1, true }, /* MobileNetV2 at 224 */
    { "depthwise_96_112_s2_n16", 0, 112, 96, 96, 3, 2, 1, 96, true },
    { "depthwise_144_56_n16", 0, 56, 144, 144, 3, 1, 1, 144, true },
    { "depthwise_384_14_n16", 0, 14, 384, 384, 3, 1, 1, 384, true },
    { "depthwise_960_7_n16", 0, 7, 960, 960, 3, 1, 1, 960, true },
    { "pointwise_16_96_112_n16", 0, 112, 16, 96, 1, 1, 0, 1, true },
    { "pointwise_144_24_56_n16", 0, 56, 144, 24, 1, 1, 0, 1, true },
    { "pointwise_64_384_14_n16", 0, 14, 64, 384, 1, 1, 0, 1, true },
    { "pointwise_384_64_14_n16", 0, 14, 384, 64, 1, 1, 0, 1, true },
    { "pointwise_320_1280_7_n16", 0, 7, 320, 1280, 1, 1, 0, 1, true },
    { "pointwise_2048_512_7_n16", 0, 7, 2048, 512, 1, 1, 0, 1, true }, /* ResNet-50 */
};

/* Codes of 4 bits. */
enum { CODE_MOST = 15 };

typedef enum pass { FORWARD, DGRAD, WGRAD, FORWARD_CODES, WGRAD_CODES, PASSES } pass;
static const char *const pass_names[] = { "forward", "dgrad", "wgrad", "forward codes",
                                          "wgrad codes" };

/* Operands of one row; everything is random, codes are those of 4 bits. */
typedef struct operands {
    dt_conv_shape s;
    real *x, *w, *y, *dx, *dw;
    uint8_t *codes;
    int8_t *weights;
    int32_t *sums;
    void *workspace;
} operands;

static dt_conv_shape make_shape(const row *r, int64_t batch)
{
    int64_t out = (r->size + 2 * r->P - r->K) / r->S + 1;
    return (dt_conv_shape){ batch, r->size, r->size, r->C, r->O, r->K, r->K,
                            r->S,  r->S,    r->P,    r->P, r->G, out,  out };
}

/* Blank memory, which only counts, is left as it is. */
static real *random_reals(dt_arena *arena, bool blank, size_t count)
{
    real *a = dt_arena_get(arena, count * sizeof *a);
    dt_rng rng;
    dt_rng_open(&rng, 1, DT_RNG_TEST, 0, 0);
    for (size_t i = 0; a && !blank && i < count; i++)
        a[i] = (real)dt_rng_uniform(&rng) - (real)0.5;
    return a;
}

static uint8_t *random_codes(dt_arena *arena, bool blank, size_t count)
{
    uint8_t *a = dt_arena_get(arena, count);
    dt_rng rng;
    dt_rng_open(&rng, 1, DT_RNG_TEST, 1, 0);
    for (size_t i = 0; a && !blank && i < count; i++)
        a[i] = (uint8_t)dt_rng_below(&rng, 8);
    return a;
}

static size_t workspace_bytes(const dt_kernels *k, const dt_conv_shape *s, int threads)
{
    size_t most = k->conv_int.workspace(s, threads);
    for (int p = DT_CONV_FORWARD; p <= DT_CONV_WGRAD; p++) {
        size_t bytes = k->conv.workspace(s, (dt_conv_pass)p, threads);
        most = bytes > most ? bytes : most;
    }
    return most;
}

static dt_status make_operands(operands *o, const dt_kernels *k, int threads, dt_arena *arena,
                               bool blank, dt_error *err)
{
    const dt_conv_shape *s = &o->s;
    size_t x = (size_t)(s->N * s->H * s->W * s->C), y = (size_t)(s->N * s->OH * s->OW * s->O);
    size_t w = (size_t)(s->O * s->KH * s->KW * (s->C / s->G));
    o->x = random_reals(arena, blank, x);
    o->w = random_reals(arena, blank, w);
    o->y = random_reals(arena, blank, y);
    o->dx = random_reals(arena, blank, x);
    o->dw = random_reals(arena, blank, w);
    o->codes = random_codes(arena, blank, x);
    o->weights = (int8_t *)random_codes(arena, blank, w);
    o->sums = dt_arena_get(arena, y * sizeof *o->sums);
    o->workspace = dt_arena_get(arena, workspace_bytes(k, s, threads));
    if (o->x && o->w && o->y && o->dx && o->dw && o->codes && o->weights && o->sums && o->workspace)
        return DT_OK;
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a batch of %lld", (long long)s->N);
}

static void run_pass(const dt_kernels *k, const operands *o, pass p, int threads)
{
    const dt_conv_shape *s = &o->s;
    const dt_conv_input x = { .x = o->x }, codes = { NULL, o->codes, 0, (real)0.1 };
    const dt_conv_int_call product = {
        .shape = *s, .x = o->codes, .most = CODE_MOST, .w = o->weights, .y = o->sums
    };
    if (p == FORWARD) k->conv.forward(s, o->x, o->w, o->y, o->workspace, threads);
    if (p == DGRAD) k->conv.dgrad(s, o->y, o->w, o->dx, 0, o->workspace, threads);
    if (p == WGRAD) k->conv.wgrad(s, &x, o->y, o->dw, o->workspace, threads);
    if (p == FORWARD_CODES) k->conv_int.forward(&product, o->workspace, threads);
    if (p == WGRAD_CODES) k->conv.wgrad(s, &codes, o->y, o->dw, o->workspace, threads);
}

/* Fastest of at least 4 runs and a quarter of a second, after one to warm up. */
static double time_pass(const dt_kernels *k, const operands *o, pass p, int threads)
{
    double best = 1e30, start = dt_bench_now();
    run_pass(k, o, p, threads);
    for (int i = 0; i < 4 || dt_bench_now() - start < 0.25; i++) {
        double t = dt_bench_now();
        run_pass(k, o, p, threads);
        t = dt_bench_now() - t;
        best = t < best ? t : best;
    }
    return 1e3 * best;
}

static operands operands_of(const dt_bench_ops_params *p, const row *r)
{
    return (operands){ .s = make_shape(r, r->large ? (p->batch + 7) / 8 : p->batch) };
}

static dt_status check_memory(const dt_bench_ops_params *p, const dt_kernels *k, const row *r,
                              dt_error *err)
{
    operands o = operands_of(p, r);
    dt_measure m;
    DT_TRY(dt_measure_init(&m, err));
    dt_arena *arena = dt_arena_new(&m.alloc, "bench");
    dt_status st = arena ? make_operands(&o, k, p->threads, arena, true, NULL) : DT_ERR_NOMEM;
    dt_arena_free(arena);
    size_t bytes = st == DT_OK ? m.most : SIZE_MAX / 2;
    dt_measure_fini(&m);
    return dt_budget_check_bytes(bytes, &p->memory, r->name, "bench a smaller shape by its name",
                                 err);
}

static dt_status bench_row(const dt_bench_ops_params *p, const dt_kernels *k, const row *r,
                           dt_error *err)
{
    operands o = operands_of(p, r);
    dt_arena *arena = dt_arena_new(p->alloc, "bench");
    if (!arena) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a benchmark");
    dt_status st = make_operands(&o, k, p->threads, arena, false, err);
    double macs = (double)(o.s.N * o.s.OH * o.s.OW * o.s.O * o.s.KH * o.s.KW * (o.s.C / o.s.G));
    for (int i = 0; st == DT_OK && i < PASSES; i++) {
        double peak = dt_bench_peak(k, p->threads, 0);
        dt_bench_kernel result = { .pass = pass_names[i], .shape = r->name, .isa = k->isa };
        result.per_step = r->count;
        result.ms = time_pass(k, &o, (pass)i, p->threads);
        result.gops = 2e-6 * macs / result.ms;
        peak = dt_bench_peak(k, p->threads, peak);
        result.fma_share = i == FORWARD_CODES ? 0 : result.gops / peak;
        p->result(p->arg, &result);
    }
    dt_arena_free(arena);
    return st;
}

static bool is_wanted(const dt_bench_ops_params *p, const row *r)
{
    return !p->only || strcmp(p->only, r->name) == 0;
}

dt_status dt_bench_ops(const dt_bench_ops_params *params, dt_error *err)
{
    dt_bench_ops_params p = *params;
    dt_kernels k;
    DT_TRY(dt_kernels_init(&k, p.isa, err));
    p.threads = p.threads > 0 ? p.threads : dt_cpu_count();
    p.batch = p.batch > 0 ? p.batch : 128;
    bool found = false;
    for (size_t i = 0; i < DT_ARRAY_LEN(rows); i++) {
        if (!is_wanted(&p, &rows[i])) continue;
        found = true;
        DT_TRY(check_memory(&p, &k, &rows[i], err));
    }
    for (size_t i = 0; i < DT_ARRAY_LEN(rows); i++)
        if (is_wanted(&p, &rows[i])) DT_TRY(bench_row(&p, &k, &rows[i], err));
    if (found) return DT_OK;
    return dt_fail(err, DT_ERR_NOT_FOUND, &(dt_where){ .key = p.only },
                   "no such shape; shapes are %s to %s", rows[0].name,
                   rows[DT_ARRAY_LEN(rows) - 1].name);
}
