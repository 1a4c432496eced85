/* The staircase from sums to codes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "integer/model.h"

int32_t dt_int_stairs(const int32_t *threshold, int low, int high, int32_t sum)
{
    int count = high - low, first = 0; /* thresholds before `first` are reached */
    while (first < count) {
        int middle = (first + count) / 2;
        if (threshold[middle] <= sum)
            first = middle + 1;
        else
            count = middle;
    }
    return low + first;
}

/* Rounding never falls as the sum grows, so each step is found by halving. */
void dt_int_thresholds(const dt_multiplier *m, const dt_lower_grid *y, int32_t reach_low,
                       int32_t reach_high, int32_t *threshold)
{
    int z = y->zero_point;
    int64_t from = reach_low;
    for (int k = 0; k < y->high - y->low; k++) {
        int32_t code = y->low + 1 + k;
        int64_t first = from, last = (int64_t)reach_high + 1; /* the step is in first..last */
        while (first < last) {
            int64_t middle = first + (last - first) / 2;
            if (dt_multiplier_apply(m, (int32_t)middle, y->low - z, y->high - z) + z >= code)
                last = middle;
            else
                first = middle + 1;
        }
        threshold[k] = first > reach_high ? INT32_MAX : (int32_t)first;
        from = first;
    }
}

void dt_int_reach(const int8_t *w, int64_t K, const dt_lower_grid *x, int64_t bias,
                  int64_t *out_low, int64_t *out_high)
{
    int64_t least = x->low - x->zero_point, most = x->high - x->zero_point;
    *out_low = *out_high = bias;
    for (int64_t i = 0; i < K; i++) {
        *out_low += w[i] * (w[i] > 0 ? least : most);
        *out_high += w[i] * (w[i] > 0 ? most : least);
    }
}
