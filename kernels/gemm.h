/* Dense matrix products on all threads: blocks of rows, or slices of what is summed, that run in
 * parallel and on one thread each, so that sums do not depend on the thread count. Row-major. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_GEMM_H
#define DT_KERNELS_GEMM_H

#include "kernels/gemm_kernels.h"

/* c[m,n] = op(a) op(b) (+ c when `sum`); op(a) is [m,k], stored [k,m] when `ta`; likewise b. */
typedef struct dt_gemm_call {
    const dt_gemm_kernels *kernels;
    int threads;
    bool ta, tb, sum;
    int64_t m, n, k;
    const real *a, *b;
    real *c;
    void *work; /* dt_gemm_work bytes */
} dt_gemm_call;
size_t dt_gemm_work(const dt_gemm_kernels *g, int64_t m, int64_t n, int64_t k, int threads);
void dt_gemm(const dt_gemm_call *g);

/* c[m,n] = a^T b over many rows: a [k,m], b [k,n] or codes of value (code - zero_point) * scale.
 * The rows are cut into slices by k alone, whose products are added in order: gradients of weights.
 */
typedef struct dt_gemm_outer {
    const dt_gemm_kernels *kernels;
    int threads;
    int64_t m, n, k;
    const real *a;
    const real *b;        /* NULL: codes */
    const uint8_t *codes; /* [k,n] */
    int zero_point;
    real scale;
    void (*decode)(int64_t n, const uint8_t *c, int zero_point, real scale, real *y);
    real *c;
    void *work; /* dt_gemm_outer_work bytes */
} dt_gemm_outer;
size_t dt_gemm_outer_work(const dt_gemm_kernels *g, int64_t m, int64_t n, int64_t k, int threads,
                          bool codes);
void dt_gemm_rows_outer(const dt_gemm_outer *g);

/* Comes before tasks of an op that call g->part by themselves. */
void dt_gemm_begin(const dt_gemm_kernels *g);

/* What the last bits of products depend on beside the tier: "Detent" where they are our own, else
 * the library, its version and the kind of core that it chose its kernels for: "OpenBLAS 0.3.21
 * SkylakeX". Cut to `size`; "" where it cannot be loaded. */
enum { DT_GEMM_NAME = 96 };
void dt_gemm_name(const dt_gemm_kernels *g, char *text, size_t size);

#endif
