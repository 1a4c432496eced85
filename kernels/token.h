/* Kernels of transformers on rows: layer norm, softmax, and GELU. A call is one thread's; the ops
 * cut rows into tasks by shape. One source (token_impl.h) is compiled once a tier, so every tier
 * gives the same bits: sums run in 16 fixed lanes, and exp and erf are polynomials. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_TOKEN_H
#define DT_KERNELS_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/compiler.h"

typedef struct dt_token_kernels {
    /* y = (x - mean) * rstd * gamma + beta with mean and biased variance of each row of x [rows,C],
     * rstd = 1 / sqrt(variance + eps); stats [rows][2]: mean, rstd. y may be x. */
    void (*layernorm)(int64_t rows, int64_t C, real eps, const real *x, const real *gamma,
                      const real *beta, real *y, real *stats);
    /* dx (NULL: not wanted; added when `sum`; may be g), and adds to dgamma [C] and dbeta [C] (both
     * NULL: not wanted). */
    void (*layernorm_back)(int64_t rows, int64_t C, const real *x, const real *g, const real *gamma,
                           const real *stats, real *dx, bool sum, real *dgamma, real *dbeta);
    /* y = x Phi(x), Phi the normal distribution: by erf, or by the tanh formula of Hendrycks and
     * Gimpel 2016 (arXiv:1606.08415). y may be x. */
    void (*gelu)(int64_t n, bool by_tanh, const real *x, real *y);
    /* dx may be g; added when `sum`. */
    void (*gelu_back)(int64_t n, bool by_tanh, const real *x, const real *g, real *dx, bool sum);
    /* y = gelu(x) and its slope there, in one computation of Phi: gelu_back is g * slope, bit for
     * bit. Neither may be x. */
    void (*gelu_slope)(int64_t n, bool by_tanh, const real *x, real *y, real *slope);
    /* Rows of y [rows,C] are softmax(x); y may be x. */
    void (*softmax)(int64_t rows, int64_t C, const real *x, real *y);
    /* dx = p (g - sum g p) by row, with p = softmax(x) (added when `sum`); dx may be g. */
    void (*softmax_back)(int64_t rows, int64_t C, const real *p, const real *g, real *dx, bool sum);
} dt_token_kernels;

void dt_token_scalar(dt_token_kernels *k);
void dt_token_avx2(dt_token_kernels *k);
void dt_token_avx512(dt_token_kernels *k);

#endif
