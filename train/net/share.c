/* Shares of a step. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/net/share.h"

#include <stdint.h>

static int block_of(int batches, int ranks)
{
    int block = 1;
    while ((int64_t)block * ranks < batches)
        block *= 2;
    return block;
}

bool dt_share_of(int batches, int rank, int ranks, dt_share *out, int *out_ranks)
{
    int block = block_of(batches, ranks), first = rank * block, left = batches - first;
    *out_ranks = (batches + block - 1) / block;
    *out = (dt_share){ batches, first, left < block ? left : block, block, ranks };
    return *out_ranks == ranks;
}
