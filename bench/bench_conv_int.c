/* Speed of the convolutions of ResNet-20 on codes: one JSON line a case.
 *
 *   bench_conv_int [isa [threads [batch]]]     default: every tier, 1 thread, batch 128
 *
 * `gops` counts 2 operations a product, `ms` is the fastest of several runs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/alloc.h"
#include "core/rng.h"
#include "kernels/kernels.h"

static const struct row {
    const char *name;
    int count; /* how often ResNet-20 has it */
    int64_t size, C, O, K, S, P;
} rows[] = {
    { "stem_3_16_32", 1, 32, 3, 16, 3, 1, 1 }, { "c16_32", 6, 32, 16, 16, 3, 1, 1 },
    { "c16_c32_s2", 1, 32, 16, 32, 3, 2, 1 },  { "c32_16", 5, 16, 32, 32, 3, 1, 1 },
    { "c32_c64_s2", 1, 16, 32, 64, 3, 2, 1 },  { "c64_8", 5, 8, 64, 64, 3, 1, 1 },
};

static double now(int threads)
{
    struct timespec t;
    clock_gettime(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static unsigned char *codes(size_t n)
{
    unsigned char *x = dt_get(NULL, n, "bench");
    dt_rng rng;
    if (!x) exit(1);
    dt_rng_open(&rng, 1, DT_RNG_TEST, 0, 0);
    for (size_t i = 0; i < n; i++)
        x[i] = (unsigned char)dt_rng_below(&rng, 256);
    return x;
}

static double measure(const dt_kernels *k, const struct row *r, int threads, int64_t batch)
{
    enum { RUNS = 7 };
    int64_t out = (r->size + 2 * r->P - r->K) / r->S + 1;
    dt_conv_int_call c = {
        .shape = { batch, r->size, r->size, r->C, r->O, r->K, r->K, r->S, r->S, r->P, r->P, 1, out,
                   out },
        .zero = 128,
    };
    unsigned char *x = codes((size_t)(batch * r->size * r->size * r->C));
    unsigned char *w = codes((size_t)(r->O * r->K * r->K * r->C));
    void *work = dt_get(NULL, k->conv_int.workspace(&c.shape, threads), "bench");
    c.y = dt_get_array(NULL, (size_t)(batch * out * out * r->O), sizeof *c.y, "bench");
    if (!work || !c.y) exit(1);
    c.x = x;
    c.w = (const int8_t *)w;
    double best = 1e9;
    for (int i = 0; i < RUNS; i++) {
        double start = now(threads);
        k->conv_int.forward(&c, work, threads);
        double t = now(threads) - start;
        best = t < best ? t : best;
    }
    dt_put(NULL, x);
    dt_put(NULL, w);
    dt_put(NULL, work);
    dt_put(NULL, c.y);
    return best;
}

static void bench(const char *isa, int threads, int64_t batch)
{
    dt_kernels k;
    double total = 0;
    if (dt_kernels_init(&k, isa, NULL) != DT_OK) return;
    for (size_t i = 0; i < DT_ARRAY_LEN(rows); i++) {
        const struct row *r = &rows[i];
        int64_t out = (r->size + 2 * r->P - r->K) / r->S + 1;
        double s = measure(&k, r, threads, batch);
        double ops = 2.0 * (double)(batch * out * out * r->O * r->K * r->K * r->C);
        total += r->count * s;
        printf("{\"kernel\":\"%s\",\"case\":\"%s\",\"threads\":%d,\"batch\":%d,\"ms\":%.3f,"
               "\"gops\":%.1f}\n",
               k.conv_int.name, r->name, threads, (int)batch, 1e3 * s, 1e-9 * ops / s);
    }
    printf("{\"kernel\":\"%s\",\"case\":\"resnet20\",\"threads\":%d,\"batch\":%d,\"ms\":%.3f}\n",
           k.conv_int.name, threads, (int)batch, 1e3 * total);
}

int main(int argc, char **argv)
{
    int threads = argc > 2 ? atoi(argv[2]) : 1;
    int64_t batch = argc > 3 ? atoi(argv[3]) : 128;
    if (threads < 1 || batch < 1) return 1;
    if (argc > 1) {
        bench(argv[1], threads, batch);
        return 0;
    }
    bench("avx2", threads, batch);
    bench("avx512", threads, batch);
    return 0;
}
