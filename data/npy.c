/* Reader of numpy's files. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/npy.h"

#include <string.h>

/* The rest of a header's text. */
typedef struct cursor {
    const char *at, *end;
    const char *path;
    dt_error *err;
} cursor;

static dt_status bad(const cursor *c, const char *what)
{
    return dt_fail(c->err, DT_ERR_FORMAT, &(dt_where){ .file = c->path },
                   "is no .npy file that can be read: %s", what);
}

static void skip(cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n'))
        c->at++;
}

static bool take(cursor *c, char what)
{
    skip(c);
    if (c->at == c->end || *c->at != what) return false;
    c->at++;
    return true;
}

/* 'text' */
static bool take_text(cursor *c, char *out, size_t size)
{
    size_t n = 0;
    if (!take(c, '\'')) return false;
    for (; c->at < c->end && *c->at != '\''; c->at++)
        if (n + 1 < size) out[n++] = *c->at;
    out[n] = '\0';
    return take(c, '\'');
}

static bool take_word(cursor *c, const char *word)
{
    size_t n = strlen(word);
    skip(c);
    if ((size_t)(c->end - c->at) < n || memcmp(c->at, word, n) != 0) return false;
    c->at += n;
    return true;
}

static bool take_number(cursor *c, int64_t *out)
{
    int64_t v = 0;
    skip(c);
    const char *start = c->at;
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
        if (v > (INT64_MAX - 9) / 10) return false;
        v = 10 * v + (*c->at - '0');
    }
    *out = v;
    return c->at > start;
}

static dt_status take_type(cursor *c, dt_array_head *out)
{
    char descr[16];
    skip(c);
    if (c->at < c->end && *c->at == '[')
        return dt_fail(c->err, DT_ERR_UNSUPPORTED, &(dt_where){ .file = c->path },
                       "holds records; arrays of numbers are read");
    if (!take_text(c, descr, sizeof descr)) return bad(c, "its header names no type");
    for (int i = 0; i < DT_ARRAY_TYPES; i++)
        if (strcmp(descr, dt_array_types[i].descr) == 0) {
            out->type = (dt_array_type)i;
            return DT_OK;
        }
    return dt_fail(c->err, DT_ERR_UNSUPPORTED, &(dt_where){ .file = c->path },
                   "has elements of type '%s'; bool, uint8, int8, uint16, int16, int32, int64, "
                   "float32 and float64 are read, little-endian",
                   descr);
}

static dt_status take_order(cursor *c)
{
    if (take_word(c, "False")) return DT_OK;
    if (!take_word(c, "True")) return bad(c, "its header tells no order");
    return dt_fail(c->err, DT_ERR_UNSUPPORTED, &(dt_where){ .file = c->path },
                   "is in Fortran's order; save numpy.ascontiguousarray(...) of it");
}

static dt_status take_shape(cursor *c, dt_array_head *out)
{
    dt_shape *s = &out->shape;
    if (!take(c, '(')) return bad(c, "its header has no shape");
    while (!take(c, ')')) {
        int64_t n;
        if (!take_number(c, &n)) return bad(c, "its shape is damaged");
        if (s->rank == DT_MAX_RANK)
            return dt_fail(c->err, DT_ERR_SHAPE, &(dt_where){ .file = c->path },
                           "has more than %d axes", DT_MAX_RANK);
        s->dim[s->rank++] = n;
        if (!take(c, ',') && (c->at == c->end || *c->at != ')'))
            return bad(c, "its shape is damaged");
    }
    return DT_OK;
}

/* {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } */
static dt_status take_header(cursor *c, dt_array_head *out)
{
    char key[32];
    int seen = 0;
    if (!take(c, '{')) return bad(c, "its header is no dictionary");
    while (!take(c, '}')) {
        if (!take_text(c, key, sizeof key) || !take(c, ':')) return bad(c, "its header is damaged");
        if (strcmp(key, "descr") == 0 && !(seen & 1)) {
            DT_TRY(take_type(c, out));
            seen |= 1;
        } else if (strcmp(key, "fortran_order") == 0 && !(seen & 2)) {
            DT_TRY(take_order(c));
            seen |= 2;
        } else if (strcmp(key, "shape") == 0 && !(seen & 4)) {
            DT_TRY(take_shape(c, out));
            seen |= 4;
        } else {
            return bad(c, "its header has other keys than descr, fortran_order and shape");
        }
        take(c, ',');
    }
    return seen == 7 ? DT_OK : bad(c, "its header lacks descr, fortran_order or shape");
}

/* The elements must fill the file. */
static dt_status check_size(const cursor *c, const dt_array_head *h, size_t file_size)
{
    size_t bytes;
    char text[DT_SHAPE_TEXT];
    if (h->shape.rank == 0) return bad(c, "it holds a single number");
    DT_TRY(dt_array_bytes(h, c->path, &bytes, c->err));
    if (file_size - h->offset == bytes) return DT_OK;
    return dt_fail(c->err, DT_ERR_FORMAT, &(dt_where){ .file = c->path },
                   "has %zu bytes of elements; %s of %zu bytes each are %zu", file_size - h->offset,
                   dt_shape_print(&h->shape, text), dt_array_types[h->type].size, bytes);
}

dt_status dt_npy_parse(const unsigned char *bytes, size_t size, size_t file_size, const char *path,
                       dt_array_head *out, dt_error *err)
{
    dt_array_head h = { .type = DT_ARRAY_BOOL };
    cursor c = { .path = path, .err = err };
    if (size < 12 || memcmp(bytes, "\x93NUMPY", 6) != 0)
        return bad(&c, "its first bytes are others");
    if (bytes[6] < 1 || bytes[6] > 3 || bytes[7] != 0)
        return bad(&c, "its version is none of 1 to 3");
    size_t start = bytes[6] == 1 ? 10 : 12, length = bytes[8] | (size_t)bytes[9] << 8;
    if (bytes[6] > 1) length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    if (length > size - start) return bad(&c, "its header is longer than the file, or than 64 KiB");
    h.offset = start + length;
    c.at = (const char *)bytes + start;
    c.end = c.at + length;
    DT_TRY(take_header(&c, &h));
    DT_TRY(check_size(&c, &h, file_size));
    *out = h;
    return DT_OK;
}
