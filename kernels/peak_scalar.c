/* Peak of the scalar tier: one multiplication and one addition at a time. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/peak.h"

double dt_peak_scalar(int64_t rounds, float *sink)
{
    enum { CHAINS = 8 };
    float sum[CHAINS];
    for (int i = 0; i < CHAINS; i++)
        sum[i] = sink[2 + i];
    for (int64_t r = 0; r < rounds; r++)
        for (int i = 0; i < CHAINS; i++)
            sum[i] = sum[i] * sink[0] + sink[1];
    for (int i = 0; i < CHAINS; i++)
        sink[i] = sum[i];
    return 2e-9 * CHAINS * (double)rounds;
}
