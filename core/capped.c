/* The allocator that gives no more than a limit. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/memory.h"

static void *get(void *self, size_t size, const char *tag)
{
    dt_capped *c = self;
    size_t before = atomic_fetch_add(&c->now, size), limit = c->limit;
    void *p = NULL;
    if (size <= limit && before <= limit - size)
        p = c->base->get(c->base->self, size, tag);
    else
        c->refused = before > SIZE_MAX - size ? SIZE_MAX : before + size;
    if (!p) atomic_fetch_sub(&c->now, size);
    return p;
}

static void put(void *self, void *memory, size_t size)
{
    dt_capped *c = self;
    c->base->put(c->base->self, memory, size);
    atomic_fetch_sub(&c->now, size);
}

void dt_capped_init(dt_capped *c, const dt_alloc *base, size_t limit)
{
    c->base = base ? base : dt_alloc_std();
    c->alloc = (dt_alloc){ .get = get, .put = put, .self = c, .blank = c->base->blank };
    atomic_init(&c->limit, limit);
    atomic_init(&c->now, 0);
    atomic_init(&c->refused, 0);
}
