/* One door to memory: a table of functions, tagged and checked; and arenas for objects that are
 * built piece by piece and freed as a whole. malloc is called in this folder only. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CORE_ALLOC_H
#define DT_CORE_ALLOC_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

/* Allocator. `get` returns DT_ALIGN-aligned memory or NULL; `put` takes what `get` gave (never
 * NULL). Both may be called from any thread. `tag` names the owner in counts and limits. */
typedef struct dt_alloc {
    void *(*get)(void *self, size_t size, const char *tag);
    void (*put)(void *self, void *memory, size_t size);
    void *self;
    bool blank; /* `get` gives zeros, and nobody needs starting values: see core/memory.h */
} dt_alloc;

/* The C library's allocator; static storage. */
const dt_alloc *dt_alloc_std(void);

/* Zeroed memory of `size` bytes (0 gives 1), NULL when there is none; `a` NULL = dt_alloc_std(). */
void *dt_get(const dt_alloc *a, size_t size, const char *tag) DT_MUST_CHECK;
/* Zeroed array of `count` elements; NULL also when count * size overflows. */
void *dt_get_array(const dt_alloc *a, size_t count, size_t size, const char *tag) DT_MUST_CHECK;
/* Gives memory back; NULL is fine. */
void dt_put(const dt_alloc *a, void *memory);
/* Grows an array to at least `count` elements (doubling); the old one is freed, new elements are
 * zero. On failure the old array stays valid. `*capacity` is in elements. */
dt_status dt_grow(const dt_alloc *a, void **array, size_t *capacity, size_t count, size_t size,
                  const char *tag, dt_error *err) DT_MUST_CHECK;

/* A formatted text of any length, to be given back with dt_put(a, .); NULL: no memory. */
char *dt_format(const dt_alloc *a, const char *fmt, ...) DT_PRINTF(2, 3) DT_MUST_CHECK;

/* *out = a * b; false when it does not fit. */
bool dt_size_mul(size_t a, size_t b, size_t *out) DT_MUST_CHECK;

/* Arena: many pieces, one free. In sanitizer builds every piece is an allocation of its own, so
 * that overruns are seen. */
typedef struct dt_arena dt_arena;
dt_arena *dt_arena_new(const dt_alloc *a, const char *tag) DT_MUST_CHECK; /* NULL: no memory */
void dt_arena_free(dt_arena *arena);                                      /* NULL is fine */
void *dt_arena_get(dt_arena *arena, size_t size) DT_MUST_CHECK;           /* zeroed, aligned */
char *dt_arena_strdup(dt_arena *arena, const char *text) DT_MUST_CHECK;
char *dt_arena_printf(dt_arena *arena, const char *fmt, ...) DT_PRINTF(2, 3) DT_MUST_CHECK;
char *dt_arena_vprintf(dt_arena *arena, const char *fmt, va_list args)
    DT_PRINTF(2, 0) DT_MUST_CHECK;

#endif
