/* Direct convolution for the vector tiers: weight gradient.
 *
 * For one row kh of the filter, the KW * I inputs that a pixel of dy meets lie side by side in a
 * padded copy of the picture; a tile holds a run of them times one or two vectors of output
 * channels in registers over all pixels of a band. The batch is cut into slices by shape; each
 * slice sums into its own partial dw, and these are added in slice order, so results do not depend
 * on the number of threads. A weight too large for many partial sums is cut into pieces by output
 * channel instead. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/thread.h"
#include "kernels/conv_job.h"

enum {
    BAND_BYTES = 36 << 10,    /* wanted size of a band's pictures: stays in a first-level cache */
    BAND_PIXELS = 64,         /* least outputs of a band */
    UNIT_PIXELS = 256,        /* small pictures go together, to repay a tile's start and end */
    UNIT_BYTES = 192 << 10,   /* most memory of the pictures that go together */
    PARTIAL_BYTES = 32 << 20, /* wanted limit of all partial sums together */
    MAX_TASKS = 16,
};

typedef dt_conv_wplan plan;
typedef dt_conv_wjob job;

dt_conv_wplan dt_conv_wplan_make(const dt_conv_tiles *t, const dt_conv_shape *s, bool codes)
{
    plan p = { .G = s->G, .I = s->C / s->G, .M = s->O / s->G };
    p.depth = s->G > 1 && s->G == s->C && s->G == s->O;
    int64_t vec = p.depth ? DT_CONV_BLOCK : t->vec, most = p.depth ? vec : DT_CONV_VECTORS * vec;
    if (p.depth) p.G = 1, p.M = s->C, p.I = dt_div_up(s->C, vec) * vec;
    p.M_padded = dt_div_up(p.M, vec) * vec;
    p.lanes = dt_min64(most, p.M_padded);
    p.tiles = dt_div_up(p.M_padded, p.lanes);
    p.window = p.depth ? s->KW : s->KW * p.I;
    const int64_t reach = dt_conv_reach(s->KH, s->DH);
    p.cols = (s->OW - 1) * s->SW + dt_conv_reach(s->KW, s->DW);
    bool pads = s->PH > 0 || s->PW > 0 || p.cols > s->W || (s->OH - 1) * s->SH + reach > s->H;
    p.copy_x = codes || pads || p.depth || (s->G > 1 && s->KW > 1);
    p.copy_dy = p.M % vec != 0;
    int64_t row_bytes = 4 * (s->SH * p.cols * p.I + s->OW * p.lanes);
    int64_t band = dt_max64(BAND_BYTES / row_bytes, dt_div_up(BAND_PIXELS, s->OW));
    p.bands = dt_div_up(s->OH, dt_min64(band, s->OH));
    p.band = dt_div_up(s->OH, p.bands);
    p.bands = dt_div_up(s->OH, p.band);
    p.rows = (p.band - 1) * s->SH + reach;
    p.pictures = 1;
    if (p.bands == 1) {
        int64_t fit = dt_min64(UNIT_PIXELS / (s->OH * s->OW), UNIT_BYTES / (row_bytes * s->OH));
        p.pictures = dt_max64(dt_min64(fit, s->N / MAX_TASKS), 1);
    }
    p.units = dt_div_up(s->N, p.pictures) * p.bands;
    p.x_bytes = p.copy_x ? dt_aligned(p.pictures * p.rows * p.cols * p.I * 4) : 0;
    p.scratch_bytes = p.x_bytes;
    if (p.copy_dy) p.scratch_bytes += dt_aligned(p.pictures * p.band * s->OW * p.M_padded * 4);
    p.partial = (int64_t)(dt_aligned(p.G * p.M_padded * s->KH * p.window * 4) / sizeof(float));
    p.slices = dt_min64(dt_min64(p.units, MAX_TASKS), dt_max64(PARTIAL_BYTES / (p.partial * 4), 1));
    p.pieces = dt_min64(MAX_TASKS / p.slices, p.G * p.tiles);
    return p;
}

/* Elements from..from+count-1 of x. */
static inline void get_x(const job *j, int64_t from, int64_t count, float *to)
{
    const dt_conv_input *x = j->x;
    if (x->x)
        memcpy(to, x->x + from, (size_t)count * sizeof *to);
    else
        j->t->decode(count, x->codes + from, x->zero_point, x->scale, to);
}

/* Rows from output row oh0 on, with their padding, of the channels of one group. */
static void copy_x(const job *j, int64_t n, int64_t oh0, int64_t group, float *to)
{
    const dt_conv_shape *s = j->s;
    int64_t I = j->p.I, cols = j->p.cols, w0 = s->PW; /* column c reads c - w0 */
    int64_t used = j->p.depth ? s->C : I;             /* the rest of a depthwise pixel is zero */
    int64_t first = dt_min64(w0, cols), end = dt_max64(dt_min64(s->W + w0, cols), first);
    for (int64_t r = 0; r < j->p.rows; r++, to += cols * I) {
        int64_t h = oh0 * s->SH + r - s->PH;
        if (h < 0 || h >= s->H) {
            memset(to, 0, (size_t)(cols * I) * sizeof *to);
            continue;
        }
        int64_t from = ((n * s->H + h) * s->W + first - w0) * s->C + group * I;
        memset(to, 0, (size_t)(first * I) * sizeof *to);
        if (I == s->C)
            get_x(j, from, (end - first) * I, to + first * I);
        else
            for (int64_t c = first; c < end; c++, from += s->C) {
                get_x(j, from, used, to + c * I);
                memset(to + c * I + used, 0, (size_t)(I - used) * sizeof *to);
            }
        memset(to + end * I, 0, (size_t)((cols - end) * I) * sizeof *to);
    }
}

/* Pixels of dy with the channels of one group filled up with zeros to whole vectors. */
static void copy_dy(const job *j, const float *from, int64_t pixels, float *to)
{
    const plan *p = &j->p;
    for (int64_t c = 0; c < pixels; c++, from += j->s->O, to += p->M_padded) {
        memcpy(to, from, (size_t)p->M * sizeof *to);
        memset(to + p->M, 0, (size_t)(p->M_padded - p->M) * sizeof *to);
    }
}

/* `left` inputs that lie side by side, or as many taps of a depthwise filter. */
static void run_inputs(const job *j, dt_conv_wtile_args *a, const float *x, int64_t left,
                       int64_t lanes)
{
    const plan *p = &j->p;
    int64_t V = lanes / j->t->vec, unit = p->depth ? a->x_tap : 1;
    int64_t most = p->depth ? j->t->max_taps : j->t->max_inputs[V - 1];
    const dt_conv_wtile *table = p->depth ? j->t->depth_weight : j->t->weight[V - 1];
    a->x = x;
    for (int64_t Q; left > 0; left -= Q) {
        Q = dt_min64(left, most);
        while (!table[Q - 1])
            Q--;
        table[Q - 1](a);
        a->x += Q * unit;
        a->dw += Q * lanes;
    }
}

/* All inputs of one tile of output channels; `a` has the pictures at the tile's first channel,
 * and is not copied: run_row in conv_direct.c tells why. Taps that lie apart are taken one by one.
 */
static void run_tile(const job *j, dt_conv_wtile_args *a, int64_t lanes, float *dw)
{
    const plan *p = &j->p;
    const dt_conv_shape *s = j->s;
    const int64_t row = a->x_row / s->SH * (s->DH + 1), pixel = a->x_step / s->SW * (s->DW + 1);
    const bool apart = s->DW > 0 && !p->depth;
    const float *x = a->x;
    a->dw = dw;
    a->x_tap = p->I * (s->DW + 1);
    for (int64_t kh = 0; kh < s->KH; kh++, x += row)
        for (int64_t kw = 0; kw < (apart ? s->KW : 1); kw++)
            run_inputs(j, a, x + kw * pixel, apart ? p->I : p->window, lanes);
}

/* Adds one unit to a partial sum, for tiles first..end-1 of all groups. dy: its first picture. */
static void run_unit(const job *j, int64_t unit, int64_t first, int64_t end, const float *from,
                     unsigned char *scratch, float *partial)
{
    const dt_conv_shape *s = j->s;
    const plan *p = &j->p;
    int64_t n = unit / p->bands * p->pictures, oh = unit % p->bands * p->band, ready = -1;
    float *x = (float *)(void *)scratch, *dy = (float *)(void *)(scratch + p->x_bytes);
    dt_conv_wtile_args a = { .rows = dt_min64(p->band, s->OH - oh), .cols = s->OW };
    a.pictures = dt_min64(p->pictures, s->N - n);
    int64_t x_pixel = p->copy_x ? p->I : s->C, x_cols = p->copy_x ? p->cols : s->W;
    a.x_step = s->SW * x_pixel, a.x_row = s->SH * x_cols * x_pixel;
    a.dy_step = p->copy_dy ? p->M_padded : s->O, a.dy_row = s->OW * a.dy_step;
    a.x_picture = p->copy_x ? p->rows * p->cols * p->I : s->H * s->W * s->C;
    a.dy_picture = s->OH * a.dy_row;
    for (int64_t tile = first; tile < end; tile++) {
        int64_t group = tile / p->tiles, m = tile % p->tiles * p->lanes;
        int64_t x_at = (n * s->H + oh * s->SH) * s->W * s->C + group * p->I;
        const float *dy_at = from + oh * s->OW * s->O + group * p->M;
        if (group != ready) {
            for (int64_t i = 0; p->copy_x && i < a.pictures; i++)
                copy_x(j, n + i, oh, group, x + i * a.x_picture);
            if (p->copy_dy) copy_dy(j, dy_at, a.pictures * a.rows * s->OW, dy);
            ready = group;
        }
        a.x = p->copy_x ? x + (p->depth ? m : 0) : j->x->x + x_at;
        a.dy = (p->copy_dy ? dy : dy_at) + m;
        run_tile(j, &a, dt_min64(p->lanes, p->M_padded - m),
                 partial + (group * p->M_padded + m) * s->KH * p->window);
    }
}

/* Start of a tile in a partial sum; `tile` may be one past the last. */
static int64_t tile_start(const job *j, int64_t tile)
{
    const plan *p = &j->p;
    return (tile / p->tiles * p->M_padded + tile % p->tiles * p->lanes) * j->s->KH * p->window;
}

/* Tiles of a task: its piece of all tiles. */
static void task_tiles(const job *j, int64_t task, int64_t *first, int64_t *end)
{
    const plan *p = &j->p;
    int64_t piece = task % p->pieces, tiles = p->G * p->tiles;
    *first = tiles * piece / p->pieces, *end = tiles * (piece + 1) / p->pieces;
}

void dt_conv_wjob_clear(const dt_conv_wjob *j, int64_t task)
{
    int64_t first, end;
    task_tiles(j, task, &first, &end);
    float *partial = j->partial + task / j->p.pieces * j->p.partial;
    memset(partial + tile_start(j, first), 0,
           (size_t)(tile_start(j, end) - tile_start(j, first)) * sizeof *partial);
}

void dt_conv_wjob_unit(const dt_conv_wjob *j, int64_t task, int64_t unit, const float *dy,
                       int thread)
{
    int64_t first, end;
    task_tiles(j, task, &first, &end);
    run_unit(j, unit, first, end, dy, j->scratch + j->p.scratch_bytes * (size_t)thread,
             j->partial + task / j->p.pieces * j->p.partial);
}

static void run_slice(void *arg, int64_t task, int thread)
{
    const job *j = arg;
    const plan *p = &j->p;
    const dt_conv_shape *s = j->s;
    int64_t slice = task / p->pieces, picture = s->OH * s->OW * s->O;
    dt_conv_wjob_clear(j, task);
    for (int64_t u = p->units * slice / p->slices; u < p->units * (slice + 1) / p->slices; u++)
        dt_conv_wjob_unit(j, task, u, j->dy + u / p->bands * p->pictures * picture, thread);
}

/* Adds the partial sums of one tile in slice order and puts them into dw's layout. */
static void reduce_tile(void *arg, int64_t tile, int thread)
{
    (void)thread;
    const job *j = arg;
    const plan *p = &j->p;
    int64_t m = tile % p->tiles * p->lanes, lanes = dt_min64(p->lanes, p->M_padded - m);
    int64_t used = dt_min64(lanes, p->M - m), count = j->s->KH * p->window;
    const float *from = j->partial + tile_start(j, tile);
    float *dw = j->dw + (tile / p->tiles * p->M + m) * count;
    for (int64_t q = 0; q < count; q++, from += lanes) {
        float sum[DT_CONV_LANES];
        memcpy(sum, from, (size_t)lanes * sizeof *sum);
        for (int64_t slice = 1; slice < p->slices; slice++)
            for (int64_t l = 0; l < lanes; l++)
                sum[l] += from[slice * p->partial + l];
        for (int64_t l = 0; l < used; l++)
            dw[l * count + q] = sum[l];
    }
}

void dt_conv_wjob_begin(dt_conv_wjob *j, void *workspace)
{
    j->partial = workspace;
    j->scratch = (unsigned char *)workspace + (size_t)(j->p.slices * j->p.partial) * sizeof(float);
}

void dt_conv_wjob_end(dt_conv_wjob *j, int threads)
{
    dt_parallel(threads, j->p.G * j->p.tiles, reduce_tile, j);
}

size_t dt_conv_wplan_bytes(const dt_conv_wplan *p, int threads)
{
    return (size_t)(p->slices * p->partial) * sizeof(float) +
           p->scratch_bytes * (size_t)(threads < 1 ? 1 : threads);
}

void dt_conv_direct_wgrad(const dt_conv_tiles *t, const dt_conv_shape *s, const dt_conv_input *x,
                          const float *dy, float *dw, void *workspace, int threads)
{
    job j = { .t = t, .s = s, .p = dt_conv_wplan_make(t, s, !x->x), .x = x, .dy = dy, .dw = dw };
    dt_conv_wjob_begin(&j, workspace);
    dt_parallel(threads, j.p.slices * j.p.pieces, run_slice, &j);
    dt_conv_wjob_end(&j, threads);
}

size_t dt_conv_direct_wgrad_workspace(const dt_conv_tiles *t, const dt_conv_shape *s, int threads)
{
    plan p = dt_conv_wplan_make(t, s, true); /* codes want no less */
    return dt_conv_wplan_bytes(&p, threads);
}
