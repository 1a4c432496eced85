/* Constants of an ONNX file. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/reader/onnx_tensor.h"

#include <string.h>

#include "core/tensorfile.h"

/* Where an element lies in a typed field. */
typedef enum field { IN_NONE, IN_FLOAT, IN_INT32, IN_INT64, IN_DOUBLE, IN_UINT64 } field;

enum { TYPE_BOOL = 9 };

static const struct type {
    int onnx, bits;
    bool whole, is_signed;
    dt_dtype real; /* of numbers that are not whole */
    field field;
} types[] = {
    { 1, 32, .real = DT_F32, .field = IN_FLOAT },
    { 2, 8, true, .field = IN_INT32 },
    { 3, 8, true, true, .field = IN_INT32 },
    { 4, 16, true, .field = IN_INT32 },
    { 5, 16, true, true, .field = IN_INT32 },
    { 6, 32, true, true, .field = IN_INT32 },
    { 7, 64, true, true, .field = IN_INT64 },
    { TYPE_BOOL, 8, true, .field = IN_INT32 },
    { 10, 16, .real = DT_F16, .field = IN_INT32 },
    { 11, 64, .real = DT_F64, .field = IN_DOUBLE },
    { 12, 32, true, .field = IN_UINT64 },
    { 13, 64, true, .field = IN_UINT64 },
    { 16, 16, .real = DT_BF16, .field = IN_INT32 },
    { 21, 4, true },
    { 22, 4, true, true },
};

static dt_status fail(const dt_ox_source *s, const Onnx__TensorProto *t, dt_status st,
                      dt_error *err, const char *what)
{
    const char *name = t->name && *t->name ? t->name : "a constant";
    return dt_fail(err, st, &(dt_where){ s->file->path, 0, name }, "%s", what);
}

dt_ox_tensor *dt_ox_tensor_new(dt_arena *arena, bool whole, int rank, const int64_t *dim,
                               int64_t most, dt_error *err)
{
    int64_t count = 1, sizes = 1; /* sizes: without those of 0, behind which others may hide */
    size_t bytes;
    dt_ox_tensor *t = dt_arena_get(arena, sizeof *t);
    if (!t || rank > DT_OX_RANK) goto no_memory;
    *t = (dt_ox_tensor){ .rank = rank, .whole = whole };
    for (int i = 0; i < rank; i++) {
        if (dim[i] < 0 || (dim[i] > 0 && (count > most / dim[i] || sizes > INT64_MAX / dim[i]))) {
            (void)dt_fail(err, DT_ERR_UNSUPPORTED, NULL,
                          "a constant of more than %lld elements, or of a negative size",
                          (long long)most);
            return NULL;
        }
        count *= t->dim[i] = dim[i];
        sizes *= dim[i] ? dim[i] : 1;
    }
    t->count = count;
    if (!dt_size_mul((size_t)count, whole ? sizeof *t->n : sizeof *t->x, &bytes)) goto no_memory;
    void *data = dt_arena_get(arena, bytes ? bytes : 1);
    if (!data) goto no_memory;
    if (whole)
        t->n = data;
    else
        t->x = data;
    return t;
no_memory:
    (void)dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a constant");
    return NULL;
}

/* Element i of little-endian bytes, as a whole number. */
static int64_t whole_at(const struct type *k, const unsigned char *from, int64_t i)
{
    uint64_t v = 0;
    if (k->bits == 4) {
        v = (uint64_t)(from[i / 2] >> (i % 2 ? 4 : 0)) & 15;
    } else {
        for (int b = k->bits / 8; b-- > 0;)
            v = v << 8 | from[i * (k->bits / 8) + b];
    }
    if (k->is_signed && k->bits < 64 && v >> (k->bits - 1)) v |= ~(uint64_t)0 << k->bits;
    return (int64_t)v;
}

static dt_status from_bytes(dt_ox_source *s, const Onnx__TensorProto *t, const struct type *k,
                            const unsigned char *from, size_t size, dt_ox_tensor *out,
                            dt_error *err)
{
    if (size != ((size_t)out->count * (size_t)k->bits + 7) / 8)
        return fail(s, t, DT_ERR_FORMAT, err, "has another size than its shape");
    if (!k->whole) dt_to_f32(k->real, from, (size_t)out->count, out->x);
    for (int64_t i = 0; k->whole && i < out->count; i++)
        out->n[i] = whole_at(k, from, i);
    return DT_OK;
}

static size_t typed_count(const Onnx__TensorProto *t, field f)
{
    switch (f) {
    case IN_FLOAT:
        return t->n_float_data;
    case IN_INT32:
        return t->n_int32_data;
    case IN_INT64:
        return t->n_int64_data;
    case IN_DOUBLE:
        return t->n_double_data;
    case IN_UINT64:
        return t->n_uint64_data;
    case IN_NONE:
        break;
    }
    return 0;
}

static dt_status from_typed(dt_ox_source *s, const Onnx__TensorProto *t, const struct type *k,
                            dt_ox_tensor *out, dt_error *err)
{
    if (typed_count(t, k->field) != (size_t)out->count)
        return fail(s, t, DT_ERR_FORMAT, err, "has another number of elements than its shape");
    for (int64_t i = 0; i < out->count; i++) {
        uint16_t half = 0;
        if (k->whole && k->field == IN_INT32) out->n[i] = t->int32_data[i];
        if (k->whole && k->field == IN_INT64) out->n[i] = t->int64_data[i];
        if (k->whole && k->field == IN_UINT64) out->n[i] = (int64_t)t->uint64_data[i];
        if (k->field == IN_FLOAT) out->x[i] = t->float_data[i];
        if (k->field == IN_DOUBLE) out->x[i] = (float)t->double_data[i];
        if (k->whole || k->field != IN_INT32) continue;
        half = (uint16_t)t->int32_data[i]; /* bits of a number of 16 bits */
        dt_to_f32(k->real, &half, 1, &out->x[i]);
    }
    return DT_OK;
}

/* Elements that the message, or the file beside it, can hold at most: a shape may not make us take
 * memory that is not there. */
static int64_t room_of(const Onnx__TensorProto *t, const struct type *k, bool raw, size_t size)
{
    if (!raw) return (int64_t)typed_count(t, k->field);
    return (int64_t)(k->bits < 8 ? 2 * size : size / ((size_t)k->bits / 8));
}

static dt_status make(dt_ox_source *s, const Onnx__TensorProto *t, const struct type *k,
                      int64_t room, dt_ox_tensor *out, dt_error *err)
{
    dt_error below = { .status = DT_OK };
    dt_ox_tensor *made =
        dt_ox_tensor_new(s->file->arena, k->whole, (int)t->n_dims, t->dims, room, &below);
    if (!made && below.status == DT_ERR_NOMEM) return fail(s, t, DT_ERR_NOMEM, err, below.text);
    if (!made) return fail(s, t, DT_ERR_FORMAT, err, "has fewer elements than its shape");
    *out = *made;
    out->wide = k->whole && k->bits == 16;
    if (k->whole && k->bits <= 8 && k->onnx != TYPE_BOOL) {
        out->low = k->is_signed ? -(1 << (k->bits - 1)) : 0;
        out->high = out->low + (1 << k->bits) - 1;
    }
    if (t->name && *t->name && !(out->name = dt_arena_strdup(s->file->arena, t->name)))
        return fail(s, t, DT_ERR_NOMEM, err, "no memory");
    return DT_OK;
}

static dt_status from_outside(dt_ox_source *s, const Onnx__TensorProto *t, const struct type *k,
                              dt_ox_tensor *out, dt_error *err)
{
    unsigned char *bytes;
    size_t count = 1, size;
    for (size_t i = 0; i < t->n_dims; i++)
        if (t->dims[i] < 0 || !dt_size_mul(count, (size_t)t->dims[i], &count))
            return fail(s, t, DT_ERR_FORMAT, err, "has a shape that no file holds");
    if (!dt_size_mul(count, (size_t)k->bits, &size))
        return fail(s, t, DT_ERR_FORMAT, err, "has a shape that no file holds");
    size = size / 8 + (size % 8 != 0);
    DT_TRY(dt_ox_external(s, t, size, &bytes, err));
    dt_status st = make(s, t, k, room_of(t, k, true, size), out, err);
    if (st == DT_OK) st = from_bytes(s, t, k, bytes, size, out, err);
    dt_put(s->file->alloc, bytes);
    return st;
}

dt_status dt_ox_tensor_read(dt_ox_source *s, const Onnx__TensorProto *t, dt_ox_tensor *out,
                            dt_error *err)
{
    const struct type *k = types, *end = types + DT_ARRAY_LEN(types);
    while (k < end && k->onnx != t->data_type)
        k++;
    if (k == end)
        return fail(s, t, DT_ERR_UNSUPPORTED, err,
                    "is a constant of a type that is not read (text, complex or 8-bit float)");
    if (t->n_dims > DT_OX_RANK)
        return fail(s, t, DT_ERR_UNSUPPORTED, err, "is a constant of more than 8 dimensions");
    if (t->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
        return from_outside(s, t, k, out, err);
    DT_TRY(make(s, t, k, room_of(t, k, t->has_raw_data, t->raw_data.len), out, err));
    if (t->has_raw_data) return from_bytes(s, t, k, t->raw_data.data, t->raw_data.len, out, err);
    return from_typed(s, t, k, out, err);
}
