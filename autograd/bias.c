/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/bias.h"

enum { LANES = 256, BIAS = 2 };

int64_t dt_bias_lanes(int64_t O)
{
    int64_t lanes = O;
    while (lanes < LANES)
        lanes += O;
    return lanes;
}

static size_t row_bytes(int64_t lanes)
{
    return dt_aligned((size_t)lanes * sizeof(real));
}

size_t dt_bias_work(int64_t O)
{
    return 3 * row_bytes(dt_bias_lanes(O));
}

dt_bias dt_bias_lay_out(const real *bias, int64_t O, void *work)
{
    dt_bias b = { .lanes = dt_bias_lanes(O) };
    real **const rows[] = { &b.zero, &b.one, &b.bias };
    unsigned char *at = work;
    for (int i = 0; i < 3; i++, at += row_bytes(b.lanes))
        *rows[i] = (real *)(void *)at;
    for (int64_t lane = 0; lane < b.lanes; lane++) {
        b.zero[lane] = 0;
        b.one[lane] = 1;
        b.bias[lane] = bias[lane % O];
    }
    return b;
}

void dt_bias_add(const dt_tile_kernels *k, const dt_bias *b, int64_t count, real *y)
{
    k->norm(count, b->lanes, (dt_tile_x){ .x = y },
            (dt_tile_norm){ .m = b->zero, .k = b->one, .b = b->bias }, y);
}

size_t dt_bias_grad_work(int64_t rows, int64_t O, int threads)
{
    return (size_t)O * sizeof(double) + dt_point_work(rows, O, threads);
}

void dt_bias_grad(const dt_op_run *r, int64_t rows, int64_t O, const real *dy, void *work)
{
    double *sums = work;
    if (!r->d_in[BIAS]) return;
    r->kernels->point.column_sums(r->threads, rows, O, dy, sums + O, sums);
    for (int64_t o = 0; o < O; o++)
        r->d_in[BIAS][o] = (real)sums[o];
}
