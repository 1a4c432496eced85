/* OpenBLAS, loaded when products are first wanted: what only reads files does without it and
 * without the memory that it takes when it is loaded. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_BLAS_H
#define DT_KERNELS_BLAS_H

#include <cblas.h>

#include "core/compiler.h"
#include "core/status.h"

/* LAPACK's, for which no header is at hand: Fortran's, with the length of `uplo` behind. */
typedef void dt_lapack_cholesky(const char *uplo, const blasint *n, double *a, const blasint *lda,
                                blasint *info, size_t uplo_length);

typedef struct dt_blas {
    DT_TYPEOF(cblas_sgemm) * sgemm;
    DT_TYPEOF(cblas_dgemm) * dgemm;
    dt_lapack_cholesky *potrf, *potri;
    DT_TYPEOF(openblas_set_num_threads) * set_num_threads;
    DT_TYPEOF(openblas_get_config) * get_config;
    DT_TYPEOF(openblas_get_corename) * get_corename;
} dt_blas;

/* Loads it once for the process; `threads` of ours will call it. It maps a buffer for each, and
 * where that does not fit below RLIMIT_AS it would never come back: NOMEM then, before it is
 * loaded. NOT_FOUND with the loader's words where it is not installed. Executors of tiers that use
 * it do this; whoever calls it otherwise does it first. Several threads may call it. */
dt_status dt_blas_load(int threads, dt_error *err) DT_MUST_CHECK;
/* The bytes of address space that it is given. */
size_t dt_blas_room(int threads);
/* The functions; after dt_blas_load was OK. */
const dt_blas *dt_blas_get(void);
/* Tells the library to use the calling thread only. */
void dt_blas_serial(void);
/* The library, its version and the kind of core that it chose its kernels for: "OpenBLAS 0.3.21
 * SkylakeX". Cut to `size`; "" where it cannot be loaded. */
void dt_blas_name(char *text, size_t size);

#endif
