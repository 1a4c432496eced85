/* 2-D convolution on integer codes, channels last, exact:
 *
 *   y[n,oh,ow,o] = sum over kh,kw,i of
 *                  (x[n, oh*SH-PH+kh*(DH+1), ow*SW-PW+kw*(DW+1), g*I+i] - zero) * w[o,kh,kw,i]
 *                  + bias[o]
 *
 * with I = C/G inputs per group and g = o/(O/G). Outside the picture x is `zero`, the code of 0.0,
 * so padding adds nothing. Sums cannot overflow as long as KH*KW*I <= DT_CONV_INT_MAX_TERMS, and no
 * tier saturates on the way: every tier gives the scalar tier's bits, for any `threads`.
 *
 * A linear layer [N,K] -> [N,O] is the 1x1 convolution of N pictures of 1x1 with C = K. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_CONV_INT_H
#define DT_KERNELS_CONV_INT_H

#include <stdbool.h>

#include "kernels/conv.h"

enum { DT_CONV_INT_MAX_TERMS = 65793 }; /* times 255 * 128 stays below 2^31 */

typedef struct dt_conv_int_call {
    dt_conv_shape shape; /* as for dt_conv_kernels */
    const void *x;       /* [N,H,W,C], uint8_t or int8_t */
    bool is_signed;      /* x is int8_t */
    int zero;            /* a value of x's type */
    int most;        /* x holds no code above it; small ones are multiplied faster. 0: not known */
    const int8_t *w; /* [O,KH,KW,C/G], -128..127 */
    const int32_t *bias; /* [O], NULL: zeros; the sums with it must fit 32 bits */
    int32_t *y;          /* [N,OH,OW,O], overwritten; NULL: only `done` sees the sums */
    /* Called for whole pixels of y, each once, right after they were written and by the thread that
     * wrote them: what comes next finds them in its cache. NULL: nothing comes. `sums`: where the
     * elements first..first+count-1 are. */
    void (*done)(void *arg, int64_t first, int64_t count, int32_t *sums);
    void *arg;
} dt_conv_int_call;

typedef struct dt_conv_int_kernels {
    const char *name; /* "scalar", "avx2", "vnni" */
    /* Bytes of scratch memory (64-byte aligned, content irrelevant); 0 is possible. What is enough
     * for N pictures is enough for fewer. */
    size_t (*workspace)(const dt_conv_shape *s, int threads);
    void (*forward)(const dt_conv_int_call *c, void *workspace, int threads);
} dt_conv_int_kernels;

void dt_conv_int_scalar(dt_conv_int_kernels *k);
void dt_conv_int_avx2(dt_conv_int_kernels *k);
void dt_conv_int_vnni(dt_conv_int_kernels *k); /* AVX-512 with VNNI */

#endif
