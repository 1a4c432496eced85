/* Transforms of tiles for minimal filtering, written once and compiled by every vector tier;
 * formulas in conv_winograd.h. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_CONV_WINOGRAD_TILE_H
#define DT_KERNELS_CONV_WINOGRAD_TILE_H

#include "kernels/conv_direct.h"
#include "kernels/simd.h"

/* B' of one axis. */
DT_INLINE void patch_axis(vec d0, vec d1, vec d2, vec d3, vec to[4])
{
    to[0] = vec_sub(d0, d2), to[1] = vec_add(d1, d2), to[2] = vec_sub(d2, d1),
    to[3] = vec_sub(d3, d1);
}

/* B' of a column of the source, zeros outside the picture. */
DT_INLINE void patch_column(const dt_winograd_row *r, int64_t at, int64_t c, vec to[4])
{
    if ((uint64_t)at >= (uint64_t)r->width) {
        DT_UNROLL for (int i = 0; i < 4; i++) to[i] = vec_zero();
        return;
    }
    const int64_t i = at * r->channels + c;
    patch_axis(vec_load(r->in[0] + i), vec_load(r->in[1] + i), vec_load(r->in[2] + i),
               vec_load(r->in[3] + i), to);
}

/* Neighbouring patches share two columns. */
static void patches(const dt_winograd_row *r)
{
    for (int64_t c = 0; c < r->channels; c += VEC) {
        float *to = r->planes + c / DT_CONV_BLOCK * r->block + c % DT_CONV_BLOCK;
        vec old[2][4], new[2][4];
        patch_column(r, -r->pad, c, old[0]);
        patch_column(r, 1 - r->pad, c, old[1]);
        for (int64_t t = 0, at = 2 - r->pad; t < r->tiles; t++, at += 2, to += DT_CONV_BLOCK) {
            patch_column(r, at, c, new[0]);
            patch_column(r, at + 1, c, new[1]);
            DT_UNROLL for (int i = 0; i < 4; i++)
            {
                vec y[4];
                patch_axis(old[0][i], old[1][i], new[0][i], new[1][i], y);
                DT_UNROLL for (int k = 0; k < 4; k++) vec_store(to + (4 * i + k) * r->plane, y[k]);
                old[0][i] = new[0][i], old[1][i] = new[1][i];
            }
        }
    }
}

/* A of one axis. */
DT_INLINE void pair_axis(vec z0, vec z1, vec to[4])
{
    to[0] = z0, to[1] = vec_add(z0, z1), to[2] = vec_sub(z0, z1), to[3] = z1;
}

static void pairs(const dt_winograd_row *r)
{
    const int64_t C = r->channels;
    for (int64_t t = 0; t < r->tiles; t++)
        for (int64_t c = 0; c < C; c += VEC) {
            const int64_t at = 2 * t * C + c;
            const bool both = 2 * t + 1 < r->width;
            vec x[2][4];
            pair_axis(vec_load(r->in[0] + at), vec_load(r->in[1] + at), x[0]);
            pair_axis(both ? vec_load(r->in[0] + at + C) : vec_zero(),
                      both ? vec_load(r->in[1] + at + C) : vec_zero(), x[1]);
            float *to = r->planes + t * C + c;
            DT_UNROLL for (int i = 0; i < 4; i++)
            {
                vec y[4];
                pair_axis(x[0][i], x[1][i], y);
                DT_UNROLL for (int k = 0; k < 4; k++) vec_store(to + (4 * i + k) * r->plane, y[k]);
            }
        }
}

/* A' of one axis. */
DT_INLINE void output_axis(vec m0, vec m1, vec m2, vec m3, vec to[2])
{
    to[0] = vec_add(vec_add(m0, m1), m2), to[1] = vec_add(vec_sub(m1, m2), m3);
}

DT_INLINE void put(float *y, bool add, vec value)
{
    vec_store(y, add ? vec_add(vec_load(y), value) : value);
}

DT_INLINE void outputs_of(const dt_winograd_row *r, bool add)
{
    const int64_t C = r->channels;
    for (int64_t t = 0; t < r->tiles; t++)
        for (int64_t c = 0; c < C; c += VEC) {
            const float *from = r->planes + t * C + c;
            vec x[4][2], y[2][2];
            DT_UNROLL for (int k = 0; k < 4; k++) output_axis(
                vec_load(from + k * r->plane), vec_load(from + (4 + k) * r->plane),
                vec_load(from + (8 + k) * r->plane), vec_load(from + (12 + k) * r->plane), x[k]);
            DT_UNROLL for (int i = 0; i < 2; i++)
                output_axis(x[0][i], x[1][i], x[2][i], x[3][i], y[i]);
            const int64_t at = 2 * t * C + c;
            const bool both = 2 * t + 1 < r->width;
            put(r->out[0] + at, add, y[0][0]);
            if (both) put(r->out[0] + at + C, add, y[0][1]);
            if (!r->out[1]) continue;
            put(r->out[1] + at, add, y[1][0]);
            if (both) put(r->out[1] + at + C, add, y[1][1]);
        }
}

static void outputs(const dt_winograd_row *r)
{
    if (r->add)
        outputs_of(r, true);
    else
        outputs_of(r, false);
}

/* G of one axis. */
DT_INLINE void tap_axis(vec g0, vec g1, vec g2, vec to[4])
{
    const float half = 0.5F;
    const vec h = vec_broadcast(&half), ends = vec_add(g0, g2);
    to[0] = g0, to[1] = vec_mul(h, vec_add(ends, g1)), to[2] = vec_mul(h, vec_sub(ends, g1)),
    to[3] = g2;
}

static void taps(const dt_winograd_taps *t)
{
    for (int l = 0; l < DT_CONV_BLOCK; l += VEC) {
        vec x[3][4];
        for (int kw = 0; kw < 3; kw++) {
            vec g[3];
            for (int kh = 0; kh < 3; kh++) {
                const float *w = t->w + (3 * kh + kw) * t->tap_step + l * t->lane_step;
                float lane[VEC];
                for (int i = 0; i < VEC; i++)
                    lane[i] = w[i * t->lane_step];
                g[kh] = vec_load(lane);
            }
            tap_axis(g[0], g[1], g[2], x[kw]);
        }
        for (int i = 0; i < 4; i++) {
            vec y[4];
            tap_axis(x[0][i], x[1][i], x[2][i], y);
            for (int k = 0; k < 4; k++)
                vec_store(t->to + (4 * i + k) * t->plane + l, y[k]);
        }
    }
}

/* G' of one axis. */
DT_INLINE void sum_axis(vec u0, vec u1, vec u2, vec u3, vec to[3])
{
    const float half = 0.5F;
    const vec h = vec_broadcast(&half), middle = vec_mul(h, vec_add(u1, u2));
    to[0] = vec_add(u0, middle), to[1] = vec_mul(h, vec_sub(u1, u2)), to[2] = vec_add(middle, u3);
}

static void sums(const dt_winograd_sums *s)
{
    for (int l = 0; l < DT_CONV_BLOCK; l += VEC) {
        vec x[4][3];
        for (int k = 0; k < 4; k++) {
            vec u[4];
            for (int i = 0; i < 4; i++)
                u[i] = vec_load(s->from + (4 * i + k) * s->plane + l);
            sum_axis(u[0], u[1], u[2], u[3], x[k]);
        }
        for (int kh = 0; kh < 3; kh++) {
            vec y[3];
            sum_axis(x[0][kh], x[1][kh], x[2][kh], x[3][kh], y);
            for (int kw = 0; kw < 3; kw++) {
                float lane[VEC];
                vec_store(lane, y[kw]);
                float *dw = s->dw + (3 * kh + kw) * s->tap_step + l * s->lane_step;
                for (int i = 0; i < VEC; i++)
                    dw[i * s->lane_step] = lane[i];
            }
        }
    }
}

static const dt_winograd_loops winograd_loops = {
    .patches = patches, .pairs = pairs, .outputs = outputs, .taps = taps, .sums = sums
};

#endif
