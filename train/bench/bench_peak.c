/* The yardstick of benchmarks: the best FMA rate of a register loop. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/bench/bench_peak.h"

#include <time.h>

#include "core/thread.h"

double dt_bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

typedef struct job {
    const dt_kernels *kernels;
    int64_t rounds;
    double gflop[DT_MAX_THREADS];
} job;

static void task(void *arg, int64_t i, int thread)
{
    (void)thread;
    job *j = arg;
    float sink[DT_PEAK_SINK];
    for (int c = 0; c < DT_PEAK_SINK; c++)
        sink[c] = 1.0F / (float)(c + 2);
    j->gflop[i] = j->kernels->peak(j->rounds, sink);
}

double dt_bench_peak(const dt_kernels *k, int threads, double best)
{
    enum { REPEATS = 20 };
    job j = { .kernels = k, .rounds = 400000 };
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        double start = dt_bench_now(), sum = 0;
        dt_parallel(threads, threads, task, &j);
        double seconds = dt_bench_now() - start;
        for (int i = 0; i < threads; i++)
            sum += j.gflop[i];
        if (sum / seconds > best) best = sum / seconds;
    }
    return best;
}
