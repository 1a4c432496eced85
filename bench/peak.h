/* Measured FMA peak of a tier, the yardstick of the kernel benchmarks. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_BENCH_PEAK_H
#define DT_BENCH_PEAK_H

/* Does `rounds` rounds of independent FMAs in registers and returns how many GFLOP that is; the
 * caller takes the time. `sink` [32] has different values below 1 and keeps the work alive. */
double peak_avx2(long rounds, float *sink);
double peak_avx512(long rounds, float *sink);

#endif
