/* What benchmarks compare with. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_BENCH_BENCH_PEAK_H
#define DT_TRAIN_BENCH_BENCH_PEAK_H

#include "kernels/kernels.h"

/* GFLOP/s of fused multiply-adds in registers on `threads` threads: the best of 20 runs of a few
 * milliseconds, and of `best` so far. */
double dt_bench_peak(const dt_kernels *k, int threads, double best);
double dt_bench_now(void); /* seconds, monotonic */

#endif
