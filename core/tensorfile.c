/* Named tensors in memory. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tensorfile.h"

#include <math.h>
#include <string.h>

static const struct {
    const char *name;
    size_t size;
} dtypes[] = {
    [DT_F32] = { "f32", 4 },   [DT_F64] = { "f64", 8 }, [DT_F16] = { "f16", 2 },
    [DT_BF16] = { "bf16", 2 }, [DT_I64] = { "i64", 8 }, [DT_I32] = { "i32", 4 },
    [DT_I16] = { "i16", 2 },   [DT_S8] = { "s8", 1 },   [DT_U8] = { "u8", 1 },
    [DT_BOOL] = { "bool", 1 },
};

size_t dt_dtype_size(dt_dtype t)
{
    return dtypes[t].size;
}

const char *dt_dtype_name(dt_dtype t)
{
    return dtypes[t].name;
}

dt_status dt_tensors_init(dt_tensors *set, const dt_alloc *a, dt_error *err)
{
    *set = (dt_tensors){ .arena = dt_arena_new(a, "tensors") };
    if (!set->arena) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a tensor set");
    return DT_OK;
}

void dt_tensors_fini(dt_tensors *set)
{
    if (!set) return;
    dt_arena_free(set->arena);
    *set = (dt_tensors){ 0 };
}

/* Grows an array that lives in the arena; the old one stays there until the set ends. */
static void *grown(dt_arena *arena, void *old, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity) return old;
    size_t want = *capacity ? *capacity * 2 : 32, bytes;
    if (!dt_size_mul(want, size, &bytes)) return NULL;
    void *bigger = dt_arena_get(arena, bytes);
    if (!bigger) return NULL;
    if (count) memcpy(bigger, old, count * size);
    *capacity = want;
    return bigger;
}

/* FNV-1a. */
static size_t hash(const char *name)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 0x100000001b3u;
    return (size_t)(h ^ h >> 32);
}

/* The slot of a name, or the free one where it belongs; `slot_count` is a power of two and at least
 * half of it is free. */
static uint32_t *slot_of(const dt_tensors *set, const char *name)
{
    for (size_t i = hash(name);; i++) {
        uint32_t *slot = &set->slot[i & (set->slot_count - 1)];
        if (!*slot || strcmp(set->item[*slot - 1].name, name) == 0) return slot;
    }
}

/* Makes room for one more name. The smaller table stays in the arena. */
static bool grow_slots(dt_tensors *set)
{
    if (set->count >= UINT32_MAX / 4) return false;
    if (2 * (set->count + 1) <= set->slot_count) return true;
    size_t want = set->slot_count ? set->slot_count * 2 : 64;
    uint32_t *slot = dt_arena_get(set->arena, want * sizeof *slot);
    if (!slot) return false;
    set->slot = slot;
    set->slot_count = want;
    for (size_t i = 0; i < set->count; i++)
        *slot_of(set, set->item[i].name) = (uint32_t)i + 1;
    return true;
}

/* Adds an item whose name is not there yet; the name is copied. False: no memory. */
static bool append(dt_tensors *set, const char *name, dt_named_tensor t)
{
    void *items = grown(set->arena, set->item, set->count, &set->capacity, sizeof *set->item);
    t.name = dt_arena_strdup(set->arena, name);
    if (items) set->item = items;
    if (!items || !t.name || !grow_slots(set)) return false;
    set->item[set->count++] = t;
    *slot_of(set, t.name) = (uint32_t)set->count;
    return true;
}

dt_status dt_tensors_add(dt_tensors *set, const char *name, dt_dtype dtype, const dt_shape *shape,
                         const void *data, dt_error *err)
{
    const dt_where where = { .key = name };
    if (dt_tensors_find(set, name))
        return dt_fail(err, DT_ERR_ARG, &where, "a tensor of this name is already there");
    int64_t n = dt_shape_count(shape);
    size_t bytes;
    if (n <= 0 || !dt_size_mul((size_t)n, dt_dtype_size(dtype), &bytes))
        return dt_fail(err, DT_ERR_SHAPE, &where, "the shape is empty or too large");
    if (!data) data = dt_arena_get(set->arena, bytes);
    if (!data || !append(set, name, (dt_named_tensor){ NULL, dtype, *shape, data }))
        return dt_fail(err, DT_ERR_NOMEM, &where, "no memory");
    return DT_OK;
}

dt_status dt_tensors_rename(dt_tensors *set, const char *const *name, const char *path,
                            dt_error *err)
{
    dt_tensors next = { .arena = set->arena };
    for (size_t i = 0; i < set->count; i++) {
        if (!name[i]) continue;
        const dt_where where = { .file = path, .key = name[i] };
        if (dt_tensors_find(&next, name[i]))
            return dt_fail(err, DT_ERR_FORMAT, &where, "two tensors have this name");
        if (!append(&next, name[i], set->item[i]))
            return dt_fail(err, DT_ERR_NOMEM, &where, "no memory");
    }
    set->item = next.item;
    set->count = next.count;
    set->capacity = next.capacity;
    set->slot = next.slot;
    set->slot_count = next.slot_count;
    return DT_OK;
}

void *dt_tensors_data(dt_tensors *set, size_t i)
{
    return (void *)(uintptr_t)set->item[i].data;
}

const dt_named_tensor *dt_tensors_find(const dt_tensors *set, const char *name)
{
    if (!set->slot_count) return NULL;
    const uint32_t *slot = slot_of(set, name);
    return *slot ? &set->item[*slot - 1] : NULL;
}

dt_status dt_tensors_set_attr(dt_tensors *set, const char *key, const char *value, dt_error *err)
{
    char *v = dt_arena_strdup(set->arena, value);
    if (!v) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    for (size_t i = 0; i < set->attr_count; i++) {
        if (strcmp(set->attr[i].key, key) != 0) continue;
        set->attr[i].value = v;
        return DT_OK;
    }
    char *k = dt_arena_strdup(set->arena, key);
    void *attrs =
        grown(set->arena, set->attr, set->attr_count, &set->attr_capacity, sizeof *set->attr);
    if (!k || !attrs) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    set->attr = attrs;
    set->attr[set->attr_count].key = k;
    set->attr[set->attr_count++].value = v;
    return DT_OK;
}

const char *dt_tensors_attr(const dt_tensors *set, const char *key)
{
    for (size_t i = 0; i < set->attr_count; i++)
        if (strcmp(set->attr[i].key, key) == 0) return set->attr[i].value;
    return NULL;
}

static bool same_tensor(const dt_named_tensor *a, const dt_named_tensor *b)
{
    return b && a->dtype == b->dtype && dt_shape_equal(&a->shape, &b->shape) &&
           memcmp(a->data, b->data, (size_t)dt_shape_count(&a->shape) * dtypes[a->dtype].size) == 0;
}

bool dt_tensors_equal(const dt_tensors *a, const dt_tensors *b)
{
    bool same = a->count == b->count && a->attr_count == b->attr_count;
    for (size_t i = 0; same && i < a->attr_count; i++) {
        const char *text = dt_tensors_attr(b, a->attr[i].key);
        same = text && strcmp(text, a->attr[i].value) == 0;
    }
    for (size_t i = 0; same && i < a->count; i++)
        same = same_tensor(&a->item[i], dt_tensors_find(b, a->item[i].name));
    return same;
}

/* IEEE half to float, subnormals included. */
static float half_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, e = (h >> 10) & 31, m = h & 1023, bits;
    float f;
    if (e == 0) {
        f = (float)m * 0x1p-24f;
        memcpy(&bits, &f, 4);
        bits |= sign;
    } else {
        bits = sign | (e == 31 ? 0x7f800000u : (e + 112) << 23) | m << 13;
    }
    memcpy(&f, &bits, 4);
    return f;
}

static float bf16_to_f32(uint16_t h)
{
    uint32_t bits = (uint32_t)h << 16;
    float f;
    memcpy(&f, &bits, 4);
    return f;
}

/* `src` may be unaligned: tensors lie in files as they lie. */
#define CONVERT(type, expr)                                                                        \
    for (size_t i = 0; i < count; i++) {                                                           \
        type v;                                                                                    \
        memcpy(&v, (const unsigned char *)src + i * sizeof v, sizeof v);                           \
        dst[i] = (float)(expr);                                                                    \
    }                                                                                              \
    break

void dt_to_f32(dt_dtype from, const void *src, size_t count, float *dst)
{
    switch (from) {
    case DT_F32:
        CONVERT(float, v);
    case DT_F64:
        CONVERT(double, v);
    case DT_F16:
        CONVERT(uint16_t, half_to_f32(v));
    case DT_BF16:
        CONVERT(uint16_t, bf16_to_f32(v));
    case DT_I64:
        CONVERT(int64_t, v);
    case DT_I32:
        CONVERT(int32_t, v);
    case DT_I16:
        CONVERT(int16_t, v);
    case DT_S8:
        CONVERT(int8_t, v);
    case DT_U8:
        CONVERT(uint8_t, v);
    case DT_BOOL:
        CONVERT(uint8_t, v != 0);
    }
}

static double element(const dt_named_tensor *t, size_t i)
{
    const unsigned char *at = (const unsigned char *)t->data + i * dt_dtype_size(t->dtype);
    double wide;
    float x;
    if (t->dtype == DT_F64) {
        memcpy(&wide, at, sizeof wide);
        return wide;
    }
    dt_to_f32(t->dtype, at, 1, &x);
    return (double)x;
}

static dt_status bad_element(const dt_named_tensor *t, const char *path, size_t i, dt_error *err)
{
    const dt_where where = { .file = path, .key = t->name };
    char text[DT_SHAPE_TEXT];
    dt_shape at = { .rank = t->shape.rank };
    double x = element(t, i);
    for (int k = at.rank - 1; k >= 0; k--) {
        at.dim[k] = (int64_t)(i % (size_t)t->shape.dim[k]);
        i /= (size_t)t->shape.dim[k];
    }
    dt_shape_print(&at, text);
    if (isnan(x)) x = (double)NAN; /* its sign bit means nothing */
    if (!isfinite(x))
        return dt_fail(err, DT_ERR_NUMERIC, &where, "element %s is %g; it must be finite", text, x);
    if (isfinite((float)x))
        return dt_fail(err, DT_ERR_NUMERIC, &where, "element %s is %g; it cannot be negative", text,
                       x);
    return dt_fail(err, DT_ERR_NUMERIC, &where, "element %s is %g, which is beyond float32", text,
                   x);
}

dt_status dt_tensor_check(const dt_named_tensor *t, const char *path, bool nonneg, dt_error *err)
{
    enum { PIECE = 256 };
    size_t count = (size_t)dt_shape_count(&t->shape), size = dt_dtype_size(t->dtype);
    float x[PIECE];
    for (size_t from = 0; from < count; from += PIECE) {
        size_t n = count - from < PIECE ? count - from : PIECE;
        dt_to_f32(t->dtype, (const unsigned char *)t->data + from * size, n, x);
        for (size_t i = 0; i < n; i++)
            if (!isfinite(x[i]) || (nonneg && x[i] < 0)) return bad_element(t, path, from + i, err);
    }
    return DT_OK;
}
