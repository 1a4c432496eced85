/* Dense matrix products: OpenBLAS on one thread, called on blocks of fixed size that we run in
 * parallel, so that its sums do not depend on the thread count. Row-major. It must have been loaded
 * (blas.h), which executors see to. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_GEMM_H
#define DT_KERNELS_GEMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/compiler.h"

/* c[m,n] = op(a) op(b) (+ c when `sum`); op(a) is [m,k], stored [k,m] when `ta`; likewise b. */
void dt_gemm(int threads, bool ta, bool tb, int64_t m, int64_t n, int64_t k, const real *a,
             const real *b, bool sum, real *c);

/* c[m,n] = a^T b over many rows: a [k,m], b [k,n] or codes of value (code - zero_point) * scale.
 * The rows are cut into slices by k alone, whose products are added in order: gradients of weights.
 */
typedef struct dt_gemm_outer {
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
size_t dt_gemm_outer_work(int64_t m, int64_t n, int64_t k, int threads, bool codes);
void dt_gemm_rows_outer(const dt_gemm_outer *g);

/* c[m,n] = alpha op(a) op(b) (+ c when `sum`) on the calling thread; rows of the stored matrices
 * are lda, ldb and ldc elements apart. For the tasks of an op, which calls dt_gemm_serial first. */
typedef struct dt_gemm_part {
    bool ta, tb, sum;
    int64_t m, n, k;
    real alpha;
    const real *a, *b;
    real *c;
    int64_t lda, ldb, ldc;
} dt_gemm_part;

/* The library, its version and the kind of core that it chose its kernels for, of which the last
 * bits of its sums depend: "OpenBLAS 0.3.21 SkylakeX". Cut to `size`; "" where it cannot be loaded.
 */
enum { DT_GEMM_NAME = 96 };
void dt_gemm_name(char *text, size_t size);

/* Tells the library to use the calling thread only. */
void dt_gemm_serial(void);
void dt_gemm_one(const dt_gemm_part *p);

#endif
