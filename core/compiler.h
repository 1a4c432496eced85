/* Compiler attributes: the only place where extensions beyond C11 are named. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CORE_COMPILER_H
#define DT_CORE_COMPILER_H

#include <stddef.h>

#define DT_MUST_CHECK __attribute__((warn_unused_result))
#define DT_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define DT_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define DT_TYPEOF(x) __typeof__(x)
#define DT_ALIGN 64 /* bytes; every buffer of the engine starts on such a boundary */

/* Bytes up to the next boundary. */
static inline size_t dt_aligned(size_t bytes)
{
    return (bytes + DT_ALIGN - 1) / DT_ALIGN * DT_ALIGN;
}

/* Sanitizers, as gcc and clang tell of them. */
#ifdef __has_feature
#define DT_HAS_FEATURE(name) __has_feature(name)
#else
#define DT_HAS_FEATURE(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || DT_HAS_FEATURE(address_sanitizer)
#define DT_ASAN 1
#else
#define DT_ASAN 0
#endif
#if defined(__SANITIZE_THREAD__) || DT_HAS_FEATURE(thread_sanitizer)
#define DT_TSAN 1
#else
#define DT_TSAN 0
#endif

/* For template kernels: a function whose constant arguments must be seen at the call, and a loop
 * that must vanish so that its array stays in registers. */
#define DT_INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define DT_UNROLL _Pragma("clang loop unroll(full)")
#else
#define DT_UNROLL _Pragma("GCC unroll 32")
#endif
/* Asks for the cache line at `p`, to be read a few microseconds later; never faults. */
#define DT_PREFETCH(p) __builtin_prefetch((p), 0, 2)

/* Element type of tensors. The test build of the scalar tier sets it to double so that gradients
 * can be held to 1e-6; everything that is released is float. */
#ifdef DT_REAL_DOUBLE
typedef double real;
#else
typedef float real;
#endif

#endif
