/* Vectors of float for the template kernels: 8 lanes with AVX2, 16 with AVX-512, chosen by the
 * flags that a file is compiled with. Loads and stores need no alignment. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_SIMD_H
#define DT_KERNELS_SIMD_H

#include <immintrin.h>

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
