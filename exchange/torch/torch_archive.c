/* What PyTorch's two layouts have in common. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/torch/torch_archive.h"

#include <string.h>

static const struct {
    const char *global;
    dt_dtype dtype;
} storage_types[] = {
    { "torch FloatStorage", DT_F32 },
    { "torch DoubleStorage", DT_F64 },
    { "torch HalfStorage", DT_F16 },
    { "torch BFloat16Storage", DT_BF16 },
    { "torch LongStorage", DT_I64 },
    { "torch IntStorage", DT_I32 },
    { "torch ShortStorage", DT_I16 },
    { "torch CharStorage", DT_S8 },
    { "torch ByteStorage", DT_U8 },
    { "torch BoolStorage", DT_BOOL },
    { "torch.storage UntypedStorage", DT_U8 },
};

static dt_status element_type(const dt_where *where, const dt_pickle_value *type, dt_dtype *out,
                              dt_error *err)
{
    const char *global = dt_pickle_global(type);
    if (!global || type->kind != DT_PICKLE_GLOBAL)
        return dt_fail(err, DT_ERR_FORMAT, where, "a storage without an element type");
    for (size_t i = 0; i < DT_ARRAY_LEN(storage_types); i++) {
        if (strcmp(storage_types[i].global, global) != 0) continue;
        *out = storage_types[i].dtype;
        return DT_OK;
    }
    return dt_fail(err, DT_ERR_UNSUPPORTED, where, "refuses the global '%s' as an element type",
                   global);
}

dt_status dt_torch_describe(const dt_torch_archive *t, const char *name,
                            const dt_pickle_value *persid, dt_torch_storage *out, dt_error *err)
{
    const dt_where where = { .file = t->path, .key = name };
    const dt_pickle_value *id = persid->item[0];
    if (id->kind != DT_PICKLE_TUPLE || id->count < 5 || id->count > 6 ||
        !dt_pickle_is(id->item[0], DT_PICKLE_STR, "storage"))
        return dt_fail(err, DT_ERR_FORMAT, &where, "the identifier of a storage is damaged");
    const dt_pickle_value *key = id->item[2], *count = id->item[4];
    bool key_ok = key->kind == DT_PICKLE_STR && key->size && key->size < 256 &&
                  strlen(key->text) == key->size;
    if (!key_ok || count->kind != DT_PICKLE_INT || count->integer < 0)
        return dt_fail(err, DT_ERR_FORMAT, &where, "the identifier of a storage is damaged");
    if (id->count == 6 && id->item[5]->kind != DT_PICKLE_NONE)
        return dt_fail(err, DT_ERR_UNSUPPORTED, &where, "views of storages are not read");
    *out = (dt_torch_storage){ .key = key->text, .count = count->integer };
    return element_type(&where, id->item[1], &out->dtype, err);
}

dt_status dt_torch_open(const char *path, const unsigned char *bytes, size_t size,
                        const dt_alloc *a, dt_torch_archive *out, dt_error *err)
{
    const dt_where where = { .file = path };
    dt_torch_archive t = {
        .path = path, .size = size, .alloc = a, .arena = dt_arena_new(a, "torch file")
    };
    if (!t.arena) return dt_fail(err, DT_ERR_NOMEM, &where, "no memory");
    dt_status st = dt_torch_is_zip(bytes, size) ? dt_torch_zip_open(&t, bytes, size, err)
                                                : dt_torch_legacy_open(&t, bytes, size, err);
    if (st == DT_OK)
        *out = t;
    else
        dt_torch_close(&t);
    return st;
}

void dt_torch_close(dt_torch_archive *t)
{
    if (!t) return;
    dt_torch_zip_close(t);
    dt_arena_free(t->arena);
    *t = (dt_torch_archive){ 0 };
}

dt_status dt_torch_get(dt_torch_archive *t, const char *name, const dt_pickle_value *persid,
                       dt_torch_storage *out, dt_error *err)
{
    dt_torch_storage s;
    DT_TRY(dt_torch_describe(t, name, persid, &s, err));
    if (t->zip)
        DT_TRY(dt_torch_zip_get(t, name, &s, err));
    else
        DT_TRY(dt_torch_legacy_get(t, name, &s, err));
    *out = s;
    return DT_OK;
}
