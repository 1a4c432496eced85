/* Twelve or 24 independent FMA chains: enough to fill two units of latency 4 or 5. They start at
 * different values, else the compiler would merge them. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_PEAK_LOOP_H
#define DT_KERNELS_PEAK_LOOP_H

#include "core/compiler.h"
#include "kernels/peak.h"
#include "kernels/simd.h"

DT_INLINE double peak_loop(int64_t rounds, float *sink)
{
    enum { CHAINS = VEC == 8 ? 12 : 24 };
    vec sum[CHAINS], a = vec_broadcast(sink), b = vec_broadcast(sink + 1);
    DT_UNROLL for (int i = 0; i < CHAINS; i++) sum[i] = vec_broadcast(sink + 2 + i);
    for (int64_t r = 0; r < rounds; r++)
        DT_UNROLL for (int i = 0; i < CHAINS; i++) sum[i] = vec_fma(sum[i], a, b);
    DT_UNROLL for (int i = 1; i < CHAINS; i++) sum[0] = vec_add(sum[0], sum[i]);
    vec_store(sink, sum[0]);
    return 2e-9 * VEC * CHAINS * (double)rounds;
}

#endif
