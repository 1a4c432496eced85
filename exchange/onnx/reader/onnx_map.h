/* Names to pointers: a hash table that grows. Names and pointers are borrowed. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_ONNX_READER_ONNX_MAP_H
#define DT_EXCHANGE_ONNX_READER_ONNX_MAP_H

#include "core/alloc.h"

typedef struct dt_ox_map { /* { .arena = a } is an empty one */
    dt_arena *arena;
    struct dt_ox_slot {
        const char *name; /* NULL: free */
        void *item;
    } * slot;
    size_t count, room; /* room: a power of two */
} dt_ox_map;

/* NULL: none of that name. */
void *dt_ox_map_find(const dt_ox_map *m, const char *name);
/* Replaces what is there under that name. NOMEM */
dt_status dt_ox_map_set(dt_ox_map *m, const char *name, void *item, dt_error *err) DT_MUST_CHECK;

#endif
