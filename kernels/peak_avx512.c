/* Peak of the AVX-512 tier. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/peak_loop.h"

double dt_peak_avx512(int64_t rounds, float *sink)
{
    return peak_loop(rounds, sink);
}
