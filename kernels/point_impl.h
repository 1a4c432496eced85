/* Body of the element-wise kernels, included by one file a tier that defines POINT_FILL and
 * TILE_FILL: the loops of tile_impl.h and tile_back_impl.h over whole tensors. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "core/thread.h"
#include "kernels/point_work.h"
#include "kernels/tile_back_impl.h"

typedef struct span {
    const real *a, *b;
    real *y;
    int64_t n;
    bool sum;
    real high; /* of a clip */
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
    tile_add(chunk_size(s->n, i), a, b, y);
}

static void add(int threads, int64_t n, const real *a, const real *b, real *y)
{
    span s = { .a = a, .b = b, .y = y, .n = n };
    dt_parallel(threads, chunk_count(n), add_task, &s);
}

static void relu_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const span *s = arg;
    const real *x = s->a + i * DT_POINT_CHUNK;
    real *y = s->y + i * DT_POINT_CHUNK;
    tile_relu(chunk_size(s->n, i), x, y);
}

static void relu(int threads, int64_t n, const real *x, real *y)
{
    span s = { .a = x, .y = y, .n = n };
    dt_parallel(threads, chunk_count(n), relu_task, &s);
}

static void relu_back_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const span *s = arg;
    const real *y = s->a + i * DT_POINT_CHUNK, *dy = s->b + i * DT_POINT_CHUNK;
    real *dx = s->y + i * DT_POINT_CHUNK;
    tile_relu_back(chunk_size(s->n, i), y, dy, dx, s->sum);
}

static void relu_back(int threads, int64_t n, const real *y, const real *dy, real *dx, bool sum)
{
    span s = { .a = y, .b = dy, .y = dx, .n = n, .sum = sum };
    dt_parallel(threads, chunk_count(n), relu_back_task, &s);
}

static void clip_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const span *s = arg;
    const real *x = s->a + i * DT_POINT_CHUNK;
    tile_clip(chunk_size(s->n, i), x, s->high, s->y + i * DT_POINT_CHUNK);
}

static void clip(int threads, int64_t n, const real *x, real high, real *y)
{
    span s = { .a = x, .y = y, .n = n, .high = high };
    dt_parallel(threads, chunk_count(n), clip_task, &s);
}

static void clip_back_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const span *s = arg;
    const real *y = s->a + i * DT_POINT_CHUNK, *dy = s->b + i * DT_POINT_CHUNK;
    tile_clip_back(chunk_size(s->n, i), y, dy, s->high, s->y + i * DT_POINT_CHUNK, s->sum);
}

static void clip_back(int threads, int64_t n, const real *y, const real *dy, real high, real *dx,
                      bool sum)
{
    span s = { .a = y, .b = dy, .y = dx, .n = n, .sum = sum, .high = high };
    dt_parallel(threads, chunk_count(n), clip_back_task, &s);
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

static void moments_task(void *arg, int64_t i, int thread)
{
    const columns *c = arg;
    int64_t rows, begin = block_begin(c, i, &rows);
    tile_moments(rows, c->C, c->T, (dt_tile_x){ .x = c->x + begin }, c->lanes + thread * 2 * c->T,
                 c->partial + i * 2 * c->C);
}

static void moments(int threads, int64_t rows, int64_t C, const real *x, void *work, double *mean,
                    double *var)
{
    dt_point_layout l = dt_point_lay_out(rows, C, work);
    columns c = { rows, C,    l.T,  l.block_rows, x,     NULL,      NULL,
                  NULL, NULL, NULL, NULL,         false, l.partial, l.lanes };
    dt_parallel(threads, l.blocks, moments_task, &c);
    dt_point_join(&l, rows, C, mean, var);
}

static void scale_shift_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const columns *c = arg;
    int64_t rows, begin = block_begin(c, i, &rows);
    tile_norm(rows * c->C, c->T, (dt_tile_x){ .x = c->x + begin },
              (dt_tile_norm){ .m = c->m, .k = c->k, .b = c->b }, c->y + begin);
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
    int64_t rows, begin = block_begin(c, i, &rows);
    real *s0 = c->lanes + thread * 2 * c->T, *s1 = s0 + c->T;
    for (int64_t j = 0; j < c->T; j++)
        s0[j] = s1[j] = 0;
    tile_norm_sums(rows * c->C, c->T, (dt_tile_x){ .x = c->x + begin }, c->dy + begin, c->m, s0,
                   s1);
    tile_fold(c->T, c->C, s0, c->partial + i * 2 * c->C);
    tile_fold(c->T, c->C, s1, c->partial + i * 2 * c->C + c->C);
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
    int64_t rows, begin = block_begin(c, i, &rows);
    tile_norm_back(rows * c->C, c->T, (dt_tile_x){ .x = c->x + begin }, c->dy + begin, c->m, c->k,
                   c->a, c->b, c->y + begin, c->sum);
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
    lane_sums((dt_tile_x){ .x = c->x + begin }, false, rows * c->C, c->T, acc);
    tile_fold(c->T, c->C, acc, c->partial + i * 2 * c->C);
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

static void encode_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const encode_call *c = arg;
    tile_encode(chunk_size(c->n, i), c->x + i * DT_POINT_CHUNK, c->e, c->y + i * DT_POINT_CHUNK);
}

static void encode(int threads, int64_t n, const real *x, const dt_encode *e, real *y)
{
    encode_call c = { .x = x, .y = y, .n = n, .e = e };
    dt_parallel(threads, chunk_count(n), encode_task, &c);
}

static void encode_back_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const encode_call *c = arg;
    int64_t begin = i * DT_POINT_CHUNK, n = chunk_size(c->n, i);
    dt_encode_sums total = { 0 };
    for (int64_t at = begin; at < begin + n; at += DT_POINT_BLOCK) {
        int64_t left = begin + n - at, size = left < DT_POINT_BLOCK ? left : DT_POINT_BLOCK;
        tile_encode_back(size, c->x + at, c->g + at, c->e, c->y ? c->y + at : NULL, c->sum, &total);
    }
    c->partial[i] = total;
}

static void encode_back(int threads, int64_t n, const real *x, const real *g, const dt_encode *e,
                        real *dx, bool sum, void *work, dt_encode_sums *sums)
{
    encode_call c = { x, g, dx, n, e, sum, work };
    dt_parallel(threads, chunk_count(n), encode_back_task, &c);
    *sums = (dt_encode_sums){ 0 };
    for (int64_t i = 0; i < chunk_count(n); i++) {
        sums->residual += c.partial[i].residual;
        sums->inside += c.partial[i].inside;
        sums->below += c.partial[i].below;
        sums->above += c.partial[i].above;
        sums->kept += c.partial[i].kept;
    }
}

void POINT_FILL(dt_point_kernels *k)
{
    *k = (dt_point_kernels){ add,       relu,        relu_back,   clip,
                             clip_back, moments,     scale_shift, norm_back_sums,
                             norm_back, column_sums, encode,      encode_back };
}

void TILE_FILL(dt_tile_kernels *k)
{
    *k = (dt_tile_kernels){ .norm = tile_norm,
                            .norm_codes = tile_norm_codes,
                            .add = tile_add,
                            .relu = tile_relu,
                            .clip = tile_clip,
                            .encode = tile_encode,
                            .codes = tile_codes,
                            .decode = tile_decode,
                            .scale_sums = tile_scale_sums,
                            .narrow = tile_narrow,
                            .relu_back = tile_relu_back,
                            .clip_back = tile_clip_back,
                            .encode_back = tile_encode_back,
                            .norm_sums = tile_norm_sums,
                            .norm_back = tile_norm_back,
                            .moments = tile_moments,
                            .fold = tile_fold };
}
