/* Speed of the convolutions of ResNet-20 and of a few others: one JSON line a case.
 *
 *   bench_conv [isa [threads [batch [shape]]]]     default: every tier, 1 and all threads, batch
 * 128
 *
 * `share` is the part of the best FMA rate that a register loop on as many threads has reached so
 * far; `ms` is the fastest of several runs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/peak.h"
#include "core/alloc.h"
#include "core/rng.h"
#include "core/thread.h"
#include "kernels/kernels.h"

typedef struct row {
    const char *name;
    int count; /* how often ResNet-20 has it; 0: not part of it */
    int64_t size, C, O, K, S, P, G;
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
};

static const char *const passes[] = { "forward", "dgrad", "wgrad" };

typedef struct operands {
    float *x, *w, *y, *dx, *dw;
    void *workspace;
} operands;

/* Seconds; of one thread its own time, so that other processes do not count. */
static double now(int threads)
{
    struct timespec t;
    clock_gettime(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

typedef struct peak_job {
    int wide;
    double gflop[DT_MAX_THREADS];
} peak_job;

static void peak_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    peak_job *j = arg;
    float sink[32];
    for (int c = 0; c < 32; c++)
        sink[c] = 1.0F / (float)(c + 2);
    j->gflop[i] = j->wide ? peak_avx512(400000, sink) : peak_avx2(800000, sink);
}

/* Best of 20 runs of a few milliseconds, and of `best` so far. */
static double measure_peak(const char *isa, int threads, double best)
{
    peak_job j = { .wide = strcmp(isa, "avx512") == 0 };
    for (int repeat = 0; repeat < 20; repeat++) {
        double start = now(threads), sum = 0;
        dt_parallel(threads, threads, peak_task, &j);
        double seconds = now(threads) - start;
        for (int i = 0; i < threads; i++)
            sum += j.gflop[i];
        if (sum / seconds > best) best = sum / seconds;
    }
    return best;
}

static float *random_floats(size_t count)
{
    float *a = dt_get_array(NULL, count, sizeof *a, "bench");
    dt_rng rng;
    dt_rng_open(&rng, 1, DT_RNG_TEST, 0, 0);
    for (size_t i = 0; a && i < count; i++)
        a[i] = (float)dt_rng_uniform(&rng) - 0.5F;
    return a;
}

static dt_conv_shape make_shape(const row *r, int64_t batch)
{
    int64_t out = (r->size + 2 * r->P - r->K) / r->S + 1;
    return (dt_conv_shape){ batch, r->size, r->size, r->C, r->O, r->K, r->K,
                            r->S,  r->S,    r->P,    r->P, r->G, out,  out };
}

static void run(const dt_kernels *k, const dt_conv_shape *s, int pass, const operands *o,
                int threads)
{
    if (pass == DT_CONV_FORWARD) k->conv.forward(s, o->x, o->w, o->y, o->workspace, threads);
    if (pass == DT_CONV_DGRAD) k->conv.dgrad(s, o->y, o->w, o->dx, 0, o->workspace, threads);
    const dt_conv_input x = { .x = o->x };
    if (pass == DT_CONV_WGRAD) k->conv.wgrad(s, &x, o->y, o->dw, o->workspace, threads);
}

/* Fastest of at least 3 runs and about a quarter of a second, in ms. */
static double time_pass(const dt_kernels *k, const dt_conv_shape *s, int pass, operands *o,
                        int threads)
{
    o->workspace = dt_get(NULL, k->conv.workspace(s, (dt_conv_pass)pass, threads), "bench");
    if (!o->workspace) return -1;
    double best = 1e30, start = now(threads);
    for (int i = 0; i < 4 || now(threads) - start < 0.25; i++) {
        double t = now(threads);
        run(k, s, pass, o, threads);
        t = now(threads) - t;
        if (i > 0 && t < best) best = t;
    }
    dt_put(NULL, o->workspace);
    return best * 1e3;
}

/* Returns the milliseconds that the row costs in one step of ResNet-20. */
static double bench_row(const dt_kernels *k, const row *r, int64_t batch, int threads, double peak)
{
    dt_conv_shape s = make_shape(r, batch);
    size_t x = (size_t)(s.N * s.H * s.W * s.C), y = (size_t)(s.N * s.OH * s.OW * s.O);
    size_t w = (size_t)(s.O * s.KH * s.KW * (s.C / s.G));
    double gflop = 2e-9 * (double)y * (double)(s.KH * s.KW * (s.C / s.G)), step = 0;
    operands o = { random_floats(x), random_floats(w), random_floats(y),
                   random_floats(x), random_floats(w), NULL };
    for (int pass = 0; pass < 3 && o.x && o.w && o.y && o.dx && o.dw; pass++) {
        double ms = time_pass(k, &s, pass, &o, threads), rate = gflop / ms * 1e3;
        printf("{\"bench\": \"conv\", \"pass\": \"%s\", \"shape\": \"%s\", \"batch\": %d, "
               "\"isa\": \"%s\", \"threads\": %d, \"ms\": %.3f, \"gflops\": %.1f, "
               "\"share\": %.3f}\n",
               passes[pass], r->name, (int)batch, k->isa, threads, ms, rate, rate / peak);
        fflush(stdout);
        if (r->C > 3 || pass != DT_CONV_DGRAD)
            step += r->count * ms; /* pictures have no gradient */
    }
    dt_put(NULL, o.x);
    dt_put(NULL, o.w);
    dt_put(NULL, o.y);
    dt_put(NULL, o.dx);
    dt_put(NULL, o.dw);
    return step;
}

static void bench_tier(const char *isa, int threads, int64_t batch, const char *only)
{
    dt_kernels k;
    if (dt_kernels_init(&k, isa, NULL) != DT_OK) {
        fprintf(stderr, "SKIP %s\n", isa);
        return;
    }
    double peak = measure_peak(isa, threads, 0), step = 0;
    printf("{\"bench\": \"fma_peak\", \"isa\": \"%s\", \"threads\": %d, \"gflops\": %.1f}\n", isa,
           threads, peak);
    for (size_t i = 0; i < DT_ARRAY_LEN(rows); i++) {
        if (only && strcmp(only, rows[i].name) != 0) continue;
        peak = measure_peak(isa, threads, peak);
        step += bench_row(&k, &rows[i], batch, threads, peak);
    }
    double gflop = 0;
    for (size_t i = 0; i < DT_ARRAY_LEN(rows); i++) {
        dt_conv_shape s = make_shape(&rows[i], batch);
        gflop += 2e-9 * rows[i].count * (rows[i].C > 3 ? 3 : 2) *
                 (double)(s.N * s.OH * s.OW * s.O * s.KH * s.KW * s.C);
    }
    if (!only)
        printf(
            "{\"bench\": \"conv\", \"shape\": \"resnet20_step\", \"batch\": %d, \"isa\": \"%s\", "
            "\"threads\": %d, \"ms\": %.1f, \"gflops\": %.1f, \"share\": %.3f}\n",
            (int)batch, isa, threads, step, gflop / step * 1e3, gflop / step * 1e3 / peak);
}

int main(int argc, char **argv)
{
    static const char *const tiers[] = { "avx2", "avx512" };
    int64_t batch = argc > 3 ? atoi(argv[3]) : 128;
    int all = dt_cpu_count(), counts[] = { argc > 2 ? atoi(argv[2]) : 1, argc > 2 ? 0 : all };
    for (size_t t = 0; t < DT_ARRAY_LEN(tiers); t++) {
        if (argc > 1 && strcmp(argv[1], tiers[t]) != 0) continue;
        for (size_t i = 0; i < DT_ARRAY_LEN(counts); i++)
            if (counts[i] > 0 && (i == 0 || counts[i] != counts[0]))
                bench_tier(tiers[t], counts[i], batch < 1 ? 1 : batch, argc > 4 ? argv[4] : NULL);
    }
    return 0;
}
