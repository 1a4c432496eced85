/* An allocator that fails once, at a chosen call, and counts what was not given back. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TESTS_SUPPORT_FAILALLOC_H
#define DT_TESTS_SUPPORT_FAILALLOC_H

#include "core/alloc.h"

typedef struct failalloc {
    dt_alloc alloc; /* hand out &alloc */
    size_t calls;   /* so far */
    size_t fail_at; /* this call gives NULL; the first is 1, 0 = none */
    size_t live;    /* blocks that were not given back */
} failalloc;

static void *failalloc_get(void *self, size_t size, const char *tag)
{
    failalloc *f = self;
    if (++f->calls == f->fail_at) return NULL;
    void *memory = dt_alloc_std()->get(NULL, size, tag);
    if (memory) f->live++;
    return memory;
}

static void failalloc_put(void *self, void *memory, size_t size)
{
    failalloc *f = self;
    f->live--;
    dt_alloc_std()->put(NULL, memory, size);
}

/* Call on storage that stays where it is. */
static inline void failalloc_init(failalloc *f, size_t fail_at)
{
    *f = (failalloc){ .alloc = { failalloc_get, failalloc_put, f }, .fail_at = fail_at };
}

#endif
