/* Dense products on all threads. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/gemm.h"

#include <stdio.h>
#include <string.h>

#include "core/thread.h"
#include "kernels/blas.h"

void dt_gemm_begin(const dt_gemm_kernels *g)
{
    if (g->blas) dt_blas_serial();
}

void dt_gemm_name(const dt_gemm_kernels *g, char *text, size_t size)
{
    if (g->blas)
        dt_blas_name(text, size);
    else
        snprintf(text, size, "Detent");
}

typedef struct job {
    const dt_gemm_call *g;
    int64_t rows; /* of a task */
    size_t each;  /* bytes of a thread's work */
} job;

static size_t task_work(const dt_gemm_kernels *g, int64_t m, int64_t n, int64_t k, int threads)
{
    int64_t rows = g->task_rows(m, threads);
    return g->work(rows < m ? rows : m, n, k);
}

size_t dt_gemm_work(const dt_gemm_kernels *g, int64_t m, int64_t n, int64_t k, int threads)
{
    return (size_t)threads * task_work(g, m, n, k, threads);
}

static void rows_task(void *arg, int64_t i, int thread)
{
    const job *j = arg;
    const dt_gemm_call *g = j->g;
    int64_t first = i * j->rows, rows = g->m - first < j->rows ? g->m - first : j->rows;
    const dt_gemm_part part = { .ta = g->ta,
                                .tb = g->tb,
                                .sum = g->sum,
                                .m = rows,
                                .n = g->n,
                                .k = g->k,
                                .alpha = 1,
                                .a = g->a + (g->ta ? first : first * g->k),
                                .b = g->b,
                                .c = g->c + first * g->n,
                                .lda = g->ta ? g->m : g->k,
                                .ldb = g->tb ? g->k : g->n,
                                .ldc = g->n };
    g->kernels->part(&part, dt_gemm_thread_work(g->work, j->each, thread));
}

void dt_gemm(const dt_gemm_call *g)
{
    job j = { g, g->kernels->task_rows(g->m, g->threads),
              task_work(g->kernels, g->m, g->n, g->k, g->threads) };
    dt_gemm_begin(g->kernels);
    dt_parallel(g->threads, (g->m + j.rows - 1) / j.rows, rows_task, &j);
}

/* ---- a^T b ---- */

enum { SLICE = 1024, BAND = 256, ADD = 4096 }; /* rows; rows decoded at a time; elements */

/* An even number, so that two or four threads have the same work. */
static int64_t slice_count(int64_t k)
{
    int64_t pairs = (k + SLICE) / (2 * SLICE);
    return k < 2 * SLICE ? 1 : 2 * pairs;
}

static size_t partial_bytes(int64_t m, int64_t n)
{
    return dt_aligned((size_t)(m * n) * sizeof(real));
}

static size_t band_bytes(int64_t n)
{
    return dt_aligned((size_t)(BAND * n) * sizeof(real));
}

/* A thread's: the product's, and a band of decoded rows. */
static size_t thread_bytes(const dt_gemm_kernels *g, int64_t m, int64_t n, bool codes)
{
    return g->work(m, n, BAND) + (codes ? band_bytes(n) : 0);
}

size_t dt_gemm_outer_work(const dt_gemm_kernels *g, int64_t m, int64_t n, int64_t k, int threads,
                          bool codes)
{
    if (!codes && slice_count(k) == 1) return dt_gemm_work(g, m, n, k, threads);
    return (size_t)slice_count(k) * partial_bytes(m, n) +
           (size_t)threads * thread_bytes(g, m, n, codes);
}

static real *partial(const dt_gemm_outer *g, int64_t i)
{
    return (real *)(void *)((unsigned char *)g->work + (size_t)i * partial_bytes(g->m, g->n));
}

/* Slice i of the rows, a band at a time. */
static void slice_task(void *arg, int64_t i, int thread)
{
    const dt_gemm_outer *g = arg;
    int64_t slices = slice_count(g->k), first = g->k * i / slices, end = g->k * (i + 1) / slices;
    real *to = slices == 1 ? g->c : partial(g, i);
    unsigned char *work = (unsigned char *)partial(g, slices) +
                          (size_t)thread * thread_bytes(g->kernels, g->m, g->n, !g->b);
    real *band = (real *)(void *)(work + g->kernels->work(g->m, g->n, BAND));
    for (int64_t at = first; at < end; at += BAND) {
        int64_t rows = end - at < BAND ? end - at : BAND;
        if (!g->b) g->decode(rows * g->n, g->codes + at * g->n, g->zero_point, g->scale, band);
        const dt_gemm_part p = { .ta = true,
                                 .sum = at > first,
                                 .m = g->m,
                                 .n = g->n,
                                 .k = rows,
                                 .alpha = 1,
                                 .a = g->a + at * g->m,
                                 .b = g->b ? g->b + at * g->n : band,
                                 .c = to,
                                 .lda = g->m,
                                 .ldb = g->n,
                                 .ldc = g->n };
        g->kernels->part(&p, work);
    }
}

static void add_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const dt_gemm_outer *g = arg;
    int64_t first = i * ADD, left = g->m * g->n - first, n = left < ADD ? left : ADD;
    real *to = g->c + first;
    for (int64_t j = 0; j < n; j++)
        to[j] = partial(g, 0)[first + j];
    for (int64_t slice = 1; slice < slice_count(g->k); slice++) {
        const real *from = partial(g, slice) + first;
        for (int64_t j = 0; j < n; j++)
            to[j] += from[j];
    }
}

void dt_gemm_rows_outer(const dt_gemm_outer *g)
{
    dt_gemm_outer copy = *g;
    if (g->b && slice_count(g->k) == 1) { /* few rows: the other way of cutting */
        const dt_gemm_call rows = { .kernels = g->kernels,
                                    .threads = g->threads,
                                    .ta = true,
                                    .m = g->m,
                                    .n = g->n,
                                    .k = g->k,
                                    .a = g->a,
                                    .b = g->b,
                                    .c = g->c,
                                    .work = g->work };
        dt_gemm(&rows);
        return;
    }
    dt_gemm_begin(g->kernels);
    dt_parallel(g->threads, slice_count(g->k), slice_task, &copy);
    if (slice_count(g->k) > 1)
        dt_parallel(g->threads, (g->m * g->n + ADD - 1) / ADD, add_task, &copy);
}
