/* How the batches of a step are shared by processes. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_NET_SHARE_H
#define DT_TRAIN_NET_SHARE_H

#include <stdbool.h>

/* Which batches of a step a process runs: one of `ranks` blocks. Each has `block` of them, a power
 * of two, but the last one, which may have fewer; so a block is a subtree. */
typedef struct dt_share {
    int batches;      /* of a step */
    int first, count; /* of this process */
    int block, ranks;
} dt_share;

/* The share of `rank`. False: some rank would have nothing, `batches` being too few or no such
 * multiple; then with `*out_ranks` ranks all would have work, the most below `ranks`. */
bool dt_share_of(int batches, int rank, int ranks, dt_share *out, int *out_ranks);

#endif
