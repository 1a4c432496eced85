/* The layout before PyTorch 1.6: pickles of a magic number, a protocol number, the machine's
 * properties, the object and the list of storage keys; then, in that order, every storage as an
 * 8-byte element count and its elements. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "exchange/torch/torch_archive.h"

/* PROTO, version, LONG1 of 10 bytes: 0x1950a86a20f9469cfc6c. */
static const unsigned char magic[] = { 0x80, 2,    0x8a, 10,   0x6c, 0xfc, 0x9c, 0x46,
                                       0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.' };
enum { VERSION_AT = 1, PROTOCOL = 1001 };

bool dt_torch_is_legacy(const unsigned char *bytes, size_t size)
{
    return size >= sizeof magic && bytes[0] == magic[0] &&
           memcmp(bytes + VERSION_AT + 1, magic + VERSION_AT + 1, sizeof magic - VERSION_AT - 1) ==
               0;
}

struct stream {
    dt_torch_archive *t;
    const unsigned char *bytes;
    size_t size, at;
    dt_error *err;
};

static dt_status damaged(const struct stream *s, const char *reason)
{
    const dt_where where = { .file = s->t->path };
    return dt_fail(s->err, DT_ERR_FORMAT, &where, "%s", reason);
}

static dt_status next_pickle(struct stream *s, dt_pickle *out)
{
    DT_TRY(dt_pickle_read(s->t->path, s->bytes + s->at, s->size - s->at, s->t->arena, s->t->alloc,
                          out, s->err));
    s->at += out->size;
    return DT_OK;
}

static dt_status read_head(struct stream *s)
{
    dt_pickle protocol, machine;
    s->at = sizeof magic;
    DT_TRY(next_pickle(s, &protocol));
    if (protocol.root->kind != DT_PICKLE_INT || protocol.root->integer != PROTOCOL)
        return damaged(s, "unknown protocol of the legacy layout; 1001 is read");
    DT_TRY(next_pickle(s, &machine));
    const dt_pickle_value *little = dt_pickle_find(machine.root, "little_endian");
    if (!little || little->kind != DT_PICKLE_BOOL || !little->integer)
        return damaged(s, "is not little endian");
    return DT_OK;
}

static int by_key(const void *a, const void *b)
{
    const dt_torch_storage *x = a, *y = b;
    return strcmp(x->key, y->key);
}

/* The element sizes are known only from the object: lists its storages, each once. */
static dt_status list_storages(struct stream *s)
{
    dt_torch_archive *t = s->t;
    const dt_pickle *p = &t->object;
    size_t bytes;
    if (!dt_size_mul(p->persid_count, sizeof *t->storage, &bytes) ||
        !(t->storage = dt_arena_get(t->arena, bytes)))
        return dt_fail(s->err, DT_ERR_NOMEM, NULL, "%s: no memory", t->path);
    for (size_t i = 0; i < p->persid_count; i++)
        DT_TRY(dt_torch_describe(t, NULL, p->persid[i], &t->storage[i], s->err));
    qsort(t->storage, p->persid_count, sizeof *t->storage, by_key);
    size_t n = 0;
    for (size_t i = 0; i < p->persid_count; i++) {
        const dt_torch_storage *x = &t->storage[i], *last = n ? &t->storage[n - 1] : NULL;
        if (last && strcmp(last->key, x->key) == 0) {
            if (last->dtype != x->dtype || last->count != x->count)
                return damaged(s, "a storage is described in two ways");
            continue;
        }
        t->storage[n++] = *x;
    }
    t->storage_count = n;
    return DT_OK;
}

static dt_torch_storage *find(const dt_torch_archive *t, const char *key)
{
    const dt_torch_storage wanted = { .key = key };
    if (!t->storage_count) return NULL;
    return bsearch(&wanted, t->storage, t->storage_count, sizeof wanted, by_key);
}

/* Takes one storage from the stream: count, then elements. */
static dt_status take_storage(struct stream *s, const dt_pickle_value *key)
{
    const dt_where where = { .file = s->t->path };
    dt_torch_storage *found = key->kind == DT_PICKLE_STR ? find(s->t, key->text) : NULL;
    if (!found || found->data)
        return damaged(s, "the list of storages names one that is not there, or one twice");
    uint64_t count = 0;
    size_t bytes;
    if (s->size - s->at < 8) return damaged(s, "the file ends before its last storage");
    for (int i = 7; i >= 0; i--)
        count = count << 8 | s->bytes[s->at + (size_t)i];
    s->at += 8;
    if (count != (uint64_t)found->count)
        return dt_fail(s->err, DT_ERR_FORMAT, &where,
                       "storage '%s' has %llu elements, its tensors want %lld", found->key,
                       (unsigned long long)count, (long long)found->count);
    if (!dt_size_mul((size_t)count, dt_dtype_size(found->dtype), &bytes) || bytes > s->size - s->at)
        return damaged(s, "the file ends inside a storage");
    found->data = s->bytes + s->at;
    s->at += bytes;
    return DT_OK;
}

dt_status dt_torch_legacy_open(dt_torch_archive *t, const unsigned char *bytes, size_t size,
                               dt_error *err)
{
    struct stream s = { .t = t, .bytes = bytes, .size = size, .err = err };
    if (!dt_torch_is_legacy(bytes, size)) return damaged(&s, "is no PyTorch file");
    DT_TRY(read_head(&s));
    DT_TRY(next_pickle(&s, &t->object));
    DT_TRY(list_storages(&s));
    dt_pickle keys;
    DT_TRY(next_pickle(&s, &keys));
    if (keys.root->kind != DT_PICKLE_LIST) return damaged(&s, "has no list of storages");
    for (size_t i = 0; i < keys.root->count; i++)
        DT_TRY(take_storage(&s, keys.root->item[i]));
    if (s.at != size) return damaged(&s, "has bytes behind its last storage");
    return DT_OK;
}

dt_status dt_torch_legacy_get(const dt_torch_archive *t, const char *name,
                              dt_torch_storage *storage, dt_error *err)
{
    const dt_where where = { .file = t->path, .key = name };
    const dt_torch_storage *found = find(t, storage->key);
    if (!found || !found->data)
        return dt_fail(err, DT_ERR_FORMAT, &where, "storage '%s' is not in the file", storage->key);
    *storage = *found;
    return DT_OK;
}
