/* How much memory there is, and an allocator that only counts. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CORE_MEMORY_H
#define DT_CORE_MEMORY_H

#include <stdatomic.h>

#include "core/alloc.h"

/* Bytes that this process can still get: what the kernel calls available, and the room below the
 * limits of its control groups (both versions), whichever is least. SIZE_MAX where the system tells
 * nothing. `root` is a folder that /proc and /sys are looked for in, "" in earnest. */
size_t dt_memory_available(const char *root);
/* Of the process now: resident bytes; 0 where the system does not tell. */
size_t dt_memory_resident(void);
/* Room that is left below RLIMIT_AS; SIZE_MAX without a limit. */
size_t dt_memory_address_room(void);
/* "512M", "8G", "1000000": bytes, with K, M, G or T for powers of 1024. False: no such number. */
bool dt_memory_parse(const char *text, size_t *out_bytes);

/* The most that may be used by the process; 0: whatever there is. */
typedef struct dt_memory_limit {
    size_t bytes;
    const char *why; /* for messages: "--memory" */
} dt_memory_limit;

/* An allocator that gives no more than a limit. Several threads may use it. */
typedef struct dt_capped {
    dt_alloc alloc;       /* give &c->alloc to what is to be held */
    const dt_alloc *base; /* where its memory is from */
    atomic_size_t limit;  /* of all blocks together */
    atomic_size_t now;
    atomic_size_t refused; /* what all would have come to when one was refused last; 0: none was */
} dt_capped;

/* `base` NULL: dt_alloc_std(); borrowed. There is nothing to close. */
void dt_capped_init(dt_capped *c, const dt_alloc *base, size_t limit);

enum { DT_MEMORY_TAGS = 24 };

/* Counts what is asked for. Its memory is zero, and costs nothing until it is written to: large
 * blocks are pages that the system promises only, and nobody fills blank memory with starting
 * values (dt_alloc.blank). Several threads may use it. */
typedef struct dt_measure {
    dt_alloc alloc;    /* give &m->alloc to what is to be measured */
    const char *owner; /* counted under this name instead of the tags; NULL: by tag */
    size_t now, most;  /* bytes of all blocks, and the most there were at a time */
    struct {
        const char *name;
        size_t now, most;
    } tag[DT_MEMORY_TAGS]; /* as in dt_get; what finds no row is in the sums only */
    bool refused;          /* a block could not even be promised */
    void *lock;
} dt_measure;

dt_status dt_measure_init(dt_measure *m, dt_error *err) DT_MUST_CHECK;
void dt_measure_fini(dt_measure *m); /* after all blocks were given back */
/* The most bytes that a tag had; 0: there is none. */
size_t dt_measure_of(const dt_measure *m, const char *tag);

#endif
