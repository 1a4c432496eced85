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
#include <string.h>

#include "core/thread.h"
#include "kernels/conv_job.h"

enum { WEIGHT_BYTES = 20 << 10 }; /* of one tile call: stay in a first-level cache */

typedef dt_conv_job job;

/* A band in work. */
typedef struct band {
    const float *in;      /* its picture */
    int64_t n, j0, group; /* picture, first output row of a grid, group of channels */
    float *buffer;        /* for outputs of an incomplete vector */
    float *copy, *fold;   /* fold: outputs to fold [rows][w.out][M_padded] */
    dt_conv_ahead ahead;  /* source of the band that this thread will probably do next */
} band;

/* Packs `lanes` channels from m of group g for one tap and block; missing lanes become 0. */
static float *pack_tap(const job *j, int64_t kh, int64_t kw, int64_t g, int64_t m, int64_t lanes,
                       int64_t b, float *to)
{
    const dt_conv_plan *p = &j->p;
    int64_t channels = b < p->full ? p->block : p->last, used = dt_min64(lanes, p->M - m);
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
    return dt_min64(DT_CONV_VECTORS * j->t->vec, j->p.M_padded - m);
}

/* Depthwise: task = block. */
static void pack_depth(void *arg, int64_t block, int thread)
{
    (void)thread;
    const job *j = arg;
    const dt_conv_plan *p = &j->p;
    int64_t plane, unit;
    for (dt_conv_grid g = { .w = -1 }; dt_conv_next_grid(p, &g);) {
        float *to = j->weight + (g.seen * p->blocks + g.taps * block) * DT_CONV_BLOCK;
        for (int64_t kh = 0; kh < p->h.K; kh++) {
            if (!dt_conv_find_tap(&p->h, g.h, kh, &plane, &unit)) continue;
            for (int64_t kw = 0; kw < p->w.K; kw++) {
                if (!dt_conv_find_tap(&p->w, g.w, kw, &plane, &unit)) continue;
                for (int64_t l = 0; l < DT_CONV_BLOCK; l++) {
                    int64_t c = block * DT_CONV_BLOCK + l;
                    *to++ = c < p->K ? j->w[c * p->taps + kh * p->w.K + kw] : 0;
                }
            }
        }
    }
}

static void pack_group(void *arg, int64_t task, int thread)
{
    (void)thread;
    const job *j = arg;
    const dt_conv_plan *p = &j->p;
    int64_t tiles = dt_div_up(p->M_padded, DT_CONV_VECTORS * j->t->vec);
    int64_t group = task / tiles, m = task % tiles * DT_CONV_VECTORS * j->t->vec, plane, unit;
    for (dt_conv_grid g = { .w = -1 }; dt_conv_next_grid(p, &g);) {
        float *to =
            j->weight + (g.seen * p->G + g.taps * group) * p->M_padded * p->K + g.taps * m * p->K;
        for (int64_t b = 0; b < p->blocks; b++)
            for (int64_t kh = 0; kh < p->h.K; kh++) {
                if (!dt_conv_find_tap(&p->h, g.h, kh, &plane, &unit)) continue;
                for (int64_t kw = 0; kw < p->w.K; kw++)
                    if (dt_conv_find_tap(&p->w, g.w, kw, &plane, &unit))
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
    const dt_conv_axis *w = &j->p.w;
    int64_t stride = j->p.stride, cols = j->p.cols, C = j->p.G * j->p.K;
    int64_t shift = w->shift - plane; /* column v reads v * step - shift */
    int64_t first = shift <= 0 ? 0 : dt_min64(dt_div_up(shift, w->step), cols);
    int64_t end = w->in + shift <= 0 ? 0 : dt_min64(dt_div_up(w->in + shift, w->step), cols);
    if (!from || end < first) first = end = 0;
    memset(to, 0, (size_t)(first * stride) * sizeof *to);
    if (end > first)
        copy_pixels(from + (first * w->step - shift) * C, w->step * C, end - first, channels,
                    stride, to + first * stride);
    memset(to + end * stride, 0, (size_t)((cols - end) * stride) * sizeof *to);
}

/* The band that starts at output j0, all planes and blocks of one group. */
static void copy_band(const job *j, const float *in, int64_t j0, int64_t group, float *to)
{
    const dt_conv_plan *p = &j->p;
    int64_t C = p->G * p->K;
    for (int64_t b = 0; b < p->blocks; b++)
        for (int64_t hp = 0; hp < p->h.planes; hp++)
            for (int64_t wp = 0; wp < p->w.planes; wp++)
                for (int64_t u = 0; u < p->rows; u++, to += p->cols * p->stride) {
                    int64_t row = (j0 + u) * p->h.step + hp - p->h.shift;
                    const float *from = NULL;
                    if (row >= 0 && row < p->h.in)
                        from = in + row * p->w.in * C + group * p->K + b * p->block;
                    copy_row(j, from, wp, b < p->full ? p->block : p->last, to);
                }
}

/* Pixels of the next tile of a row that has `count` left: the row in tiles of nearly equal size,
 * where there are such, else the widest that fits. */
static int64_t tile_pixels(const dt_conv_tile *table, int64_t count, int64_t most)
{
    int64_t P = dt_div_up(count, dt_div_up(count, most));
    if (table[P - 1]) return P;
    for (P = dt_min64(count, most); !table[P - 1];)
        P--;
    return P;
}

/* One row of outputs, cut into tiles. Tiles whose last channels do not exist
 * go through a buffer, so that nothing is written past the output.
 *
 * The arguments are never copied: a copy is vector loads of what was just stored field by field,
 * which a processor serves only when all earlier stores, outputs among them, are in its cache. */
static void run_row(const job *j, const dt_conv_grid *g, const dt_conv_tile *table,
                    dt_conv_tile_args *a, int64_t lanes, int64_t used, float *buffer)
{
    const dt_conv_plan *p = &j->p;
    int64_t step = a->y_step, most = j->t->max_pixels[lanes / j->t->vec - 1];
    int64_t count = (p->w.out - g->w - 1) / p->w.out_step + 1;
    int add = a->add;
    float *y = a->y;
    if (used < lanes) a->y_step = lanes, a->add = 0;
    for (int64_t P; count > 0; count -= P) {
        P = tile_pixels(table, count, most);
        a->y = used < lanes ? buffer : y;
        table[P - 1](a);
        if (used < lanes)
            for (int64_t c = 0; c < P; c++)
                for (int64_t l = 0; l < used; l++)
                    y[c * step + l] =
                        add ? y[c * step + l] + buffer[c * lanes + l] : buffer[c * lanes + l];
        a->x += P * p->stride;
        y += P * step;
    }
    a->y_step = step, a->add = add;
}

/* One pass of a tile of channels at m over all output rows of one grid in a band. */
static void run_rows(const job *j, const dt_conv_grid *g, const dt_conv_tile *table, band *b,
                     dt_conv_tile_args *a, int64_t m, int64_t lanes)
{
    const dt_conv_plan *p = &j->p;
    const dt_conv_axis *h = &p->h, *w = &p->w;
    int64_t OC = p->fold ? p->M_padded : p->G * p->M,
            end = dt_min64(b->j0 + p->band, (h->out - g->h - 1) / h->out_step + 1);
    const float *x = b->copy;
    a->y_step = w->out_step * OC;
    for (int64_t row = b->j0; row < end; row++, x += p->cols * p->stride) {
        dt_conv_fetch(&b->ahead, h->step * w->in * p->G * p->K);
        int64_t used = p->fold ? lanes : dt_min64(lanes, p->M - m);
        a->x = x;
        if (p->fold)
            a->y = b->fold + ((row - b->j0) * h->out_step + g->h) * w->out * OC + m;
        else
            a->y = j->out + ((b->n * h->out + g->h + row * h->out_step) * w->out + g->w) * OC +
                   b->group * p->M + m;
        run_row(j, g, table, a, lanes, used, b->buffer);
    }
}

/* All outputs of one grid in a band for the tile of channels at m: passes over as many taps and
 * blocks as the cache holds weights for. */
static void run_tile(const job *j, const dt_conv_grid *g, band *b, int64_t m)
{
    const dt_conv_plan *p = &j->p;
    int64_t lanes = tile_lanes(j, m), V = lanes / j->t->vec;
    int64_t segments = p->blocks * g->taps, full = p->full * g->taps, s = 0;
    const dt_conv_tile *table =
        p->stride == DT_CONV_BLOCK ? j->t->block[V - 1] : j->t->narrow[V - 1];
    dt_conv_tile_args a = { .offset = j->offset + g->seen * p->blocks,
                            .add = j->accumulate && !p->fold };
    a.w =
        j->weight + (g->seen * p->G + g->taps * b->group) * p->M_padded * p->K + g->taps * m * p->K;
    do {
        a.channels = s < full ? p->block : p->last;
        a.segments = dt_min64((s < full ? full : segments) - s,
                              dt_max64(WEIGHT_BYTES / (4 * lanes * dt_max64(a.channels, 1)), 1));
        run_rows(j, g, table, b, &a, m, lanes);
        s += a.segments, a.offset += a.segments, a.w += a.segments * a.channels * lanes;
        a.add = 1;
    } while (s < segments);
}

/* The same, depthwise: all blocks of channels. */
static void run_depth(const job *j, const dt_conv_grid *g, band *b)
{
    const dt_conv_plan *p = &j->p;
    for (int64_t block = 0; block < p->blocks; block++) {
        int64_t start = g->seen * p->blocks + block * g->taps;
        dt_conv_tile_args a = { .offset = j->offset + start,
                                .segments = g->taps,
                                .w = j->weight + start * DT_CONV_BLOCK,
                                .add = j->accumulate };
        run_rows(j, g, j->t->depth, b, &a, block * DT_CONV_BLOCK, DT_CONV_BLOCK);
    }
}

/* Source rows of the band that comes after this one if threads take turns. */
static dt_conv_ahead next_band(const job *j, int64_t task)
{
    const dt_conv_plan *p = &j->p;
    int64_t next = task + j->threads, width = p->w.in * p->G * p->K;
    if (next >= p->N * p->bands) return (dt_conv_ahead){ 0 };
    int64_t row = dt_min64(next % p->bands * p->band * p->h.step, p->h.in);
    int64_t rows = dt_min64(p->band * p->h.step, p->h.in - row);
    return (dt_conv_ahead){ j->in + (next / p->bands * p->h.in + row) * width, rows * width };
}

static void run_band(const job *j, band *b, int thread)
{
    const dt_conv_plan *p = &j->p;
    b->buffer = (float *)(void *)(j->scratch + p->scratch_bytes * (size_t)thread);
    b->copy = b->buffer + DT_CONV_LANES * DT_CONV_PIXELS;
    b->fold = b->copy + p->copy_size;
    for (b->group = 0; b->group < p->G; b->group++) {
        copy_band(j, b->in, b->j0, b->group, b->copy);
        for (dt_conv_grid g = { .w = -1 }; dt_conv_next_grid(p, &g);) {
            if (p->depth) run_depth(j, &g, b);
            for (int64_t m = 0; m < p->M && !p->depth; m += DT_CONV_VECTORS * j->t->vec)
                run_tile(j, &g, b, m);
        }
    }
    if (p->fold) dt_conv_fold_band(j, b->n, b->j0, b->fold);
}

static void run_task(void *arg, int64_t task, int thread)
{
    const job *j = arg;
    const dt_conv_plan *p = &j->p;
    band b = { .n = task / p->bands, .j0 = task % p->bands * p->band };
    b.in = j->in + b.n * p->h.in * p->w.in * p->G * p->K;
    b.ahead = next_band(j, task);
    run_band(j, &b, thread);
}

void dt_conv_job_picture(const dt_conv_job *j, int64_t n, const float *in, int thread)
{
    for (int64_t i = 0; i < j->p.bands; i++) {
        band b = { .in = in, .n = n, .j0 = i * j->p.band };
        run_band(j, &b, thread);
    }
}

void dt_conv_job_begin(dt_conv_job *j, void *workspace, int threads)
{
    const dt_conv_plan *p = &j->p;
    unsigned char *at = workspace;
    j->threads = threads < 1 ? 1 : threads;
    j->offset = (int64_t *)(void *)at;
    j->weight = (float *)(void *)(at + p->offset_bytes);
    j->scratch = at + p->offset_bytes + p->weight_bytes;
    for (dt_conv_grid g = { .w = -1 }; dt_conv_next_grid(p, &g);)
        dt_conv_fill_offsets(p, &g, j->offset + g.seen * p->blocks);
    if (p->depth)
        dt_parallel(threads, p->blocks, pack_depth, j);
    else
        dt_parallel(threads, p->G * dt_div_up(p->M_padded, DT_CONV_VECTORS * j->t->vec), pack_group,
                    j);
}

static void run(job *j, void *workspace, int threads)
{
    dt_conv_job_begin(j, workspace, threads);
    dt_parallel(threads, j->p.N * j->p.bands, run_task, j);
}

void dt_conv_direct_forward(const dt_conv_tiles *t, const dt_conv_shape *s, const float *x,
                            const float *w, float *y, void *workspace, int threads)
{
    job j = { .t = t, .s = s, .p = dt_conv_plan_make(t, s, 0), .in = x, .w = w, .out = y };
    run(&j, workspace, threads);
}

void dt_conv_direct_dgrad(const dt_conv_tiles *t, const dt_conv_shape *s, const float *dy,
                          const float *w, float *dx, int accumulate, void *workspace, int threads)
{
    job j = { .t = t,
              .s = s,
              .p = dt_conv_plan_make(t, s, 1),
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
    if (pass == DT_CONV_BACKWARD) return dt_conv_direct_back_workspace(t, s, threads);
    dt_conv_plan p = dt_conv_plan_make(t, s, pass == DT_CONV_DGRAD);
    return p.offset_bytes + p.weight_bytes + p.scratch_bytes * (size_t)(threads < 1 ? 1 : threads);
}
