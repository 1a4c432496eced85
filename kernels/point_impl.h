/* Body of the element-wise kernels, included by one file a tier that defines POINT_FILL. Plain
 * loops: the compiler vectorises them, which changes no bit because nothing is reassociated. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <tgmath.h>

#include "core/thread.h"
#include "kernels/point.h"
#include "kernels/point_work.h"

enum { LANES = 16 };

typedef struct span {
    const real *a, *b;
    real *y;
    int64_t n;
    bool sum;
} span;

static inline int64_t chunk_size(int64_t n, int64_t i)
{
    int64_t left = n - i * DT_POINT_CHUNK;
    return left < DT_POINT_CHUNK ? left : DT_POINT_CHUNK;
}

static inline int64_t chunk_count(int64_t n)
{
    return (n + DT_POINT_CHUNK - 1) / DT_POINT_CHUNK;
}

static void add_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const span *s = arg;
    const real *a = s->a + i * DT_POINT_CHUNK, *b = s->b + i * DT_POINT_CHUNK;
    real *y = s->y + i * DT_POINT_CHUNK;
    for (int64_t j = 0, n = chunk_size(s->n, i); j < n; j++)
        y[j] = a[j] + b[j];
}

static void add(int threads, int64_t n, const real *a, const real *b, real *y)
{
    span s = { a, b, y, n, false };
    dt_parallel(threads, chunk_count(n), add_task, &s);
}

static void relu_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const span *s = arg;
    const real *x = s->a + i * DT_POINT_CHUNK;
    real *y = s->y + i * DT_POINT_CHUNK;
    for (int64_t j = 0, n = chunk_size(s->n, i); j < n; j++)
        y[j] = x[j] <= 0 ? 0 : x[j];
}

static void relu(int threads, int64_t n, const real *x, real *y)
{
    span s = { x, NULL, y, n, false };
    dt_parallel(threads, chunk_count(n), relu_task, &s);
}

static void relu_back_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const span *s = arg;
    const real *y = s->a + i * DT_POINT_CHUNK, *dy = s->b + i * DT_POINT_CHUNK;
    real *dx = s->y + i * DT_POINT_CHUNK;
    int64_t n = chunk_size(s->n, i);
    if (s->sum)
        for (int64_t j = 0; j < n; j++)
            dx[j] += y[j] > 0 ? dy[j] : 0;
    else
        for (int64_t j = 0; j < n; j++)
            dx[j] = y[j] > 0 ? dy[j] : 0;
}

static void relu_back(int threads, int64_t n, const real *y, const real *dy, real *dx, bool sum)
{
    span s = { y, dy, dx, n, sum };
    dt_parallel(threads, chunk_count(n), relu_back_task, &s);
}

/* ---- columns of [rows,C]: rows are joined into tiles of T = C * repeat elements, so that inner
 * loops are long whatever C is; lane j of a tile belongs to channel j % C. ---- */

typedef struct columns {
    int64_t rows, C, T, block_rows;
    const real *x, *dy, *m, *k, *a, *b; /* m, k, a, b: expanded to T lanes */
    real *y;
    bool sum;
    double *partial; /* [blocks][2][C] */
    real *lanes;     /* [threads][2][T] */
} columns;

static void expand(real *to, const real *from, int64_t C, int64_t T)
{
    for (int64_t j = 0; j < T; j++)
        to[j] = from[j % C];
}

static inline int64_t block_begin(const columns *c, int64_t i, int64_t *rows)
{
    int64_t first = i * c->block_rows;
    *rows = c->rows - first < c->block_rows ? c->rows - first : c->block_rows;
    return first * c->C;
}

/* Adds the T lanes to C sums, in order. */
static void fold(const real *lanes, int64_t T, int64_t C, double *sums)
{
    for (int64_t ch = 0; ch < C; ch++) {
        double s = 0;
        for (int64_t j = ch; j < T; j += C)
            s += (double)lanes[j];
        sums[ch] = s;
    }
}

static void lane_sums(const real *restrict x, int64_t n, int64_t T, real *restrict acc)
{
    for (int64_t j = 0; j < T; j++)
        acc[j] = 0;
    for (int64_t at = 0; at < n; at += T) {
        int64_t m = n - at < T ? n - at : T;
        for (int64_t j = 0; j < m; j++)
            acc[j] += x[at + j];
    }
}

/* Block statistics in two passes over memory that is in cache: mean, then sum of squared
 * deviations from it. */
static void moments_task(void *arg, int64_t i, int thread)
{
    const columns *c = arg;
    int64_t rows, begin = block_begin(c, i, &rows), n = rows * c->C;
    const real *x = c->x + begin;
    real *restrict acc = c->lanes + thread * 2 * c->T, *restrict mean = acc + c->T;
    double *sums = c->partial + i * 2 * c->C;
    lane_sums(x, n, c->T, acc);
    fold(acc, c->T, c->C, sums);
    for (int64_t j = 0; j < c->T; j++)
        mean[j] = (real)(sums[j % c->C] / (double)rows);
    for (int64_t j = 0; j < c->T; j++)
        acc[j] = 0;
    for (int64_t at = 0; at < n; at += c->T) {
        int64_t m = n - at < c->T ? n - at : c->T;
        for (int64_t j = 0; j < m; j++) {
            real d = x[at + j] - mean[j];
            acc[j] += d * d;
        }
    }
    fold(acc, c->T, c->C, sums + c->C);
    /* The deviations were taken from the rounded mean: correct for what rounding left. */
    for (int64_t ch = 0; ch < c->C; ch++) {
        double exact = sums[ch] / (double)rows, off = exact - (double)mean[ch];
        sums[c->C + ch] -= (double)rows * off * off;
        sums[ch] = exact;
    }
}

/* Chan, Golub, LeVeque 1983: joins block statistics in index order. */
static void moments(int threads, int64_t rows, int64_t C, const real *x, void *work, double *mean,
                    double *var)
{
    dt_point_layout l = dt_point_lay_out(rows, C, work);
    columns c = { rows, C,    l.T,  l.block_rows, x,     NULL,      NULL,
                  NULL, NULL, NULL, NULL,         false, l.partial, l.lanes };
    dt_parallel(threads, l.blocks, moments_task, &c);
    for (int64_t ch = 0; ch < C; ch++) {
        double count = 0, m = 0, square = 0;
        for (int64_t i = 0; i < l.blocks; i++) {
            int64_t n;
            block_begin(&c, i, &n);
            double delta = l.partial[i * 2 * C + ch] - m, total = count + (double)n;
            m += delta * (double)n / total;
            square += l.partial[i * 2 * C + C + ch] + delta * delta * count * (double)n / total;
            count = total;
        }
        mean[ch] = m;
        var[ch] = square > 0 ? square / count : 0;
        if (isnan(square)) var[ch] = square;
    }
}

static void scale_shift_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const columns *c = arg;
    int64_t rows, begin = block_begin(c, i, &rows), n = rows * c->C;
    const real *x = c->x + begin, *restrict m = c->m, *restrict k = c->k, *restrict b = c->b;
    real *y = c->y + begin;
    for (int64_t at = 0; at < n; at += c->T) {
        int64_t len = n - at < c->T ? n - at : c->T;
        for (int64_t j = 0; j < len; j++)
            y[at + j] = (x[at + j] - m[j]) * k[j] + b[j];
    }
}

static void scale_shift(int threads, int64_t rows, int64_t C, const real *x, const real *mean,
                        const real *k, const real *b, void *work, real *y)
{
    dt_point_layout l = dt_point_lay_out(rows, C, work);
    expand(l.column[0], mean, C, l.T);
    expand(l.column[1], k, C, l.T);
    expand(l.column[2], b, C, l.T);
    columns c = { .rows = rows,
                  .C = C,
                  .T = l.T,
                  .block_rows = l.block_rows,
                  .x = x,
                  .m = l.column[0],
                  .k = l.column[1],
                  .b = l.column[2],
                  .y = y };
    dt_parallel(threads, l.blocks, scale_shift_task, &c);
}

static void back_sums_task(void *arg, int64_t i, int thread)
{
    const columns *c = arg;
    int64_t rows, begin = block_begin(c, i, &rows), n = rows * c->C;
    const real *restrict x = c->x + begin, *restrict dy = c->dy + begin, *restrict m = c->m;
    real *restrict s0 = c->lanes + thread * 2 * c->T, *restrict s1 = s0 + c->T;
    for (int64_t j = 0; j < c->T; j++)
        s0[j] = s1[j] = 0;
    for (int64_t at = 0; at < n; at += c->T) {
        int64_t len = n - at < c->T ? n - at : c->T;
        for (int64_t j = 0; j < len; j++) {
            real g = dy[at + j];
            s0[j] += g;
            s1[j] += g * (x[at + j] - m[j]);
        }
    }
    fold(s0, c->T, c->C, c->partial + i * 2 * c->C);
    fold(s1, c->T, c->C, c->partial + i * 2 * c->C + c->C);
}

static void add_blocks(const dt_point_layout *l, int64_t C, int64_t offset, double *sums)
{
    for (int64_t ch = 0; ch < C; ch++) {
        double s = 0;
        for (int64_t i = 0; i < l->blocks; i++)
            s += l->partial[i * 2 * C + offset + ch];
        sums[ch] = s;
    }
}

static void norm_back_sums(int threads, int64_t rows, int64_t C, const real *x, const real *dy,
                           const real *mean, void *work, double *sum_dy, double *sum_dyx)
{
    dt_point_layout l = dt_point_lay_out(rows, C, work);
    expand(l.column[0], mean, C, l.T);
    columns c = { .rows = rows,
                  .C = C,
                  .T = l.T,
                  .block_rows = l.block_rows,
                  .x = x,
                  .dy = dy,
                  .m = l.column[0],
                  .partial = l.partial,
                  .lanes = l.lanes };
    dt_parallel(threads, l.blocks, back_sums_task, &c);
    add_blocks(&l, C, 0, sum_dy);
    add_blocks(&l, C, C, sum_dyx);
}

static void norm_back_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const columns *c = arg;
    int64_t rows, begin = block_begin(c, i, &rows), n = rows * c->C;
    const real *x = c->x + begin, *dy = c->dy + begin;
    const real *restrict m = c->m, *restrict k = c->k, *restrict a = c->a, *restrict b = c->b;
    real *dx = c->y + begin;
    for (int64_t at = 0; at < n; at += c->T) {
        int64_t len = n - at < c->T ? n - at : c->T;
        if (c->sum)
            for (int64_t j = 0; j < len; j++)
                dx[at + j] += k[j] * (dy[at + j] - a[j] - (x[at + j] - m[j]) * b[j]);
        else
            for (int64_t j = 0; j < len; j++)
                dx[at + j] = k[j] * (dy[at + j] - a[j] - (x[at + j] - m[j]) * b[j]);
    }
}

static void norm_back(int threads, int64_t rows, int64_t C, const real *x, const real *dy,
                      const real *mean, const real *k, const real *a, const real *b, void *work,
                      real *dx, bool sum)
{
    dt_point_layout l = dt_point_lay_out(rows, C, work);
    expand(l.column[0], mean, C, l.T);
    expand(l.column[1], k, C, l.T);
    expand(l.column[2], a, C, l.T);
    expand(l.column[3], b, C, l.T);
    columns c = { rows,        C,           l.T,         l.block_rows, x,   dy,   l.column[0],
                  l.column[1], l.column[2], l.column[3], dx,           sum, NULL, NULL };
    dt_parallel(threads, l.blocks, norm_back_task, &c);
}

static void column_sums_task(void *arg, int64_t i, int thread)
{
    const columns *c = arg;
    int64_t rows, begin = block_begin(c, i, &rows);
    real *acc = c->lanes + thread * 2 * c->T;
    lane_sums(c->x + begin, rows * c->C, c->T, acc);
    fold(acc, c->T, c->C, c->partial + i * 2 * c->C);
}

static void column_sums(int threads, int64_t rows, int64_t C, const real *x, void *work,
                        double *sums)
{
    dt_point_layout l = dt_point_lay_out(rows, C, work);
    columns c = { .rows = rows,
                  .C = C,
                  .T = l.T,
                  .block_rows = l.block_rows,
                  .x = x,
                  .partial = l.partial,
                  .lanes = l.lanes };
    dt_parallel(threads, l.blocks, column_sums_task, &c);
    add_blocks(&l, C, 0, sums);
}

/* ---- fake quantization ---- */

typedef struct encode_call {
    const real *x, *g;
    real *y;
    int64_t n;
    const dt_encode *e;
    bool sum;
    dt_encode_sums *partial; /* by chunk */
} encode_call;

/* Division, not multiplication by 1/scale: they differ at ties, and every place that decides a code
 * must decide the same. */
static inline real clip_real(real u, real lo, real hi)
{
    u = u < lo ? lo : u;
    return u > hi ? hi : u;
}

static inline real nearest_level(const dt_encode *e, real u)
{
    if (isnan(u)) return u;
    int lo = 0, hi = e->thresholds; /* the count of thresholds below u */
    while (lo < hi) {
        int mid = (lo + hi) / 2;
        if (e->threshold[mid] < u)
            lo = mid + 1;
        else
            hi = mid;
    }
    return e->level[lo];
}

static void encode_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const encode_call *c = arg;
    const dt_encode *e = c->e;
    const real s = e->scale, o = e->offset, lo = e->qmin, hi = e->qmax;
    const real *x = c->x + i * DT_POINT_CHUNK;
    real *y = c->y + i * DT_POINT_CHUNK;
    int64_t n = chunk_size(c->n, i);
    if (e->thresholds)
        for (int64_t j = 0; j < n; j++)
            y[j] = nearest_level(e, (x[j] - o) / s) * s + o;
    else
        for (int64_t j = 0; j < n; j++)
            y[j] = rint(clip_real((x[j] - o) / s, lo, hi)) * s + o;
}

static void encode(int threads, int64_t n, const real *x, const dt_encode *e, real *y)
{
    encode_call c = { .x = x, .y = y, .n = n, .e = e };
    dt_parallel(threads, chunk_count(n), encode_task, &c);
}

typedef struct lane_block {
    real residual[LANES], inside[LANES], below[LANES], above[LANES];
} lane_block;

/* One element's share of the gradient and of the sums. */
static inline void back_one(const dt_encode *e, real u, real q, real g, lane_block *b, int l,
                            real *dx)
{
    bool below = u <= e->qmin, above = u >= e->qmax;
    real in = below || above ? 0 : g;
    b->residual[l] += in * (q - u);
    b->inside[l] += in;
    b->below[l] += below ? g : 0;
    b->above[l] += above ? g : 0;
    *dx = e->plain ? g : in;
}

static void back_affine_16(const real *restrict x, const real *restrict g, real s, real o, real lo,
                           real hi, bool plain, lane_block *restrict b, real *restrict dx)
{
    for (int l = 0; l < LANES; l++) {
        real u = (x[l] - o) / s, q = rint(clip_real(u, lo, hi)), gl = g[l];
        real below = u <= lo ? gl : 0, above = u >= hi ? gl : 0;
        real in = u <= lo ? 0 : gl;
        in = u >= hi ? 0 : in;
        b->residual[l] += in * (q - u);
        b->inside[l] += in;
        b->below[l] += below;
        b->above[l] += above;
        dx[l] = plain ? gl : in;
    }
}

static void put_dx(real *dx, const real *from, int64_t n, bool sum)
{
    if (!dx) return;
    if (sum)
        for (int64_t l = 0; l < n; l++)
            dx[l] += from[l];
    else
        for (int64_t l = 0; l < n; l++)
            dx[l] = from[l];
}

/* A block of at most DT_POINT_BLOCK elements: lane l takes the elements l, l+16, ... */
static void back_block(const encode_call *c, int64_t at, int64_t n, dt_encode_sums *total)
{
    const dt_encode *e = c->e;
    lane_block b = { { 0 }, { 0 }, { 0 }, { 0 } };
    real part[LANES];
    int64_t j = 0;
    if (!e->thresholds) {
        for (; j + LANES <= n; j += LANES) {
            back_affine_16(c->x + at + j, c->g + at + j, e->scale, e->offset, e->qmin, e->qmax,
                           e->plain, &b, part);
            put_dx(c->y ? c->y + at + j : NULL, part, LANES, c->sum);
        }
    }
    for (; j < n; j++) {
        real u = (c->x[at + j] - e->offset) / e->scale;
        real q = e->thresholds ? nearest_level(e, u) : rint(clip_real(u, e->qmin, e->qmax));
        back_one(e, u, q, c->g[at + j], &b, (int)(j % LANES), part);
        put_dx(c->y ? c->y + at + j : NULL, part, 1, c->sum);
    }
    for (int l = 0; l < LANES; l++) {
        total->residual += (double)b.residual[l];
        total->inside += (double)b.inside[l];
        total->below += (double)b.below[l];
        total->above += (double)b.above[l];
    }
}

static void encode_back_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const encode_call *c = arg;
    int64_t begin = i * DT_POINT_CHUNK, n = chunk_size(c->n, i);
    dt_encode_sums total = { 0, 0, 0, 0 };
    for (int64_t at = 0; at < n; at += DT_POINT_BLOCK)
        back_block(c, begin + at, n - at < DT_POINT_BLOCK ? n - at : DT_POINT_BLOCK, &total);
    c->partial[i] = total;
}

static void encode_back(int threads, int64_t n, const real *x, const real *g, const dt_encode *e,
                        real *dx, bool sum, void *work, dt_encode_sums *sums)
{
    encode_call c = { x, g, dx, n, e, sum, work };
    dt_parallel(threads, chunk_count(n), encode_back_task, &c);
    *sums = (dt_encode_sums){ 0, 0, 0, 0 };
    for (int64_t i = 0; i < chunk_count(n); i++) {
        sums->residual += c.partial[i].residual;
        sums->inside += c.partial[i].inside;
        sums->below += c.partial[i].below;
        sums->above += c.partial[i].above;
    }
}

void POINT_FILL(dt_point_kernels *k)
{
    *k = (dt_point_kernels){ add,         relu,           relu_back, moments,
                             scale_shift, norm_back_sums, norm_back, column_sums,
                             encode,      encode_back };
}
