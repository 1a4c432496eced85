/* Element-wise kernels, baseline tier: the specification. */
/* SPDX-License-Identifier: Apache-2.0 */
#define POINT_FILL dt_point_scalar
#define TILE_FILL dt_tile_scalar
#define WEIGHT_FILL dt_weight_scalar
#include "kernels/point_impl.h"
#include "kernels/weight_impl.h"

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

/* Chan, Golub, LeVeque 1983: joins block statistics in index order. */
void dt_point_join(const dt_point_layout *l, int64_t rows, int64_t C, double *mean, double *var)
{
    double count = 0;
    for (int64_t ch = 0; ch < C; ch++)
        mean[ch] = var[ch] = 0; /* var: squares until all blocks are in */
    for (int64_t i = 0; i < l->blocks; i++) {
        int64_t left = rows - i * l->block_rows;
        const double *restrict sum = l->partial + i * 2 * C, *restrict square = sum + C;
        double n = (double)(left < l->block_rows ? left : l->block_rows), total = count + n;
        for (int64_t ch = 0; ch < C; ch++) {
            double delta = sum[ch] / n - mean[ch];
            mean[ch] += delta * n / total;
            var[ch] += square[ch] + delta * delta * count * n / total;
        }
        count = total;
    }
    for (int64_t ch = 0; ch < C; ch++)
        if (!isnan(var[ch])) var[ch] = var[ch] > 0 ? var[ch] / count : 0;
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

/* The neighbour of x, so that <= and >= say what < and > say of x. */
static real next_below(real x)
{
    return nextafter(x, (real)-INFINITY);
}

static bool is_even(real x)
{
    return fmod(x, (real)2) == 0;
}

void dt_encode_bounds(const dt_encode *e, real *low, real *high)
{
    real lo = e->qmin, hi = e->qmax;
    if (e->mask == DT_MASK_CLOSED || e->mask == DT_MASK_UPPER_OPEN) lo = next_below(lo);
    if (e->mask == DT_MASK_CLOSED) hi = -next_below(-hi);
    if (e->mask == DT_MASK_ROUNDED) { /* a tie goes to the even code, which may be inside */
        lo = is_even(lo) ? next_below(lo - (real)0.5) : lo - (real)0.5;
        hi = is_even(hi) ? -next_below(-hi - (real)0.5) : hi + (real)0.5;
    }
    *low = lo;
    *high = hi;
}
