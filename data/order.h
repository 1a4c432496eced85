/* Which samples a batch holds: a pure function of (seed, epoch, batch). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_DATA_ORDER_H
#define DT_DATA_ORDER_H

#include <stdint.h>

/* Fisher-Yates shuffle of `n` indices from the stream (seed, DT_RNG_SHUFFLE, epoch). */
void dt_order_shuffle(uint64_t seed, uint32_t epoch, int64_t n, uint32_t *index);

/* Cuts the training indices 0..n-1 into those for training, index[0..n-val-1], and those kept back
 * for validation, index[n-val..n-1]; both ascending. Depends on seed, n and val only. */
void dt_order_split(uint64_t seed, int64_t n, int64_t val, uint32_t *index);

#endif
