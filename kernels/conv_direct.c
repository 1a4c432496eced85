/* Direct convolution for the vector tiers: forward and input gradient.
 *
 * Both are one computation. A band of the source picture is copied, with its zero padding, into
 * per-thread scratch, cut into blocks of channels and, for a forward stride, into one plane for
 * each stride phase: there every tap is a constant offset and neighbouring outputs read
 * neighbouring pixels. The input gradient is the same with flipped taps and transposed weights; its
 * stride makes one output *grid* of each phase, with the taps that reach it. Formula: conv.h.
 *
 * One task is one band of one picture, and each output is summed in a fixed order, so results do
 * not depend on the number of threads. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/conv_direct.h"

#include <string.h>

#include "core/thread.h"

enum {
    SCRATCH_BYTES = 192 << 10, /* wanted size of a band's copy: stays in a second-level cache */
    WEIGHT_BYTES = 20 << 10,   /* weights of one tile call: stay in a first-level cache */
    MIN_TASKS = 8,
};

/* One spatial axis. Output index j of grid g is at g + j * out_step; it reads row j + unit of plane
 * `plane` through a tap k, see find_tap. */
typedef struct axis {
    int64_t in, out; /* sizes of the source and the output picture */
    int64_t stride, pad, K;
    int64_t grids, length; /* length: outputs of grid 0, the longest */
    int64_t planes,
        step; /* source row of (plane, row u of the picture) = u * step + plane - shift */
    int64_t shift, extra; /* a band of n outputs needs n + extra rows of each plane */
    int64_t out_step;
    int gradient;
} axis;

typedef struct plan {
    axis h, w;
    int64_t N, G, K, M;         /* K source and M output channels of a group */
    int64_t taps, blocks, full; /* blocks of source channels; `full` of them are complete */
    int64_t block, last;        /* channels of a complete block and of the incomplete one */
    int64_t M_padded;
    int64_t band, bands, rows; /* outputs of a band per grid; its rows in a plane */
    int64_t cols, plane_size, block_size;
    size_t offset_bytes, weight_bytes,
        scratch_bytes; /* multiples of DT_ALIGN; scratch per thread */
} plan;

typedef struct job {
    const dt_conv_tiles *t;
    const dt_conv_shape *s;
    plan p;
    const float *in, *w;
    float *out;
    int accumulate;
    int64_t *offset; /* [grid][block][tap of the grid] */
    float *weight;   /* [grid][group][vectors of M][block][tap][channel][lane] */
    unsigned char *scratch;
} job;

typedef struct grid {
    int64_t h, w;       /* phases = first output */
    int64_t taps, seen; /* its taps, and those of the grids before it */
} grid;

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t div_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static size_t aligned(int64_t bytes)
{
    return ((size_t)bytes + DT_ALIGN - 1) / DT_ALIGN * DT_ALIGN;
}

/* Whether tap k reaches grid g, and then through which plane and how many rows further on. */
static int find_tap(const axis *a, int64_t g, int64_t k, int64_t *plane, int64_t *unit)
{
    if (!a->gradient) {
        *plane = k % a->stride, *unit = k / a->stride;
        return 1;
    }
    int64_t at = g + a->pad - k;
    if (at % a->stride) return 0;
    *plane = 0, *unit = at / a->stride + a->shift;
    return 1;
}

static axis forward_axis(int64_t in, int64_t out, int64_t K, int64_t stride, int64_t pad)
{
    return (axis){ .in = in,
                   .out = out,
                   .stride = stride,
                   .pad = pad,
                   .K = K,
                   .grids = 1,
                   .length = out,
                   .planes = min64(stride, K),
                   .step = stride,
                   .shift = pad,
                   .extra = (K - 1) / stride,
                   .out_step = 1 };
}

static axis gradient_axis(int64_t in, int64_t out, int64_t K, int64_t stride, int64_t pad)
{
    axis a = { .in = in,
               .out = out,
               .stride = stride,
               .pad = pad,
               .K = K,
               .grids = min64(stride, out),
               .length = div_up(out, stride),
               .planes = 1,
               .step = 1,
               .out_step = stride,
               .gradient = 1 };
    int64_t low = 0, high = 0, any = 0;
    for (int64_t g = 0; g < a.grids; g++)
        for (int64_t k = 0; k < K; k++) {
            int64_t plane, unit;
            if (!find_tap(&a, g, k, &plane, &unit)) continue;
            low = any ? min64(low, unit) : unit;
            high = any ? max64(high, unit) : unit;
            any = 1;
        }
    a.shift = -low, a.extra = high - low;
    return a;
}

/* Bands: small enough for the cache, and enough of them for several threads. */
static void plan_bands(plan *p, int64_t stride)
{
    int64_t planes = p->h.planes * p->w.planes;
    int64_t row_bytes = planes * p->blocks * p->cols * stride * 4;
    int64_t fit = max64(SCRATCH_BYTES / row_bytes - p->h.extra, 1);
    int64_t bands = max64(div_up(p->h.length, fit), div_up(MIN_TASKS, p->N));
    p->band = div_up(p->h.length, min64(bands, p->h.length));
    p->bands = div_up(p->h.length, p->band);
    p->rows = p->band + p->h.extra;
    p->plane_size = p->rows * p->cols * stride;
    p->block_size = planes * p->plane_size;
    p->scratch_bytes = aligned(p->blocks * p->block_size * 4 + DT_CONV_LANES * DT_CONV_PIXELS * 4);
}

static int64_t pixel_stride(const plan *p)
{
    return p->K <= DT_CONV_NARROW ? DT_CONV_NARROW : DT_CONV_BLOCK;
}

static plan make_plan(const dt_conv_tiles *t, const dt_conv_shape *s, int gradient)
{
    plan p = { .N = s->N, .G = s->G, .K = s->C / s->G, .M = s->O / s->G, .taps = s->KH * s->KW };
    p.h = forward_axis(s->H, s->OH, s->KH, s->SH, s->PH);
    p.w = forward_axis(s->W, s->OW, s->KW, s->SW, s->PW);
    if (gradient) {
        p.K = s->O / s->G, p.M = s->C / s->G;
        p.h = gradient_axis(s->OH, s->H, s->KH, s->SH, s->PH);
        p.w = gradient_axis(s->OW, s->W, s->KW, s->SW, s->PW);
    }
    int64_t stride = pixel_stride(&p);
    p.block = p.K < stride ? p.K : stride;
    p.full = p.K / p.block, p.last = p.K % p.block;
    p.blocks = p.full + (p.last > 0);
    p.M_padded = div_up(p.M, t->vec) * t->vec;
    p.cols = p.w.length + p.w.extra;
    p.offset_bytes = aligned(p.blocks * p.taps * (int64_t)sizeof(int64_t));
    p.weight_bytes = aligned(p.G * p.M_padded * p.K * p.taps * 4);
    plan_bands(&p, stride);
    return p;
}

static int64_t axis_taps(const axis *a, int64_t g)
{
    int64_t n = 0, plane, unit;
    for (int64_t k = 0; k < a->K; k++)
        n += find_tap(a, g, k, &plane, &unit);
    return n;
}

/* Steps through the grids; start with a zeroed one at h = 0, w = -1. */
static int next_grid(const plan *p, grid *g)
{
    g->seen += g->taps;
    if (++g->w == p->w.grids) g->w = 0, g->h++;
    if (g->h == p->h.grids) return 0;
    g->taps = axis_taps(&p->h, g->h) * axis_taps(&p->w, g->w);
    return 1;
}

static void fill_offsets(const plan *p, const grid *g, int64_t *offset)
{
    int64_t hp, hu, wp, wu, stride = pixel_stride(p);
    for (int64_t b = 0; b < p->blocks; b++)
        for (int64_t kh = 0; kh < p->h.K; kh++) {
            if (!find_tap(&p->h, g->h, kh, &hp, &hu)) continue;
            for (int64_t kw = 0; kw < p->w.K; kw++) {
                if (!find_tap(&p->w, g->w, kw, &wp, &wu)) continue;
                *offset++ = b * p->block_size + (hp * p->w.planes + wp) * p->plane_size +
                            (hu * p->cols + wu) * stride;
            }
        }
}

/* Packs `lanes` channels from m of group g for one tap and block; missing lanes become 0. */
static float *pack_tap(const job *j, int64_t kh, int64_t kw, int64_t g, int64_t m, int64_t lanes,
                       int64_t b, float *to)
{
    const plan *p = &j->p;
    int64_t channels = b < p->full ? p->block : p->last, used = min64(lanes, p->M - m);
    int64_t T = p->taps, tap = kh * p->w.K + kw;
    for (int64_t i = 0; i < channels; i++, to += lanes) {
        int64_t k = b * p->block + i, from, step;
        if (p->h.gradient)
            from = ((g * p->K + k) * T + tap) * p->M + m, step = 1;
        else
            from = ((g * p->M + m) * T + tap) * p->K + k, step = T * p->K;
        for (int64_t l = 0; l < used; l++)
            to[l] = j->w[from + l * step];
        for (int64_t l = used; l < lanes; l++)
            to[l] = 0;
    }
    return to;
}

/* Width of the tile at channel m: two vectors when there are two. */
static int64_t tile_lanes(const job *j, int64_t m)
{
    return min64(DT_CONV_VECTORS * j->t->vec, j->p.M_padded - m);
}

static void pack_group(void *arg, int64_t task, int thread)
{
    (void)thread;
    const job *j = arg;
    const plan *p = &j->p;
    int64_t tiles = div_up(p->M_padded, DT_CONV_VECTORS * j->t->vec);
    int64_t group = task / tiles, m = task % tiles * DT_CONV_VECTORS * j->t->vec, plane, unit;
    for (grid g = { .w = -1 }; next_grid(p, &g);) {
        float *to =
            j->weight + (g.seen * p->G + g.taps * group) * p->M_padded * p->K + g.taps * m * p->K;
        for (int64_t b = 0; b < p->blocks; b++)
            for (int64_t kh = 0; kh < p->h.K; kh++) {
                if (!find_tap(&p->h, g.h, kh, &plane, &unit)) continue;
                for (int64_t kw = 0; kw < p->w.K; kw++)
                    if (find_tap(&p->w, g.w, kw, &plane, &unit))
                        to = pack_tap(j, kh, kw, group, m, tile_lanes(j, m), b, to);
            }
    }
}

/* Copies `count` pixels of `channels` floats; the usual width gets a copy of constant size. */
static void copy_pixels(const float *from, int64_t step, int64_t count, int64_t channels,
                        int64_t stride, float *to)
{
    if (channels == DT_CONV_BLOCK) {
        for (int64_t c = 0; c < count; c++)
            memcpy(to + c * stride, from + c * step, 64);
        return;
    }
    for (int64_t c = 0; c < count; c++)
        for (int64_t i = 0; i < channels; i++)
            to[c * stride + i] = from[c * step + i];
}

/* One row of one plane, columns outside the picture zero. `from` is the source row, NULL outside.
 */
static void copy_row(const job *j, const float *from, int64_t plane, int64_t channels, float *to)
{
    const axis *w = &j->p.w;
    int64_t stride = pixel_stride(&j->p), cols = j->p.cols, C = j->p.G * j->p.K;
    int64_t shift = w->shift - plane; /* column v reads v * step - shift */
    int64_t first = shift <= 0 ? 0 : min64(div_up(shift, w->step), cols);
    int64_t end = w->in + shift <= 0 ? 0 : min64(div_up(w->in + shift, w->step), cols);
    if (!from || end < first) first = end = 0;
    memset(to, 0, (size_t)(first * stride) * sizeof *to);
    if (end > first)
        copy_pixels(from + (first * w->step - shift) * C, w->step * C, end - first, channels,
                    stride, to + first * stride);
    memset(to + end * stride, 0, (size_t)((cols - end) * stride) * sizeof *to);
}

/* The band that starts at output j0, all planes and blocks of one group. */
static void copy_band(const job *j, int64_t n, int64_t j0, int64_t group, float *to)
{
    const plan *p = &j->p;
    int64_t C = p->G * p->K;
    for (int64_t b = 0; b < p->blocks; b++)
        for (int64_t hp = 0; hp < p->h.planes; hp++)
            for (int64_t wp = 0; wp < p->w.planes; wp++)
                for (int64_t u = 0; u < p->rows; u++, to += p->cols * pixel_stride(p)) {
                    int64_t row = (j0 + u) * p->h.step + hp - p->h.shift;
                    const float *from = NULL;
                    if (row >= 0 && row < p->h.in)
                        from =
                            j->in + (n * p->h.in + row) * p->w.in * C + group * p->K + b * p->block;
                    copy_row(j, from, wp, b < p->full ? p->block : p->last, to);
                }
}

/* One row of outputs, cut into tiles of nearly equal width. Tiles whose last channels do not exist
 * go through a buffer, so that nothing is written past the output. */
static void run_row(const job *j, const grid *g, dt_conv_tile_args a, int64_t lanes, int64_t used,
                    float *buffer)
{
    const plan *p = &j->p;
    int64_t V = lanes / j->t->vec, step = a.y_step, add = a.add;
    int64_t count = (p->w.out - g->w - 1) / p->w.out_step + 1;
    int64_t tiles = div_up(count, j->t->max_pixels[V - 1]), stride = pixel_stride(p);
    const dt_conv_tile *table = stride == DT_CONV_BLOCK ? j->t->block[V - 1] : j->t->narrow[V - 1];
    float *y = a.y;
    for (int64_t i = 0; i < tiles; i++) {
        int64_t P = count / tiles + (i < count % tiles);
        a.y = y;
        if (used < lanes) a.y = buffer, a.y_step = lanes, a.add = 0;
        table[P - 1](&a);
        if (used < lanes)
            for (int64_t c = 0; c < P; c++)
                for (int64_t l = 0; l < used; l++)
                    y[c * step + l] =
                        add ? y[c * step + l] + buffer[c * lanes + l] : buffer[c * lanes + l];
        a.x += P * stride;
        y += P * step;
    }
}

/* All outputs of one grid in a band for the tile of channels at m: passes over as many taps and
 * blocks as the cache holds weights for. */
static void run_tile(const job *j, const grid *g, int64_t n, int64_t j0, int64_t group, int64_t m,
                     const float *scratch, float *buffer)
{
    const plan *p = &j->p;
    const axis *h = &p->h, *w = &p->w;
    int64_t OC = p->G * p->M, lanes = tile_lanes(j, m), used = min64(lanes, p->M - m);
    int64_t end = min64(j0 + p->band, (h->out - g->h - 1) / h->out_step + 1);
    int64_t segments = p->blocks * g->taps, full = p->full * g->taps, s = 0;
    dt_conv_tile_args a = { .offset = j->offset + g->seen * p->blocks, .add = j->accumulate };
    a.w = j->weight + (g->seen * p->G + g->taps * group) * p->M_padded * p->K + g->taps * m * p->K;
    a.y_step = w->out_step * OC;
    do {
        a.channels = s < full ? p->block : p->last;
        a.segments = min64((s < full ? full : segments) - s,
                           max64(WEIGHT_BYTES / (4 * lanes * max64(a.channels, 1)), 1));
        for (int64_t row = j0; row < end; row++) {
            a.x = scratch + (row - j0) * p->cols * pixel_stride(p);
            a.y = j->out + ((n * h->out + g->h + row * h->out_step) * w->out + g->w) * OC +
                  group * p->M + m;
            run_row(j, g, a, lanes, used, buffer);
        }
        s += a.segments, a.offset += a.segments, a.w += a.segments * a.channels * lanes;
        a.add = 1;
    } while (s < segments);
}

static void run_band(void *arg, int64_t task, int thread)
{
    const job *j = arg;
    const plan *p = &j->p;
    int64_t n = task / p->bands, j0 = task % p->bands * p->band;
    float *buffer = (float *)(void *)(j->scratch + p->scratch_bytes * (size_t)thread);
    float *scratch = buffer + DT_CONV_LANES * DT_CONV_PIXELS;
    for (int64_t group = 0; group < p->G; group++) {
        copy_band(j, n, j0, group, scratch);
        for (grid g = { .w = -1 }; next_grid(p, &g);)
            for (int64_t m = 0; m < p->M; m += DT_CONV_VECTORS * j->t->vec)
                run_tile(j, &g, n, j0, group, m, scratch, buffer);
    }
}

static void run(job *j, void *workspace, int threads)
{
    const plan *p = &j->p;
    unsigned char *at = workspace;
    j->offset = (int64_t *)(void *)at;
    j->weight = (float *)(void *)(at + p->offset_bytes);
    j->scratch = at + p->offset_bytes + p->weight_bytes;
    for (grid g = { .w = -1 }; next_grid(p, &g);)
        fill_offsets(p, &g, j->offset + g.seen * p->blocks);
    dt_parallel(threads, p->G * div_up(p->M_padded, DT_CONV_VECTORS * j->t->vec), pack_group, j);
    dt_parallel(threads, p->N * p->bands, run_band, j);
}

void dt_conv_direct_forward(const dt_conv_tiles *t, const dt_conv_shape *s, const float *x,
                            const float *w, float *y, void *workspace, int threads)
{
    job j = { .t = t, .s = s, .p = make_plan(t, s, 0), .in = x, .w = w, .out = y };
    run(&j, workspace, threads);
}

void dt_conv_direct_dgrad(const dt_conv_tiles *t, const dt_conv_shape *s, const float *dy,
                          const float *w, float *dx, int accumulate, void *workspace, int threads)
{
    job j = { .t = t,
              .s = s,
              .p = make_plan(t, s, 1),
              .in = dy,
              .w = w,
              .out = dx,
              .accumulate = accumulate };
    run(&j, workspace, threads);
}

size_t dt_conv_direct_workspace(const dt_conv_tiles *t, const dt_conv_shape *s, dt_conv_pass pass,
                                int threads)
{
    if (pass == DT_CONV_WGRAD) return dt_conv_direct_wgrad_workspace(t, s, threads);
    plan p = make_plan(t, s, pass == DT_CONV_DGRAD);
    return p.offset_bytes + p.weight_bytes + p.scratch_bytes * (size_t)(threads < 1 ? 1 : threads);
}
