/* Element-wise kernels, baseline tier: the specification. */
/* SPDX-License-Identifier: Apache-2.0 */
#define POINT_FILL dt_point_scalar
#define TILE_FILL dt_tile_scalar
#include "kernels/point_impl.h"

dt_point_layout dt_point_lay_out(int64_t rows, int64_t C, void *work)
{
    dt_point_layout l = { .T = C };
    while (l.T < 256)
        l.T += C;
    l.block_rows = 16384 / C;
    l.block_rows -= l.block_rows % (l.T / C); /* whole tiles: lanes stay on their channel */
    if (l.block_rows < 1) l.block_rows = 1;
    if (l.block_rows > DT_POINT_BLOCK) l.block_rows = DT_POINT_BLOCK / (l.T / C) * (l.T / C);
    l.blocks = (rows + l.block_rows - 1) / l.block_rows;
    if (!work) return l;
    l.partial = work;
    l.lanes = (real *)(l.partial + l.blocks * 2 * C) + 4 * l.T;
    for (int i = 0; i < 4; i++)
        l.column[i] = l.lanes - (4 - i) * l.T;
    return l;
}

size_t dt_point_work(int64_t rows, int64_t C, int threads)
{
    dt_point_layout l = dt_point_lay_out(rows, C, NULL);
    return sizeof(double) * (size_t)(l.blocks * 2 * C) +
           sizeof(real) * (size_t)(l.T * (4 + 2 * threads));
}

size_t dt_encode_work(int64_t n)
{
    return sizeof(dt_encode_sums) * (size_t)chunk_count(n);
}
