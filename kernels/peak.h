/* Measured FMA peak of a tier, the yardstick of benchmarks. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_PEAK_H
#define DT_KERNELS_PEAK_H

#include <stdint.h>

enum { DT_PEAK_SINK = 32 };

/* Does rounds of independent FMAs in registers and returns how many GFLOP that is; the caller takes
 * the time. `sink` [DT_PEAK_SINK] has different values below 1 and keeps the work alive. */
typedef double (*dt_peak)(int64_t rounds, float *sink);
double dt_peak_scalar(int64_t rounds, float *sink);
double dt_peak_avx2(int64_t rounds, float *sink);
double dt_peak_avx512(int64_t rounds, float *sink);

#endif
