/* Names to pointers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_map.h"

#include <string.h>

static uint64_t hash_of(const char *name) /* FNV-1a */
{
    uint64_t h = 14695981039346656037u;
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 1099511628211u;
    return h;
}

/* The slot of a name, or the free one that it would get. */
static struct dt_ox_slot *slot_of(const dt_ox_map *m, const char *name)
{
    size_t at = (size_t)hash_of(name) & (m->room - 1);
    while (m->slot[at].name && strcmp(m->slot[at].name, name) != 0)
        at = (at + 1) & (m->room - 1);
    return &m->slot[at];
}

void *dt_ox_map_find(const dt_ox_map *m, const char *name)
{
    return m->room ? slot_of(m, name)->item : NULL;
}

/* Twice the slots; the arena keeps the old ones. */
static dt_status grow(dt_ox_map *m, dt_error *err)
{
    dt_ox_map larger = { .arena = m->arena, .count = m->count, .room = m->room ? 2 * m->room : 64 };
    size_t bytes;
    if (!dt_size_mul(larger.room, sizeof *larger.slot, &bytes) ||
        !(larger.slot = dt_arena_get(m->arena, bytes)))
        return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for names");
    for (size_t i = 0; i < m->room; i++)
        if (m->slot[i].name) *slot_of(&larger, m->slot[i].name) = m->slot[i];
    *m = larger;
    return DT_OK;
}

dt_status dt_ox_map_set(dt_ox_map *m, const char *name, void *item, dt_error *err)
{
    if (4 * (m->count + 1) > 3 * m->room) DT_TRY(grow(m, err));
    struct dt_ox_slot *s = slot_of(m, name);
    m->count += s->name == NULL;
    *s = (struct dt_ox_slot){ name, item };
    return DT_OK;
}
