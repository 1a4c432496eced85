/* A call of any element-wise or column kernel on guarded, unaligned buffers. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TESTS_KERNELS_POINT_CASE_H
#define DT_TESTS_KERNELS_POINT_CASE_H

#include <string.h>

#include "core/alloc.h"
#include "core/rng.h"
#include "kernels/kernels.h"
#include "tests/support/run.h"

enum { POINT_GUARD = 16, POINT_MOST_C = 2048, POINT_MOST_WORK = 1 << 21 };

/* What a kernel gets. a, b: first and second operand [n] or [rows,C]; y: the output, filled before
 * the call with what a sum adds to. */
typedef struct point_io {
    int64_t n, rows, C;
    real *a, *b, *y;
    real column[4][POINT_MOST_C];
    const dt_encode *e;
    bool sum;
    void *work;
    double sums[2][POINT_MOST_C]; /* outputs; of encode_back the five sums */
} point_io;

typedef enum point_alias { POINT_APART, POINT_Y_IS_A, POINT_Y_IS_B } point_alias;

typedef struct point_kernel {
    const char *name;
    bool columns, has_y, can_sum, y_may_be_a, y_may_be_b, encodes;
    void (*run)(const dt_point_kernels *k, int threads, point_io *io);
} point_kernel;

static void run_add(const dt_point_kernels *k, int threads, point_io *io)
{
    k->add(threads, io->n, io->a, io->b, io->y);
}

static void run_relu(const dt_point_kernels *k, int threads, point_io *io)
{
    k->relu(threads, io->n, io->a, io->y);
}

static void run_clip(const dt_point_kernels *k, int threads, point_io *io)
{
    k->clip(threads, io->n, io->a, (real)1.5, io->y);
}

static void run_clip_back(const dt_point_kernels *k, int threads, point_io *io)
{
    k->clip_back(threads, io->n, io->a, io->b, (real)1.5, io->y, io->sum);
}

static void run_relu_back(const dt_point_kernels *k, int threads, point_io *io)
{
    k->relu_back(threads, io->n, io->a, io->b, io->y, io->sum);
}

static void run_encode(const dt_point_kernels *k, int threads, point_io *io)
{
    k->encode(threads, io->n, io->a, io->e, io->y);
}

static void put_sums(point_io *io, const dt_encode_sums *s)
{
    io->sums[0][0] = s->residual;
    io->sums[0][1] = s->inside;
    io->sums[0][2] = s->below;
    io->sums[0][3] = s->above;
    io->sums[0][4] = s->kept;
}

static void run_encode_back(const dt_point_kernels *k, int threads, point_io *io)
{
    dt_encode_sums s;
    k->encode_back(threads, io->n, io->a, io->b, io->e, io->y, io->sum, io->work, &s);
    put_sums(io, &s);
}

static void run_encode_sums(const dt_point_kernels *k, int threads, point_io *io)
{
    dt_encode_sums s;
    k->encode_back(threads, io->n, io->a, io->b, io->e, NULL, false, io->work, &s);
    put_sums(io, &s);
}

static void run_moments(const dt_point_kernels *k, int threads, point_io *io)
{
    k->moments(threads, io->rows, io->C, io->a, io->work, io->sums[0], io->sums[1]);
}

static void run_scale_shift(const dt_point_kernels *k, int threads, point_io *io)
{
    k->scale_shift(threads, io->rows, io->C, io->a, io->column[0], io->column[1], io->column[2],
                   io->work, io->y);
}

static void run_norm_back_sums(const dt_point_kernels *k, int threads, point_io *io)
{
    k->norm_back_sums(threads, io->rows, io->C, io->a, io->b, io->column[0], io->work, io->sums[0],
                      io->sums[1]);
}

static void run_norm_back(const dt_point_kernels *k, int threads, point_io *io)
{
    k->norm_back(threads, io->rows, io->C, io->a, io->b, io->column[0], io->column[1],
                 io->column[2], io->column[3], io->work, io->y, io->sum);
}

static void run_column_sums(const dt_point_kernels *k, int threads, point_io *io)
{
    k->column_sums(threads, io->rows, io->C, io->a, io->work, io->sums[0]);
}

static const point_kernel point_table[] = {
    { "add", .has_y = true, .y_may_be_a = true, .y_may_be_b = true, .run = run_add },
    { "relu", .has_y = true, .y_may_be_a = true, .run = run_relu },
    { "relu_back", .has_y = true, .can_sum = true, .y_may_be_b = true, .run = run_relu_back },
    { "clip", .has_y = true, .y_may_be_a = true, .run = run_clip },
    { "clip_back", .has_y = true, .can_sum = true, .y_may_be_b = true, .run = run_clip_back },
    { "encode", .has_y = true, .encodes = true, .run = run_encode },
    { "encode_back", .has_y = true, .can_sum = true, .y_may_be_b = true, .encodes = true,
      .run = run_encode_back },
    { "encode_back without dx", .encodes = true, .run = run_encode_sums },
    { "moments", .columns = true, .run = run_moments },
    { "scale_shift", .columns = true, .has_y = true, .y_may_be_a = true, .run = run_scale_shift },
    { "norm_back_sums", .columns = true, .run = run_norm_back_sums },
    { "norm_back", .columns = true, .has_y = true, .can_sum = true, .y_may_be_b = true,
      .run = run_norm_back },
    { "column_sums", .columns = true, .run = run_column_sums },
};

/* Mostly of size 1; now and then 0, -0, a tie of the encoders below, a denormal, a large one. */
static inline void point_fill(real *x, int64_t n, uint32_t stream)
{
    static const float odd[] = { 0, -0.0f, 0.75f, -0.25f, 1e-40f, -1e-40f, 1e9f, -1e9f, 1.75f };
    dt_rng rng;
    dt_rng_open(&rng, 1, DT_RNG_TEST, stream, 0);
    for (int64_t i = 0; i < n; i++) {
        uint32_t pick = dt_rng_below(&rng, 40);
        x[i] = pick < DT_ARRAY_LEN(odd) ? (real)odd[pick] : (real)(4 * dt_rng_uniform(&rng) - 2);
    }
}

/* A guarded copy of `from` at `shift` elements behind an aligned address. */
typedef struct point_buffer {
    real *base, *at;
    int64_t n;
} point_buffer;

static inline point_buffer point_copy(const real *from, int64_t n, int shift)
{
    point_buffer b = { .n = n };
    b.base = dt_get_array(NULL, (size_t)n + 2 * POINT_GUARD + 16, sizeof(real), "test");
    ck_assert_ptr_nonnull(b.base);
    b.at = b.base + POINT_GUARD + shift;
    memset(b.base, 0x5a, ((size_t)n + 2 * POINT_GUARD + 16) * sizeof(real));
    memcpy(b.at, from, (size_t)n * sizeof(real));
    return b;
}

/* Frees; false when a byte around it was written. */
static inline bool point_close(point_buffer *b)
{
    bool intact = true;
    const unsigned char *low = (const unsigned char *)(b->at - POINT_GUARD);
    const unsigned char *high = (const unsigned char *)(b->at + b->n);
    for (size_t i = 0; i < POINT_GUARD * sizeof(real); i++)
        intact = intact && low[i] == 0x5a && high[i] == 0x5a;
    dt_put(NULL, b->base);
    return intact;
}

#endif
