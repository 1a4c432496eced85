/* Kernels on quantized weights between steps: whether codes oscillate, the pull to the grid, codes
 * that are held. One source (weight_impl.h) is compiled once a tier; all tiers give the same bits.
 * A call works on n elements that share one encoder, x as after the quantizer's transform; q is the
 * encoder's (point.h). Codes are kept as numbers: level or q itself. No arrays overlap. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_WEIGHT_H
#define DT_KERNELS_WEIGHT_H

#include "kernels/point.h"

/* In `held`: this weight is not held. Further from 0 than any code. */
#define DT_NOT_HELD ((real)4e9)

typedef struct dt_weight_kernels {
    /* code = q */
    void (*codes)(int64_t n, const real *x, const dt_encode *e, real *code);
    /* One look at the codes (Nagel 2022, arXiv:2203.11086, section 2.3): a change against the last
     * change is a reversal, turn (-1, 0, 1) is the direction of the last change, and
     * flips = m reversal + (1 - m) flips. Adds to counts: codes that changed, flips above
     * `threshold`. */
    void (*track)(int64_t n, const real *x, const dt_encode *e, real m, real threshold, real *code,
                  real *turn, real *flips, int64_t counts[2]);
    /* g += factor (x - y) where qmin <= u <= qmax, y the value of q. */
    void (*dampen)(int64_t n, const real *x, const dt_encode *e, real factor, real *g);
    /* x = a value inside the cell of `held` where one is: the code's own, or a quarter of a step
     * inside the end codes, so that gradients count it as inside for every mask. */
    void (*hold)(int64_t n, const dt_encode *e, const real *held, real *x);
    /* Weights whose flips are above `threshold` are held from now on, at the code next to `mean`,
     * which is then moved: mean = m code + (1 - m) mean. Affine encoders. How many were new. */
    int64_t (*settle)(int64_t n, const dt_encode *e, real m, real threshold, const real *flips,
                      real *code, real *turn, real *mean, real *held);
    /* Takes the gradient g of held weights away: g = 0 there. The result is the sum of
     * g (part held - (q - u)): with part 1 what the scale's gradient lacks for a code that is a
     * constant, with 0 what takes held weights out of it. */
    double (*held_back)(int64_t n, const real *x, const dt_encode *e, const real *held, real part,
                        real *g);
    /* y = keep y + (1 - keep) x */
    void (*blend)(int64_t n, real keep, const real *x, real *y);
} dt_weight_kernels;

void dt_weight_scalar(dt_weight_kernels *k);
void dt_weight_avx2(dt_weight_kernels *k);
void dt_weight_avx512(dt_weight_kernels *k);

#endif
