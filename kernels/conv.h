/* 2-D convolution, channels last, direct (no im2col of the whole tensor), groups allowed.
 *
 *   y[n,oh,ow,o] = sum over kh,kw,i of
 *                  x[n, oh*SH-PH+kh*(DH+1), ow*SW-PW+kw*(DW+1), g*I+i] * w[o,kh,kw,i]
 *
 * with I = C/G inputs per group, g = o/(O/G), and 0 outside the picture. Results do not depend on
 * `threads`: work is cut by shape, partial sums are added in index order. Tiers agree with the
 * scalar one within the bound that their tests state (summation order differs). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_CONV_H
#define DT_KERNELS_CONV_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

typedef struct dt_conv_shape {
    int64_t N, H, W, C;        /* input [N,H,W,C] */
    int64_t O, KH, KW;         /* weight [O,KH,KW,C/G] */
    int64_t SH, SW, PH, PW, G; /* stride, padding (zeros, above and left), groups */
    int64_t OH, OW;            /* output [N,OH,OW,O]; what it reaches below and right is zero too */
    int64_t DH, DW;            /* pixels left out between two taps: the dilation less 1 */
} dt_conv_shape;

/* Pixels from the first tap of K to the last. */
static inline int64_t dt_conv_reach(int64_t K, int64_t D)
{
    return (K - 1) * (D + 1) + 1;
}

/* Columns of a padded row: the picture with what is left of it, and all that outputs reach. */
static inline int64_t dt_conv_cols(const dt_conv_shape *s)
{
    int64_t reach = (s->OW - 1) * s->SW + dt_conv_reach(s->KW, s->DW), least = s->PW + s->W;
    return reach > least ? reach : least;
}

/* Zeros behind an axis of `in` elements, as other formats say it: as many as in front where that
 * gives `out` outputs, else what they reach. K: pixels that a window reaches over. */
static inline int64_t dt_conv_pad_end(int64_t in, int64_t K, int64_t S, int64_t P, int64_t out)
{
    if (in + 2 * P >= K && (in + 2 * P - K) / S + 1 == out) return P;
    int64_t end = (out - 1) * S + K - in - P;
    return end > 0 ? end : 0;
}

typedef enum dt_conv_pass {
    DT_CONV_FORWARD,
    DT_CONV_DGRAD,
    DT_CONV_WGRAD,
    DT_CONV_BACKWARD, /* both gradients */
} dt_conv_pass;

/* x of a weight gradient: real numbers, or codes of value (code - zero_point) * scale. */
typedef struct dt_conv_input {
    const real *x;        /* [N,H,W,C]; NULL: codes */
    const uint8_t *codes; /* [N,H,W,C] */
    int zero_point;
    real scale;
} dt_conv_input;

/* Both gradients in one pass over dy. */
typedef struct dt_conv_back {
    dt_conv_shape shape;
    dt_conv_input x;
    const real *w; /* [O,KH,KW,C/G] */
    real *dy;      /* [N,OH,OW,O] */
    /* NULL, or dy is not finished: this makes the pictures first..first+count-1 of it and writes
     * them to `to`, which may be their place in dy. Called once for a picture or more often, from
     * several threads. Pictures are made when they are wanted, so that they are still in cache. */
    void (*finish)(const void *arg, int64_t first, int64_t count, real *to);
    const void *arg;
    real *dx; /* as for dgrad; NULL: not wanted */
    int accumulate;
    real *dw; /* as for wgrad; NULL: not wanted */
} dt_conv_back;

typedef struct dt_conv_kernels {
    /* Bytes of scratch memory (64-byte aligned, content irrelevant) that a pass wants on up to
     * `threads` threads; 0 is possible, the pointer may then be NULL. The shape is the caller's to
     * check: all of it positive (padding may be 0), C and O multiples of G. */
    size_t (*workspace)(const dt_conv_shape *s, dt_conv_pass pass, int threads);
    /* y is overwritten. */
    void (*forward)(const dt_conv_shape *s, const real *x, const real *w, real *y, void *workspace,
                    int threads);
    /* dx = gradient of the input, [N,H,W,C]; added to dx when `accumulate`, else overwritten. */
    void (*dgrad)(const dt_conv_shape *s, const real *dy, const real *w, real *dx, int accumulate,
                  void *workspace, int threads);
    /* dw = gradient of the weight, [O,KH,KW,C/G]; overwritten. */
    void (*wgrad)(const dt_conv_shape *s, const dt_conv_input *x, const real *dy, real *dw,
                  void *workspace, int threads);
    /* The bits of dgrad and wgrad. */
    void (*backward)(const dt_conv_back *b, void *workspace, int threads);
} dt_conv_kernels;

/* Finishes all of dy in its place, if it is not. */
void dt_conv_finish(const dt_conv_back *b, int threads);
/* `backward` by way of k's dgrad and wgrad. */
void dt_conv_back_apart(const dt_conv_kernels *k, const dt_conv_back *b, void *workspace,
                        int threads);

void dt_conv_scalar(dt_conv_kernels *k);
void dt_conv_avx2(dt_conv_kernels *k);
void dt_conv_avx512(dt_conv_kernels *k);

#endif
