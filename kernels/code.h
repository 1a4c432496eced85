/* Element-wise kernels on integer codes: unsigned bytes that mean scale * (code - zero). One source
 * (code_impl.h) is compiled once a tier; every operation is one IEEE float operation, in the order
 * written, so all tiers give the same codes, for any `threads`. rne rounds half to even. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_CODE_H
#define DT_KERNELS_CODE_H

#include <stdint.h>

typedef struct dt_code_grid {
    float scale;         /* > 0 */
    int zero, low, high; /* 0..255, low <= high */
} dt_code_grid;

typedef struct dt_code_kernels {
    /* y = clamp(rne(x / scale), low - zero, high - zero) + zero; nan gives zero. */
    void (*encode)(int threads, int64_t n, const float *x, const dt_code_grid *g, uint8_t *y);
    /* y = the same of (x - from->zero) * from->scale: another grid. */
    void (*move)(int threads, int64_t n, const uint8_t *x, const dt_code_grid *from,
                 const dt_code_grid *to, uint8_t *y);
    /* y = clamp(rne(float(x) * scale[c]), low - zero, high - zero) + zero by column of x [rows,C];
     * the grid's scale is not read. */
    void (*requant)(int threads, int64_t rows, int64_t C, const int32_t *x, const float *scale,
                    const dt_code_grid *g, uint8_t *y);
    /* y = clamp(rne(fma(a, a_ratio, fma(b, b_ratio, fixed))), low, high); fma rounds once. */
    void (*add)(int threads, int64_t n, const uint8_t *a, const uint8_t *b, float a_ratio,
                float b_ratio, float fixed, const dt_code_grid *g, uint8_t *y);
} dt_code_kernels;

void dt_code_scalar(dt_code_kernels *k);
void dt_code_avx2(dt_code_kernels *k);
void dt_code_avx512(dt_code_kernels *k);

#endif
