/* Vectors of float for the template kernels: 8 lanes with AVX2, 16 with AVX-512, chosen by the
 * flags that a file is compiled with. Loads and stores need no alignment. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_SIMD_H
#define DT_KERNELS_SIMD_H

#include <immintrin.h>
#include <stdint.h>

#include "core/compiler.h"

#ifdef __AVX512F__

enum { VEC = 16 };
typedef __m512 vec;

static inline vec vec_zero(void)
{
    return _mm512_setzero_ps();
}

static inline vec vec_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

static inline void vec_store(float *p, vec a)
{
    _mm512_storeu_ps(p, a);
}

static inline vec vec_broadcast(const float *p)
{
    return _mm512_set1_ps(*p);
}

static inline vec vec_add(vec a, vec b)
{
    return _mm512_add_ps(a, b);
}

static inline vec vec_sub(vec a, vec b)
{
    return _mm512_sub_ps(a, b);
}

static inline vec vec_mul(vec a, vec b)
{
    return _mm512_mul_ps(a, b);
}

/* The first n lanes, 0 < n < VEC; the others are 0, or not written. */
static inline vec vec_load_part(const float *p, int64_t n)
{
    return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
}

static inline void vec_store_part(float *p, int64_t n, vec a)
{
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), a);
}

static inline vec vec_fma(vec a, vec b, vec c) /* a * b + c, rounded once */
{
    return _mm512_fmadd_ps(a, b, c);
}

/* sum[i] += *p * f[i], rounded once. One vector takes the number spread by the instruction that
 * multiplies; more take it from a register, since a processor does no more loads than products at a
 * time and each product would load. A compiler would not spread it so, hence it is spelled out; where
 * sanitizers must see the load, it is not. */
DT_INLINE void vec_fma_spread(int n, const float *p, const vec *f, vec *sum)
{
#if !DT_ASAN
    if (n == 1) {
        __asm__("vfmadd231ps %2%{1to16%}, %1, %0" : "+v"(sum[0]) : "v"(f[0]), "m"(*p));
        return;
    }
#endif
    vec b = vec_broadcast(p);
    DT_UNROLL for (int i = 0; i < n; i++) sum[i] = vec_fma(b, f[i], sum[i]);
}

#else

enum { VEC = 8 };
typedef __m256 vec;

static inline vec vec_zero(void)
{
    return _mm256_setzero_ps();
}

static inline vec vec_load(const float *p)
{
    return _mm256_loadu_ps(p);
}

static inline void vec_store(float *p, vec a)
{
    _mm256_storeu_ps(p, a);
}

static inline vec vec_broadcast(const float *p)
{
    return _mm256_broadcast_ss(p);
}

static inline vec vec_add(vec a, vec b)
{
    return _mm256_add_ps(a, b);
}

static inline vec vec_sub(vec a, vec b)
{
    return _mm256_sub_ps(a, b);
}

static inline vec vec_mul(vec a, vec b)
{
    return _mm256_mul_ps(a, b);
}

static inline __m256i vec_first(int64_t n) /* a mask of the first n lanes */
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* The first n lanes, 0 < n < VEC; the others are 0, or not written. */
static inline vec vec_load_part(const float *p, int64_t n)
{
    return _mm256_maskload_ps(p, vec_first(n));
}

static inline void vec_store_part(float *p, int64_t n, vec a)
{
    _mm256_maskstore_ps(p, vec_first(n), a);
}

static inline vec vec_fma(vec a, vec b, vec c) /* a * b + c, rounded once */
{
    return _mm256_fmadd_ps(a, b, c);
}

/* sum[i] += *p * f[i], rounded once. */
DT_INLINE void vec_fma_spread(int n, const float *p, const vec *f, vec *sum)
{
    vec b = vec_broadcast(p);
    DT_UNROLL for (int i = 0; i < n; i++) sum[i] = vec_fma(b, f[i], sum[i]);
}

#endif
#endif
