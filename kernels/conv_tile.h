/* Register tiles of direct convolution, written once and compiled by every vector tier. A tile
 * keeps its sums in registers: P x V accumulators, V weight vectors and one broadcast must fit the
 * 16 (AVX2) or 32 (AVX-512) vector registers, and at least 8 accumulators hide the latency of two
 * FMA units. Pixel strides are constants, so that one pointer and displacements address all pixels
 * of a tile. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_CONV_TILE_H
#define DT_KERNELS_CONV_TILE_H

#include "core/compiler.h"
#include "kernels/conv_direct.h"
#include "kernels/decode.h"
#include "kernels/simd.h"

/* Writes the sums to y, or adds them. */
DT_INLINE void store_tile(const dt_conv_tile_args *a, int P, int V,
                          vec sum[DT_CONV_PIXELS][DT_CONV_VECTORS])
{
    float *y = a->y;
    if (a->add) {
        DT_UNROLL for (int p = 0; p < P; p++) DT_UNROLL for (int v = 0; v < V; v++) sum[p][v] =
            vec_add(vec_load(y + p * a->y_step + v * VEC), sum[p][v]);
    }
    DT_UNROLL for (int p = 0; p < P; p++) DT_UNROLL for (int v = 0; v < V; v++)
        vec_store(y + p * a->y_step + v * VEC, sum[p][v]);
}

DT_INLINE void forward_tile(const dt_conv_tile_args *a, int P, int V, int64_t stride)
{
    vec sum[DT_CONV_PIXELS][DT_CONV_VECTORS];
    DT_UNROLL for (int p = 0; p < P; p++) DT_UNROLL for (int v = 0; v < V; v++) sum[p][v] =
        vec_zero();
    const float *w = a->w;
    for (int64_t s = 0; s < a->segments; s++) {
        const float *x = a->x + a->offset[s];
        for (const float *end = x + a->channels; x < end; x++, w += V * VEC) {
            vec f[DT_CONV_VECTORS];
            DT_UNROLL for (int v = 0; v < V; v++) f[v] = vec_load(w + v * VEC);
            DT_UNROLL for (int p = 0; p < P; p++) vec_fma_spread(V, x + p * stride, f, sum[p]);
        }
    }
    store_tile(a, P, V, sum);
}

/* As forward_tile, each channel by itself. */
DT_INLINE void depth_tile(const dt_conv_tile_args *a, int P)
{
    enum { V = DT_CONV_BLOCK / VEC };
    vec sum[DT_CONV_PIXELS][DT_CONV_VECTORS];
    DT_UNROLL for (int p = 0; p < P; p++) DT_UNROLL for (int v = 0; v < V; v++) sum[p][v] =
        vec_zero();
    for (int64_t s = 0; s < a->segments; s++) {
        const float *x = a->x + a->offset[s], *w = a->w + s * DT_CONV_BLOCK;
        DT_UNROLL for (int v = 0; v < V; v++)
        {
            vec f = vec_load(w + v * VEC);
            DT_UNROLL for (int p = 0; p < P; p++) sum[p][v] =
                vec_fma(vec_load(x + p * DT_CONV_BLOCK + v * VEC), f, sum[p][v]);
        }
    }
    store_tile(a, P, V, sum);
}

static void decode(int64_t n, const uint8_t *c, int zero_point, float scale, float *y)
{
    dt_decode(n, c, zero_point, scale, y);
}

/* `depth`: x is a vector of channels for each tap, else one number for each input. */
DT_INLINE void weight_tile(const dt_conv_wtile_args *a, int Q, int V, int depth)
{
    vec sum[DT_CONV_INPUTS][DT_CONV_VECTORS];
    DT_UNROLL for (int q = 0; q < Q; q++) DT_UNROLL for (int v = 0; v < V; v++) sum[q][v] =
        vec_zero();
    const int64_t x_step = a->x_step, x_tap = a->x_tap, dy_step = a->dy_step;
    const float *x_row = a->x, *dy_row = a->dy;
    const int64_t x_gap = a->x_picture - a->rows * a->x_row;
    const int64_t dy_gap = a->dy_picture - a->rows * a->dy_row;
    for (int64_t r = 0, rows = a->pictures * a->rows, left = a->rows; r < rows; r++) {
        const float *x = x_row, *dy = dy_row;
        for (int64_t c = a->cols; c > 0; c--, x += x_step, dy += dy_step) {
            vec d[DT_CONV_VECTORS];
            DT_UNROLL for (int v = 0; v < V; v++) d[v] = vec_load(dy + v * VEC);
            DT_UNROLL for (int q = 0; q < Q; q++)
            {
                if (depth) {
                    DT_UNROLL for (int v = 0; v < V; v++) sum[q][v] =
                        vec_fma(vec_load(x + q * x_tap + v * VEC), d[v], sum[q][v]);
                } else {
                    vec_fma_spread(V, x + q, d, sum[q]);
                }
            }
        }
        x_row += a->x_row, dy_row += a->dy_row;
        if (--left == 0) x_row += x_gap, dy_row += dy_gap, left = a->rows;
    }
    DT_UNROLL for (int q = 0; q < Q; q++) DT_UNROLL for (int v = 0; v < V; v++)
    {
        float *dw = a->dw + (q * V + v) * VEC;
        vec_store(dw, vec_add(vec_load(dw), sum[q][v]));
    }
}

#define FORWARD_TILE(block_name, narrow_name, P, V)                                                \
    static void block_name(const dt_conv_tile_args *a)                                             \
    {                                                                                              \
        forward_tile(a, P, V, DT_CONV_BLOCK);                                                      \
    }                                                                                              \
    static void narrow_name(const dt_conv_tile_args *a)                                            \
    {                                                                                              \
        forward_tile(a, P, V, DT_CONV_NARROW);                                                     \
    }

#define WEIGHT_TILE(name, Q, V)                                                                    \
    static void name(const dt_conv_wtile_args *a)                                                  \
    {                                                                                              \
        weight_tile(a, Q, V, 0);                                                                   \
    }

#define DEPTH_TILE(name, P)                                                                        \
    static void name(const dt_conv_tile_args *a)                                                   \
    {                                                                                              \
        depth_tile(a, P);                                                                          \
    }

#define DEPTH_WEIGHT_TILE(name, Q)                                                                 \
    static void name(const dt_conv_wtile_args *a)                                                  \
    {                                                                                              \
        weight_tile(a, Q, DT_CONV_BLOCK / VEC, 1);                                                 \
    }

/* The members of dt_conv_kernels for a file-local table `tiles`. */
#define CONV_MEMBERS(tiles)                                                                        \
    static size_t workspace(const dt_conv_shape *s, dt_conv_pass pass, int threads)                \
    {                                                                                              \
        return dt_winograd_takes(s, pass) ? dt_winograd_workspace(s, pass, threads)                \
                                          : dt_conv_direct_workspace(&tiles, s, pass, threads);    \
    }                                                                                              \
    static void forward(const dt_conv_shape *s, const real *x, const real *w, real *y,             \
                        void *scratch, int threads)                                                \
    {                                                                                              \
        if (dt_winograd_takes(s, DT_CONV_FORWARD))                                                 \
            dt_winograd_forward(&tiles, s, x, w, y, scratch, threads);                             \
        else                                                                                       \
            dt_conv_direct_forward(&tiles, s, x, w, y, scratch, threads);                          \
    }                                                                                              \
    static void dgrad(const dt_conv_shape *s, const real *dy, const real *w, real *dx,             \
                      int accumulate, void *scratch, int threads)                                  \
    {                                                                                              \
        if (dt_winograd_takes(s, DT_CONV_DGRAD))                                                   \
            dt_winograd_dgrad(&tiles, s, dy, w, dx, accumulate, scratch, threads);                 \
        else                                                                                       \
            dt_conv_direct_dgrad(&tiles, s, dy, w, dx, accumulate, scratch, threads);              \
    }                                                                                              \
    static void wgrad(const dt_conv_shape *s, const dt_conv_input *x, const real *dy, real *dw,    \
                      void *scratch, int threads)                                                  \
    {                                                                                              \
        if (dt_winograd_takes(s, DT_CONV_WGRAD))                                                   \
            dt_winograd_wgrad(&tiles, s, x, dy, dw, scratch, threads);                             \
        else                                                                                       \
            dt_conv_direct_wgrad(&tiles, s, x, dy, dw, scratch, threads);                          \
    }                                                                                              \
    static void backward(const dt_conv_back *b, void *scratch, int threads)                        \
    {                                                                                              \
        const dt_conv_kernels apart = { .dgrad = dgrad, .wgrad = wgrad };                          \
        if (dt_winograd_takes(&b->shape, DT_CONV_BACKWARD))                                        \
            dt_winograd_backward(&tiles, b, scratch, threads);                                     \
        else if (dt_conv_direct_together(&tiles, b))                                               \
            dt_conv_direct_backward(&tiles, b, scratch, threads);                                  \
        else                                                                                       \
            dt_conv_back_apart(&apart, b, scratch, threads);                                       \
    }

#endif
