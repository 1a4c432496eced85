/* Convolution by minimal filtering for the vector tiers (conv_winograd.h): planning and loops.
 *
 * All passes are one computation. A unit is a band of rows of tiles of a picture, or a few small
 * pictures; its transformed patches stay in a second-level cache. They are multiplied plane by
 * plane, by the register tiles of direct convolution: with transformed taps to outputs, and with
 * transformed tiles of x to the gradient of the taps, which is summed in the transformed domain.
 * The batch is cut into slices by shape, each with a partial sum of its own, added in slice order,
 * so results do not depend on the number of threads. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/thread.h"
#include "kernels/conv_job.h"

enum {
    TAPS = 3,
    UNIT_BYTES = 256 << 10, /* wanted size of a unit's planes, */
    UNIT_TILES = 64,        /* but no fewer tiles, nor fewer than channels, to repay loading taps */
    SCRATCH_DY = 512 << 10, /* most of finished pictures in scratch */
    PARTIAL_BYTES = 32 << 20, /* limit of all partial sums together, */
    MAX_SLICES = 16,          /* where each has so many units, */
    SLICE_UNITS = 4,
    LEAST_SLICES = 8, /* else so many; there must be room for them */
    PAD = 16,         /* floats behind a plane, so that planes fall into different cache sets */
};

/* Source, outputs and tiles of a pass; for the gradients the source is dy. */
typedef struct plan {
    int64_t N, H, W, K;         /* source */
    int64_t OH, OW, M, PH, PW;  /* outputs, padding */
    int64_t rows, tiles;        /* tiles of a picture: rows, and in a row */
    int64_t pictures, band;     /* of a unit: pictures, rows of tiles */
    int64_t bands, units, most; /* most: tiles of a unit */
    int64_t block, in_plane, out_plane, partial, slices;
    size_t offset_bytes, weight_bytes, zero_bytes;             /* shared */
    size_t in_bytes, out_bytes, decoded_bytes, finished_bytes; /* per thread */
    size_t partial_bytes;
} plan;

typedef struct job {
    const dt_conv_tiles *t;
    plan p;
    const float *in, *w;      /* in: NULL, or the source */
    const dt_conv_back *back; /* finishes it where `in` is NULL */
    float *out;               /* NULL: no outputs */
    bool gradient, add;
    const dt_conv_input *x;
    float *dw;       /* NULL: no gradient of the taps */
    int64_t *offset; /* of the blocks of channels of a patch */
    float *weight;   /* [plane][tile of M][K][lane] */
    float *zeros;    /* a row of pixels of source or output */
    float *partial;  /* [slice][plane][block of K][M][DT_CONV_BLOCK] */
    unsigned char *scratch;
    size_t scratch_bytes;
} job;

/* A unit in work. */
typedef struct unit {
    const float *in; /* its first picture of the source */
    int64_t n, pictures, row, rows, tiles;
    float *patches, *planes, *decoded, *finished;
} unit;

/* Where partial sums have room, and at most a third of what tiles cover lies outside the picture.
 * Not by N: bits of a picture do not depend on its neighbours. */
bool dt_winograd_takes(const dt_conv_shape *s, dt_conv_pass pass)
{
    if (s->KH != TAPS || s->KW != TAPS || s->SH != 1 || s->SW != 1 || s->DH || s->DW) return false;
    if (s->G != 1 || s->C % DT_CONV_BLOCK || s->O % DT_CONV_BLOCK) return false;
    if (s->PH >= TAPS || s->PW >= TAPS) return false;
    if (s->C * s->O * DT_WINOGRAD * 4 * LEAST_SLICES > PARTIAL_BYTES) return false;
    const int64_t H = pass == DT_CONV_FORWARD ? s->OH : s->H;
    const int64_t W = pass == DT_CONV_FORWARD ? s->OW : s->W;
    return 3 * H * W >= 2 * 4 * dt_div_up(H, 2) * dt_div_up(W, 2);
}

static void plan_units(plan *p)
{
    const int64_t tile_bytes = DT_WINOGRAD * (p->K + p->M) * 4;
    const int64_t least = dt_max64(UNIT_TILES, dt_min64(p->K, p->M));
    const int64_t wanted = dt_max64(UNIT_BYTES / tile_bytes, least), all = p->rows * p->tiles;
    p->pictures = dt_max64(dt_min64(wanted / all, dt_div_up(p->N, MAX_SLICES)), 1);
    p->bands = all > wanted ? dt_div_up(p->rows, dt_max64(wanted / p->tiles, 1)) : 1;
    p->band = dt_div_up(p->rows, p->bands);
    p->bands = dt_div_up(p->rows, p->band);
    p->units = dt_div_up(p->N, p->pictures) * p->bands;
    p->most = p->pictures * p->band * p->tiles;
}

static plan make(const dt_conv_shape *s, bool gradient)
{
    plan p = { s->N, s->H, s->W, s->C, s->OH, s->OW, s->O, s->PH, s->PW };
    if (gradient)
        p = (plan){
            s->N, s->OH, s->OW, s->O, s->H, s->W, s->C, TAPS - 1 - s->PH, TAPS - 1 - s->PW
        };
    p.rows = dt_div_up(p.OH, 2), p.tiles = dt_div_up(p.OW, 2);
    plan_units(&p);
    p.block = p.most * DT_CONV_BLOCK;
    p.in_plane = p.most * p.K + PAD, p.out_plane = p.most * p.M + PAD;
    p.partial = DT_WINOGRAD * p.K * p.M;
    const int64_t slices = p.units >= MAX_SLICES * SLICE_UNITS ? MAX_SLICES : LEAST_SLICES;
    p.slices = dt_min64(dt_min64(p.units, slices), dt_max64(PARTIAL_BYTES / (p.partial * 4), 1));
    p.offset_bytes = dt_aligned(p.K / DT_CONV_BLOCK * (int64_t)sizeof(int64_t));
    p.weight_bytes = dt_aligned(p.partial * 4);
    p.zero_bytes = dt_aligned(dt_max64(p.W * p.K, p.OW * p.M) * 4);
    p.in_bytes = dt_aligned(DT_WINOGRAD * p.in_plane * 4);
    p.out_bytes = dt_aligned(DT_WINOGRAD * p.out_plane * 4);
    p.decoded_bytes = dt_aligned(2 * p.OW * p.M * 4);
    p.finished_bytes = dt_aligned(p.pictures * p.H * p.W * p.K * 4);
    p.partial_bytes = dt_aligned(p.slices * p.partial * 4);
    return p;
}

/* Patches of the unit's pictures. */
static void make_patches(const job *j, const unit *u)
{
    const plan *p = &j->p;
    dt_winograd_row r = { .tiles = p->tiles,
                          .width = p->W,
                          .channels = p->K,
                          .plane = p->in_plane,
                          .pad = p->PW,
                          .block = p->block,
                          .planes = u->patches };
    for (int64_t n = 0; n < u->pictures; n++)
        for (int64_t row = 0; row < u->rows; row++, r.planes += p->tiles * DT_CONV_BLOCK) {
            for (int64_t i = 0; i < 4; i++) {
                const int64_t h = 2 * (u->row + row) + i - p->PH;
                r.in[i] = h < 0 || h >= p->H ? j->zeros : u->in + (n * p->H + h) * p->W * p->K;
            }
            j->t->winograd->patches(&r);
        }
}

/* One plane of products: patches times taps. */
static void multiply(const job *j, const unit *u, int64_t plane)
{
    const plan *p = &j->p;
    for (int64_t m = 0, lanes; m < p->M; m += lanes) {
        lanes = dt_min64(DT_CONV_VECTORS * j->t->vec, p->M - m);
        const int64_t V = lanes / j->t->vec;
        dt_conv_tile_args a = { .x = u->patches + plane * p->in_plane,
                                .w = j->weight + (plane * p->M + m) * p->K,
                                .offset = j->offset,
                                .segments = p->K / DT_CONV_BLOCK,
                                .channels = DT_CONV_BLOCK,
                                .y = u->planes + plane * p->out_plane + m,
                                .y_step = p->M };
        for (int64_t left = u->tiles, P; left > 0; left -= P) {
            P = dt_min64(left, j->t->max_pixels[V - 1]);
            while (!j->t->block[V - 1][P - 1])
                P--;
            j->t->block[V - 1][P - 1](&a);
            a.x += P * DT_CONV_BLOCK, a.y += P * p->M;
        }
    }
}

static void make_outputs(const job *j, const unit *u)
{
    const plan *p = &j->p;
    for (int64_t plane = 0; plane < DT_WINOGRAD; plane++)
        multiply(j, u, plane);
    dt_winograd_row r = { .tiles = p->tiles,
                          .width = p->OW,
                          .channels = p->M,
                          .plane = p->out_plane,
                          .planes = u->planes,
                          .add = j->add };
    for (int64_t n = 0; n < u->pictures; n++)
        for (int64_t row = 0; row < u->rows; row++, r.planes += p->tiles * p->M) {
            const int64_t h = 2 * (u->row + row), step = p->OW * p->M;
            r.out[0] = j->out + ((u->n + n) * p->OH + h) * step;
            r.out[1] = h + 1 < p->OH ? r.out[0] + step : NULL;
            j->t->winograd->outputs(&r);
        }
}

/* Transformed tiles of x. */
static void make_pairs(const job *j, const unit *u)
{
    const plan *p = &j->p;
    const dt_conv_input *x = j->x;
    const int64_t step = p->OW * p->M;
    dt_winograd_row r = { .tiles = p->tiles,
                          .width = p->OW,
                          .channels = p->M,
                          .plane = p->out_plane,
                          .planes = u->planes };
    for (int64_t n = 0; n < u->pictures; n++)
        for (int64_t row = 0; row < u->rows; row++, r.planes += p->tiles * p->M) {
            const int64_t h = 2 * (u->row + row), from = ((u->n + n) * p->OH + h) * step;
            const int64_t rows = dt_min64(p->OH - h, 2);
            r.in[0] = u->decoded;
            if (x->x)
                r.in[0] = x->x + from;
            else
                j->t->decode(rows * step, x->codes + from, x->zero_point, x->scale, u->decoded);
            r.in[1] = rows > 1 ? r.in[0] + step : j->zeros;
            j->t->winograd->pairs(&r);
        }
}

/* Adds the unit to a partial sum. */
static void make_sums(const job *j, const unit *u, float *partial)
{
    const plan *p = &j->p;
    const int64_t V = DT_CONV_BLOCK / j->t->vec, blocks = p->K / DT_CONV_BLOCK;
    dt_conv_wtile_args a = { .pictures = 1,
                             .rows = 1,
                             .cols = u->tiles,
                             .x_step = p->M,
                             .dy_step = DT_CONV_BLOCK,
                             .dw = partial };
    for (int64_t plane = 0; plane < DT_WINOGRAD; plane++)
        for (int64_t b = 0; b < blocks; b++) {
            a.x = u->planes + plane * p->out_plane;
            a.dy = u->patches + plane * p->in_plane + b * p->block;
            for (int64_t left = p->M, Q; left > 0; left -= Q) {
                Q = dt_min64(left, j->t->max_inputs[V - 1]);
                while (!j->t->weight[V - 1][Q - 1])
                    Q--;
                j->t->weight[V - 1][Q - 1](&a);
                a.x += Q, a.dw += Q * DT_CONV_BLOCK;
            }
        }
}

static unit open_unit(const job *j, int64_t index, int thread)
{
    const plan *p = &j->p;
    unit u = { .n = index / p->bands * p->pictures, .row = index % p->bands * p->band };
    u.pictures = dt_min64(p->pictures, p->N - u.n);
    u.rows = dt_min64(p->band, p->rows - u.row);
    u.tiles = u.pictures * u.rows * p->tiles;
    unsigned char *at = j->scratch + j->scratch_bytes * (size_t)thread;
    u.patches = (float *)(void *)at, at += p->in_bytes;
    u.planes = (float *)(void *)at, at += p->out_bytes;
    u.decoded = (float *)(void *)at, at += p->decoded_bytes;
    u.finished = (float *)(void *)at;
    u.in = j->in ? j->in + u.n * p->H * p->W * p->K : u.finished;
    return u;
}

static void run_unit(void *arg, int64_t index, int thread)
{
    const job *j = arg;
    const unit u = open_unit(j, index, thread);
    make_patches(j, &u);
    make_outputs(j, &u);
}

static void run_slice(void *arg, int64_t slice, int thread)
{
    const job *j = arg;
    const plan *p = &j->p;
    const int64_t first = p->units * slice / p->slices, end = p->units * (slice + 1) / p->slices;
    float *partial = j->partial + slice * p->partial;
    memset(partial, 0, (size_t)p->partial * sizeof *partial);
    for (int64_t i = first; i < end; i++) {
        const unit u = open_unit(j, i, thread);
        if (!j->in && (i == first || u.row == 0))
            j->back->finish(j->back->arg, u.n, u.pictures, u.finished);
        make_patches(j, &u);
        if (j->out) make_outputs(j, &u);
        make_pairs(j, &u);
        make_sums(j, &u, partial);
    }
}

/* Taps of a block of output channels. */
static void pack(void *arg, int64_t block, int thread)
{
    (void)thread;
    const job *j = arg;
    const plan *p = &j->p;
    const int64_t m = block * DT_CONV_BLOCK, width = DT_CONV_VECTORS * j->t->vec;
    const int64_t first = m / width * width, lanes = dt_min64(width, p->M - first);
    dt_winograd_taps a = { .plane = p->K * p->M, .to = j->weight + first * p->K + m - first };
    for (int64_t k = 0; k < p->K; k++, a.to += lanes) {
        if (j->gradient) { /* w[k][tap][m], rotated */
            a.w = j->w + (k * TAPS * TAPS + TAPS * TAPS - 1) * p->M + m;
            a.tap_step = -p->M, a.lane_step = 1;
        } else { /* w[m][tap][k] */
            a.w = j->w + m * TAPS * TAPS * p->K + k;
            a.tap_step = p->K, a.lane_step = TAPS * TAPS * p->K;
        }
        j->t->winograd->taps(&a);
    }
}

/* Gradient of the taps between a block of dy's channels and DT_CONV_BLOCK channels of x. */
static void reduce(void *arg, int64_t task, int thread)
{
    (void)thread;
    const job *j = arg;
    const plan *p = &j->p;
    const int64_t across = p->M / DT_CONV_BLOCK, b = task / across,
                  m = task % across * DT_CONV_BLOCK;
    for (int64_t plane = 0; plane < DT_WINOGRAD; plane++) {
        float *to = j->partial + plane * p->K * p->M + (b * p->M + m) * DT_CONV_BLOCK;
        for (int64_t slice = 1; slice < p->slices; slice++)
            for (int64_t i = 0; i < DT_CONV_BLOCK * DT_CONV_BLOCK; i++)
                to[i] += to[slice * p->partial + i];
    }
    for (int64_t i = m; i < m + DT_CONV_BLOCK; i++) {
        const dt_winograd_sums a = { .from = j->partial + (b * p->M + i) * DT_CONV_BLOCK,
                                     .plane = p->K * p->M,
                                     .dw = j->dw +
                                           ((b * DT_CONV_BLOCK + 1) * TAPS * TAPS - 1) * p->M + i,
                                     .tap_step = -p->M,
                                     .lane_step = TAPS * TAPS * p->M };
        j->t->winograd->sums(&a);
    }
}

static size_t scratch_of(const plan *p, bool finishes)
{
    return p->in_bytes + p->out_bytes + p->decoded_bytes + (finishes ? p->finished_bytes : 0);
}

static size_t workspace_of(const plan *p, bool taps, bool sums, bool finishes, int threads)
{
    return p->offset_bytes + p->zero_bytes + (taps ? p->weight_bytes : 0) +
           (sums ? p->partial_bytes : 0) +
           scratch_of(p, finishes) * (size_t)(threads < 1 ? 1 : threads);
}

static void run(job *j, void *workspace, int threads)
{
    const plan *p = &j->p;
    unsigned char *at = workspace;
    j->offset = (int64_t *)(void *)at, at += p->offset_bytes;
    j->zeros = (float *)(void *)at, at += p->zero_bytes;
    if (j->out) j->weight = (float *)(void *)at, at += p->weight_bytes;
    if (j->dw) j->partial = (float *)(void *)at, at += p->partial_bytes;
    j->scratch = at, j->scratch_bytes = scratch_of(p, !j->in);
    for (int64_t b = 0; b < p->K / DT_CONV_BLOCK; b++)
        j->offset[b] = b * p->block;
    memset(j->zeros, 0, p->zero_bytes);
    if (j->out) dt_parallel(threads, p->M / DT_CONV_BLOCK, pack, j);
    if (!j->dw) {
        dt_parallel(threads, p->units, run_unit, j);
        return;
    }
    dt_parallel(threads, p->slices, run_slice, j);
    dt_parallel(threads, p->K / DT_CONV_BLOCK * (p->M / DT_CONV_BLOCK), reduce, j);
}

void dt_winograd_forward(const dt_conv_tiles *t, const dt_conv_shape *s, const float *x,
                         const float *w, float *y, void *workspace, int threads)
{
    job j = { .t = t, .p = make(s, false), .in = x, .w = w, .out = y };
    run(&j, workspace, threads);
}

void dt_winograd_dgrad(const dt_conv_tiles *t, const dt_conv_shape *s, const float *dy,
                       const float *w, float *dx, int accumulate, void *workspace, int threads)
{
    job j = { .t = t, .p = make(s, true), .in = dy, .w = w, .out = dx };
    j.gradient = true, j.add = accumulate;
    run(&j, workspace, threads);
}

void dt_winograd_wgrad(const dt_conv_tiles *t, const dt_conv_shape *s, const dt_conv_input *x,
                       const float *dy, float *dw, void *workspace, int threads)
{
    job j = { .t = t, .p = make(s, true), .in = dy, .x = x, .dw = dw };
    j.gradient = true;
    run(&j, workspace, threads);
}

static bool fits(const plan *p)
{
    return p->finished_bytes <= SCRATCH_DY;
}

void dt_winograd_backward(const dt_conv_tiles *t, const dt_conv_back *b, void *workspace,
                          int threads)
{
    job j = { .t = t, .p = make(&b->shape, true), .back = b, .w = b->w, .out = b->dx };
    j.gradient = true, j.add = b->accumulate, j.x = &b->x, j.dw = b->dw;
    const bool later = b->finish && b->dw && fits(&j.p);
    if (!later) dt_conv_finish(b, threads), j.in = b->dy;
    if (b->dx || b->dw) run(&j, workspace, threads);
}

size_t dt_winograd_workspace(const dt_conv_shape *s, dt_conv_pass pass, int threads)
{
    const plan p = make(s, pass != DT_CONV_FORWARD);
    const bool back = pass == DT_CONV_BACKWARD;
    return workspace_of(&p, pass != DT_CONV_WGRAD, back || pass == DT_CONV_WGRAD, back && fits(&p),
                        threads);
}
