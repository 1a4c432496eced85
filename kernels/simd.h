/* Vectors of float for the template kernels: 8 lanes with AVX2, 16 with AVX-512, chosen by the
 * flags that a file is compiled with. Loads and stores need no alignment. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_KERNELS_SIMD_H
#define DT_KERNELS_SIMD_H

#include <immintrin.h>

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

#endif
#endif
