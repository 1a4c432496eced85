/* The allocator that counts. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/memory.h"

enum { LARGE = 1 << 17 /* bytes: pages of their own */ };

typedef struct block {
    size_t tag; /* DT_MEMORY_TAGS: none */
} block;

/* In front of each block, in the alignment that the caller wants. */
static const size_t head = (sizeof(block) + DT_ALIGN - 1) / DT_ALIGN * DT_ALIGN;

static size_t find_tag(dt_measure *m, const char *name)
{
    if (m->owner) name = m->owner;
    for (size_t i = 0; i < DT_MEMORY_TAGS; i++) {
        if (!m->tag[i].name) m->tag[i].name = name;
        if (strcmp(m->tag[i].name, name) == 0) return i;
    }
    return DT_MEMORY_TAGS;
}

static void count(size_t *now, size_t *most, size_t bytes)
{
    *now += bytes;
    if (*now > *most) *most = *now;
}

static void *take(size_t total)
{
    if (total < LARGE) return aligned_alloc(DT_ALIGN, dt_aligned(total));
    void *p = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static void *get(void *self, size_t size, const char *tag)
{
    dt_measure *m = self;
    if (size > SIZE_MAX - head) return NULL;
    pthread_mutex_lock(m->lock);
    size_t i = find_tag(m, tag ? tag : "");
    count(&m->now, &m->most, size); /* also what cannot be had: it is wanted */
    if (i < DT_MEMORY_TAGS) count(&m->tag[i].now, &m->tag[i].most, size);
    unsigned char *p = take(size + head);
    m->refused = m->refused || !p;
    pthread_mutex_unlock(m->lock);
    if (!p) return NULL;
    if (size + head < LARGE) memset(p, 0, size + head);
    ((block *)(void *)p)->tag = i;
    return p + head;
}

static void put(void *self, void *memory, size_t size)
{
    dt_measure *m = self;
    unsigned char *p = (unsigned char *)memory - head;
    size_t i = ((block *)(void *)p)->tag;
    pthread_mutex_lock(m->lock);
    m->now -= size;
    if (i < DT_MEMORY_TAGS) m->tag[i].now -= size;
    pthread_mutex_unlock(m->lock);
    if (size + head < LARGE)
        free(p);
    else
        munmap(p, size + head);
}

dt_status dt_measure_init(dt_measure *m, dt_error *err)
{
    *m = (dt_measure){ .alloc = { .get = get, .put = put, .self = m, .blank = true } };
    m->lock = malloc(sizeof(pthread_mutex_t));
    if (m->lock && pthread_mutex_init(m->lock, NULL) == 0) return DT_OK;
    free(m->lock);
    m->lock = NULL;
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
}

void dt_measure_fini(dt_measure *m)
{
    if (!m->lock) return;
    pthread_mutex_destroy(m->lock);
    free(m->lock);
    m->lock = NULL;
}

size_t dt_measure_of(const dt_measure *m, const char *tag)
{
    for (size_t i = 0; i < DT_MEMORY_TAGS && m->tag[i].name; i++)
        if (strcmp(m->tag[i].name, tag) == 0) return m->tag[i].most;
    return 0;
}
