/* Allocation and arenas. Every block has a header with its size, so that `put` can tell it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static const size_t PAGE = (size_t)2 << 20, LARGE = (size_t)4 << 20;

/* Asks for pages of 2 MB inside a block: kernels go through an arena of hundreds of MB, and with
 * pages of 4 KB wait for the tables that say where those are. Its ends keep small pages, so that no
 * more memory is used; a system that has no large ones goes on with what it has. */
static void ask_large_pages(void *block, size_t size)
{
#ifdef MADV_HUGEPAGE
    size_t skip = (PAGE - (uintptr_t)block % PAGE) % PAGE, pages = (size - skip) / PAGE;
    (void)madvise((unsigned char *)block + skip, pages * PAGE, MADV_HUGEPAGE);
#else
    (void)block;
    (void)size;
#endif
}

static void *std_get(void *self, size_t size, const char *tag)
{
    (void)self;
    (void)tag;
    if (size > SIZE_MAX - DT_ALIGN) return NULL;
    void *block = aligned_alloc(DT_ALIGN, dt_aligned(size));
    if (block && size >= LARGE) ask_large_pages(block, size);
    return block;
}

static void std_put(void *self, void *memory, size_t size)
{
    (void)self;
    (void)size;
    free(memory);
}

const dt_alloc *dt_alloc_std(void)
{
    static const dt_alloc std = { .get = std_get, .put = std_put };
    return &std;
}

void *dt_get(const dt_alloc *a, size_t size, const char *tag)
{
    if (!a) a = dt_alloc_std();
    if (size > SIZE_MAX - DT_ALIGN) return NULL;
    size_t total = (size ? size : 1) + DT_ALIGN;
    unsigned char *block = a->get(a->self, total, tag);
    if (!block) return NULL;
    if (!a->blank) memset(block, 0, total);
    memcpy(block, &total, sizeof total);
    return block + DT_ALIGN;
}

void *dt_get_array(const dt_alloc *a, size_t count, size_t size, const char *tag)
{
    size_t bytes;
    return dt_size_mul(count, size, &bytes) ? dt_get(a, bytes, tag) : NULL;
}

void dt_put(const dt_alloc *a, void *memory)
{
    if (!memory) return;
    if (!a) a = dt_alloc_std();
    unsigned char *block = (unsigned char *)memory - DT_ALIGN;
    size_t total;
    memcpy(&total, block, sizeof total);
    a->put(a->self, block, total);
}

dt_status dt_grow(const dt_alloc *a, void **array, size_t *capacity, size_t count, size_t size,
                  const char *tag, dt_error *err)
{
    if (count <= *capacity) return DT_OK;
    size_t want = *capacity < 8 ? 8 : *capacity * 2;
    if (want < count) want = count;
    void *bigger = dt_get_array(a, want, size, tag);
    if (!bigger) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for %zu %s", want, tag);
    if (*array) memcpy(bigger, *array, *capacity * size);
    dt_put(a, *array);
    *array = bigger;
    *capacity = want;
    return DT_OK;
}

bool dt_size_mul(size_t a, size_t b, size_t *out)
{
    if (b != 0 && a > SIZE_MAX / b) return false;
    *out = a * b;
    return true;
}

enum { CHUNK = 64 * 1024 };

struct chunk {
    struct chunk *next;
    size_t used, size; /* bytes behind this header */
};

struct dt_arena {
    const dt_alloc *alloc;
    const char *tag;
    struct chunk *chunks;
};

static const size_t chunk_head = (sizeof(struct chunk) + DT_ALIGN - 1) / DT_ALIGN * DT_ALIGN;

dt_arena *dt_arena_new(const dt_alloc *a, const char *tag)
{
    dt_arena *arena = dt_get(a, sizeof *arena, tag);
    if (arena) *arena = (dt_arena){ .alloc = a, .tag = tag };
    return arena;
}

void dt_arena_free(dt_arena *arena)
{
    if (!arena) return;
    for (struct chunk *c = arena->chunks, *next; c; c = next) {
        next = c->next;
        dt_put(arena->alloc, c);
    }
    dt_put(arena->alloc, arena);
}

void *dt_arena_get(dt_arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2) return NULL;
    size = dt_aligned(size);
    struct chunk *c = arena->chunks;
    if (DT_ASAN || !c || c->size - c->used < size) {
        size_t room = DT_ASAN || size > CHUNK ? size : CHUNK;
        c = dt_get(arena->alloc, chunk_head + room, arena->tag);
        if (!c) return NULL;
        *c = (struct chunk){ .next = arena->chunks, .size = room };
        arena->chunks = c;
    }
    void *piece = (unsigned char *)c + chunk_head + c->used;
    c->used += size;
    return piece;
}

char *dt_arena_strdup(dt_arena *arena, const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = dt_arena_get(arena, n);
    if (copy) memcpy(copy, text, n);
    return copy;
}

char *dt_arena_vprintf(dt_arena *arena, const char *fmt, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    char *text = n < 0 ? NULL : dt_arena_get(arena, (size_t)n + 1);
    if (text) vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    return text;
}

char *dt_arena_printf(dt_arena *arena, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *text = dt_arena_vprintf(arena, fmt, args);
    va_end(args);
    return text;
}

char *dt_format(const dt_alloc *a, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *text = n < 0 ? NULL : dt_get(a, (size_t)n + 1, "text");
    if (text) vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    return text;
}
