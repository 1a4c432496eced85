/* Layout of the forward pass and the input gradient of direct convolution; see conv_direct.c. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/conv_job.h"

enum {
    SCRATCH_BYTES = 192 << 10, /* wanted size of a band's copy: stays in a second-level cache */
    MIN_TASKS = 8,             /* bands in the whole batch, so that a small one has enough */
};

/* Whether tap k reaches dt_conv_grid g, and then through which plane and how many rows further on.
 */
int dt_conv_find_tap(const dt_conv_axis *a, int64_t g, int64_t k, int64_t *plane, int64_t *unit)
{
    if (!a->gradient) {
        *plane = k * a->apart % a->stride, *unit = k * a->apart / a->stride;
        return 1;
    }
    int64_t at = g + a->pad - k * a->apart;
    if (at % a->stride) return 0;
    *plane = 0, *unit = at / a->stride + a->shift;
    return 1;
}

/* One axis of a shape. */
typedef struct axis_shape {
    int64_t K, stride, pad, apart;
} axis_shape;

static dt_conv_axis forward_axis(int64_t in, int64_t out, axis_shape s)
{
    const int64_t K = s.K, stride = s.stride, pad = s.pad, last = (K - 1) * s.apart;
    return (dt_conv_axis){ .in = in,
                           .out = out,
                           .stride = stride,
                           .pad = pad,
                           .K = K,
                           .apart = s.apart,
                           .grids = 1,
                           .length = out,
                           .planes = dt_min64(stride, last + 1),
                           .step = stride,
                           .shift = pad,
                           .extra = last / stride,
                           .out_step = 1 };
}

static dt_conv_axis gradient_axis(int64_t in, int64_t out, axis_shape s)
{
    const int64_t K = s.K, stride = s.stride, pad = s.pad;
    dt_conv_axis a = { .in = in,
                       .out = out,
                       .stride = stride,
                       .pad = pad,
                       .K = K,
                       .apart = s.apart,
                       .grids = dt_min64(stride, out),
                       .length = dt_div_up(out, stride),
                       .planes = 1,
                       .step = 1,
                       .out_step = stride,
                       .gradient = 1 };
    int64_t low = 0, high = 0, any = 0;
    for (int64_t g = 0; g < a.grids; g++)
        for (int64_t k = 0; k < K; k++) {
            int64_t plane, unit;
            if (!dt_conv_find_tap(&a, g, k, &plane, &unit)) continue;
            low = any ? dt_min64(low, unit) : unit;
            high = any ? dt_max64(high, unit) : unit;
            any = 1;
        }
    a.shift = -low, a.extra = high - low;
    return a;
}

/* Bands: small enough for the cache, and enough of them for several threads. */
static void plan_bands(dt_conv_plan *p)
{
    int64_t planes = p->h.planes * p->w.planes;
    int64_t row_bytes = planes * p->blocks * p->cols * p->stride * 4;
    int64_t fit = dt_max64(SCRATCH_BYTES / row_bytes - p->h.extra, 1);
    int64_t bands = dt_max64(dt_div_up(p->h.length, fit), dt_div_up(MIN_TASKS, p->N));
    p->band = dt_div_up(p->h.length, dt_min64(bands, p->h.length));
    p->bands = dt_div_up(p->h.length, p->band);
    p->rows = p->band + p->h.extra;
    p->plane_size = p->rows * p->cols * p->stride;
    p->block_size = planes * p->plane_size;
    p->copy_size = p->blocks * p->block_size;
    p->scratch_bytes = dt_aligned((p->copy_size + DT_CONV_LANES * DT_CONV_PIXELS) * 4);
}

static dt_conv_plan make(const dt_conv_tiles *t, const dt_conv_shape *s, int gradient)
{
    dt_conv_plan p = {
        .N = s->N, .G = s->G, .K = s->C / s->G, .M = s->O / s->G, .taps = s->KH * s->KW
    };
    const axis_shape h = { s->KH, s->SH, s->PH, s->DH + 1 }, w = { s->KW, s->SW, s->PW, s->DW + 1 };
    p.h = forward_axis(s->H, s->OH, h);
    p.w = forward_axis(s->W, s->OW, w);
    if (gradient) {
        p.K = s->O / s->G, p.M = s->C / s->G;
        p.h = gradient_axis(s->OH, s->H, h);
        p.w = gradient_axis(s->OW, s->W, w);
    }
    p.depth = s->G > 1 && s->G == s->C && s->G == s->O;
    if (p.depth) p.K = p.M = s->C, p.G = 1;
    p.stride = p.K <= DT_CONV_NARROW && !p.depth ? DT_CONV_NARROW : DT_CONV_BLOCK;
    p.block = dt_min64(p.K, p.stride);
    p.full = p.K / p.block, p.last = p.K % p.block;
    p.blocks = p.full + (p.last > 0);
    p.M_padded = dt_div_up(p.M, t->vec) * t->vec;
    p.cols = p.w.length + p.w.extra;
    p.offset_bytes = dt_aligned(p.blocks * p.taps * (int64_t)sizeof(int64_t));
    p.weight_bytes = dt_aligned(p.G * p.M_padded * p.K * p.taps * 4);
    if (p.depth) p.weight_bytes = dt_aligned(p.blocks * p.taps * DT_CONV_BLOCK * 4);
    plan_bands(&p);
    return p;
}

dt_conv_plan dt_conv_plan_make(const dt_conv_tiles *t, const dt_conv_shape *s, int gradient)
{
    if (!gradient || !dt_conv_folds(s)) return make(t, s, gradient);
    dt_conv_shape tall = dt_conv_fold_shape(s);
    dt_conv_plan p = make(t, &tall, 1);
    p.fold = 1;
    p.scratch_bytes += dt_aligned(p.band * p.h.out_step * p.w.out * p.M_padded * 4);
    return p;
}

static int64_t axis_taps(const dt_conv_axis *a, int64_t g)
{
    int64_t n = 0, plane, unit;
    for (int64_t k = 0; k < a->K; k++)
        n += dt_conv_find_tap(a, g, k, &plane, &unit);
    return n;
}

int dt_conv_next_grid(const dt_conv_plan *p, dt_conv_grid *g)
{
    g->seen += g->taps;
    if (++g->w == p->w.grids) g->w = 0, g->h++;
    if (g->h == p->h.grids) return 0;
    g->taps = axis_taps(&p->h, g->h) * axis_taps(&p->w, g->w);
    return 1;
}

void dt_conv_fill_offsets(const dt_conv_plan *p, const dt_conv_grid *g, int64_t *offset)
{
    int64_t hp, hu, wp, wu;
    for (int64_t b = 0; b < p->blocks; b++)
        for (int64_t kh = 0; kh < p->h.K; kh++) {
            if (!dt_conv_find_tap(&p->h, g->h, kh, &hp, &hu)) continue;
            for (int64_t kw = 0; kw < p->w.K; kw++) {
                if (!dt_conv_find_tap(&p->w, g->w, kw, &wp, &wu)) continue;
                *offset++ = b * p->block_size + (hp * p->w.planes + wp) * p->plane_size +
                            (hu * p->cols + wu) * p->stride;
            }
        }
}
