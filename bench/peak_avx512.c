/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/peak_loop.h"

double peak_avx512(long rounds, float *sink)
{
    return peak_loop(rounds, sink);
}
