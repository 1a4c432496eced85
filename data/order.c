/* Orders of samples. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/order.h"

#include <stdlib.h>

#include "core/rng.h"

static const uint32_t split_epoch = UINT32_MAX; /* no epoch has this number */

void dt_order_shuffle(uint64_t seed, uint32_t epoch, int64_t n, uint32_t *index)
{
    dt_rng rng;
    dt_rng_open(&rng, seed, DT_RNG_SHUFFLE, epoch, 0);
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t j = dt_rng_below(&rng, (uint32_t)i + 1);
        uint32_t swap = index[i];
        index[i] = index[j];
        index[j] = swap;
    }
}

static int ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

void dt_order_split(uint64_t seed, int64_t n, int64_t val, uint32_t *index)
{
    for (int64_t i = 0; i < n; i++)
        index[i] = (uint32_t)i;
    if (val == 0) return;
    dt_order_shuffle(seed, split_epoch, n, index);
    qsort(index, (size_t)(n - val), sizeof *index, ascending);
    qsort(index + n - val, (size_t)val, sizeof *index, ascending);
}
