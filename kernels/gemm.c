/* Dense products through CBLAS. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/gemm.h"

#include <stdio.h>
#include <string.h>

#include "core/thread.h"
#include "kernels/blas.h"

/* Rows of c in a task: the library packs b for each, which short tasks pay for. */
enum { FEW = 64, MANY = 256, MANY_FROM = 1024 };

typedef struct call {
    bool ta, tb, sum;
    int64_t m, n, k, rows; /* of a task */
    const real *a, *b;
    real *c;
} call;

void dt_gemm_serial(void)
{
    dt_blas_get()->set_num_threads(1);
}

void dt_gemm_name(char *text, size_t size)
{
    *text = '\0';
    if (dt_blas_load(1, NULL) != DT_OK) return;
    const dt_blas *blas = dt_blas_get();
    const char *config = blas->get_config(); /* name, version, then how it was built */
    size_t name = strcspn(config, " ");
    size_t words = name + (config[name] ? 1 + strcspn(config + name + 1, " ") : 0);
    snprintf(text, size, "%.*s %s", (int)words, config, blas->get_corename());
}

void dt_gemm_one(const dt_gemm_part *p)
{
#ifdef DT_REAL_DOUBLE
    dt_blas_get()->dgemm(
#else
    dt_blas_get()->sgemm(
#endif
        CblasRowMajor, p->ta ? CblasTrans : CblasNoTrans, p->tb ? CblasTrans : CblasNoTrans,
        (blasint)p->m, (blasint)p->n, (blasint)p->k, p->alpha, p->a, (blasint)p->lda, p->b,
        (blasint)p->ldb, p->sum ? 1 : 0, p->c, (blasint)p->ldc);
}

static void rows_task(void *arg, int64_t i, int thread)
{
    (void)thread;
    const call *g = arg;
    int64_t first = i * g->rows, rows = g->m - first < g->rows ? g->m - first : g->rows;
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
    dt_gemm_one(&part);
}

void dt_gemm(int threads, bool ta, bool tb, int64_t m, int64_t n, int64_t k, const real *a,
             const real *b, bool sum, real *c)
{
    call g = { ta, tb, sum, m, n, k, m < MANY_FROM ? FEW : MANY, a, b, c };
    dt_gemm_serial();
    dt_parallel(threads, (m + g.rows - 1) / g.rows, rows_task, &g);
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

size_t dt_gemm_outer_work(int64_t m, int64_t n, int64_t k, int threads, bool codes)
{
    return (size_t)slice_count(k) * partial_bytes(m, n) +
           (codes ? (size_t)threads * band_bytes(n) : 0);
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
    real *to = slices == 1 ? g->c : partial(g, i), *band = NULL;
    if (!g->b)
        band = (real *)(void *)((unsigned char *)partial(g, slices) +
                                (size_t)thread * band_bytes(g->n));
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
        dt_gemm_one(&p);
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
        dt_gemm(g->threads, true, false, g->m, g->n, g->k, g->a, g->b, false, g->c);
        return;
    }
    dt_gemm_serial();
    dt_parallel(g->threads, slice_count(g->k), slice_task, &copy);
    if (slice_count(g->k) > 1)
        dt_parallel(g->threads, (g->m * g->n + ADD - 1) / ADD, add_task, &copy);
}
