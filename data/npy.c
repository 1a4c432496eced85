/* Reader of numpy's files. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/npy.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"

static const struct {
    const char *descr; /* as in headers */
    size_t size;
    bool whole;
} types[DT_NPY_TYPES] = {
    [DT_NPY_BOOL] = { "|b1", 1, true }, [DT_NPY_U8] = { "|u1", 1, true },
    [DT_NPY_I8] = { "|i1", 1, true },   [DT_NPY_U16] = { "<u2", 2, true },
    [DT_NPY_I16] = { "<i2", 2, true },  [DT_NPY_I32] = { "<i4", 4, true },
    [DT_NPY_I64] = { "<i8", 8, true },  [DT_NPY_F32] = { "<f4", 4, false },
    [DT_NPY_F64] = { "<f8", 8, false },
};

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

static dt_status take_type(cursor *c, dt_npy_head *out)
{
    char descr[16];
    skip(c);
    if (c->at < c->end && *c->at == '[')
        return dt_fail(c->err, DT_ERR_UNSUPPORTED, &(dt_where){ .file = c->path },
                       "holds records; arrays of numbers are read");
    if (!take_text(c, descr, sizeof descr)) return bad(c, "its header names no type");
    for (int i = 0; i < DT_NPY_TYPES; i++)
        if (strcmp(descr, types[i].descr) == 0) {
            out->type = (dt_npy_type)i;
            out->element = types[i].size;
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

static dt_status take_shape(cursor *c, dt_npy_head *out)
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
static dt_status take_header(cursor *c, dt_npy_head *out)
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
static dt_status check_size(const cursor *c, const dt_npy_head *h, size_t file_size)
{
    size_t bytes;
    int64_t count = dt_shape_count(&h->shape);
    char text[DT_SHAPE_TEXT];
    if (h->shape.rank == 0) return bad(c, "it holds a single number");
    if (count <= 0 || !dt_size_mul((size_t)count, h->element, &bytes))
        return dt_fail(c->err, DT_ERR_SHAPE, &(dt_where){ .file = c->path },
                       "has the shape %s, which is empty or too large",
                       dt_shape_print(&h->shape, text));
    if (file_size - h->offset == bytes) return DT_OK;
    return dt_fail(c->err, DT_ERR_FORMAT, &(dt_where){ .file = c->path },
                   "has %zu bytes of elements; %s of %zu bytes each are %zu", file_size - h->offset,
                   dt_shape_print(&h->shape, text), h->element, bytes);
}

dt_status dt_npy_parse(const unsigned char *bytes, size_t size, size_t file_size, const char *path,
                       dt_npy_head *out, dt_error *err)
{
    dt_npy_head h = { .type = DT_NPY_BOOL };
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

/* All bytes, whatever a single pread(2) gives. */
static dt_status read_at(int fd, const char *path, size_t offset, void *to, size_t size,
                         dt_error *err)
{
    unsigned char *at = to;
    while (size > 0) {
        ssize_t n = pread(fd, at, size, (off_t)offset);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return dt_file_failed(path, "read", err);
        if (n == 0)
            return dt_fail(err, DT_ERR_IO, &(dt_where){ .file = path }, "ended while it was read");
        at += n;
        offset += (size_t)n;
        size -= (size_t)n;
    }
    return DT_OK;
}

static dt_status read_head(dt_npy *f, const dt_alloc *a, dt_error *err)
{
    struct stat s;
    if (fstat(f->fd, &s) != 0) return dt_file_failed(f->path, "read", err);
    size_t file_size = (size_t)s.st_size;
    size_t size = file_size < DT_NPY_HEAD_MAX ? file_size : DT_NPY_HEAD_MAX;
    unsigned char *bytes = dt_get(a, size + 1, "npy");
    if (!bytes) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to open %s", f->path);
    dt_status st = read_at(f->fd, f->path, 0, bytes, size, err);
    if (st == DT_OK) st = dt_npy_parse(bytes, size, file_size, f->path, &f->head, err);
    dt_put(a, bytes);
    if (st == DT_OK) f->each = dt_shape_count(&f->head.shape) / f->head.shape.dim[0];
    return st;
}

dt_status dt_npy_open(const char *path, const dt_alloc *a, dt_npy *out, dt_error *err)
{
    dt_npy f = { .path = path, .fd = -1 };
    DT_TRY(dt_fd_open(path, &f.fd, err));
    dt_status st = read_head(&f, a, err);
    if (st == DT_OK)
        *out = f;
    else
        close(f.fd);
    return st;
}

void dt_npy_close(dt_npy *f)
{
    if (f->path) close(f->fd);
    *f = (dt_npy){ .fd = -1 };
}

size_t dt_npy_raw(const dt_npy *f)
{
    return (size_t)f->each * f->head.element;
}

/* Element i; the processor is little-endian, as the file. */
static double element(dt_npy_type type, const void *raw, int64_t i)
{
#define ELEMENT(kind)                                                                              \
    {                                                                                              \
        kind v;                                                                                    \
        memcpy(&v, (const unsigned char *)raw + (size_t)i * sizeof v, sizeof v);                   \
        return (double)v;                                                                          \
    }
    switch (type) {
    case DT_NPY_BOOL:
    case DT_NPY_U8:
        ELEMENT(uint8_t)
    case DT_NPY_I8:
        ELEMENT(int8_t)
    case DT_NPY_U16:
        ELEMENT(uint16_t)
    case DT_NPY_I16:
        ELEMENT(int16_t)
    case DT_NPY_I32:
        ELEMENT(int32_t)
    case DT_NPY_I64:
        ELEMENT(int64_t)
    case DT_NPY_F32:
        ELEMENT(float)
    case DT_NPY_F64:
    case DT_NPY_TYPES:
        break;
    }
    ELEMENT(double)
#undef ELEMENT
}

dt_status dt_npy_read(const dt_npy *f, int64_t sample, void *raw, float *out, dt_error *err)
{
    size_t size = dt_npy_raw(f);
    DT_TRY(read_at(f->fd, f->path, f->head.offset + (size_t)sample * size, raw, size, err));
    for (int64_t i = 0; i < f->each; i++) {
        out[i] = (float)element(f->head.type, raw, i);
        if (!isfinite(out[i]))
            return dt_fail(err, DT_ERR_FORMAT, &(dt_where){ .file = f->path },
                           "element %lld of sample %lld is %s as float32", (long long)i,
                           (long long)sample, isnan(out[i]) ? "nan" : "infinite");
    }
    return DT_OK;
}

static dt_status take_integers(const dt_npy *f, int64_t low, int64_t high, void *raw, int32_t *out,
                               dt_error *err)
{
    int64_t n = f->head.shape.dim[0];
    DT_TRY(read_at(f->fd, f->path, f->head.offset, raw, (size_t)n * f->head.element, err));
    for (int64_t i = 0; i < n; i++) {
        double v = element(f->head.type, raw, i); /* exact where it may be inside */
        if (!(v >= (double)low && v <= (double)high))
            return dt_fail(err, DT_ERR_RANGE, &(dt_where){ .file = f->path },
                           "element %lld is %.0f; it must be inside %lld..%lld", (long long)i, v,
                           (long long)low, (long long)high);
        out[i] = (int32_t)v;
    }
    return DT_OK;
}

dt_status dt_npy_integers(const dt_npy *f, int64_t low, int64_t high, int32_t *out,
                          const dt_alloc *a, dt_error *err)
{
    char text[DT_SHAPE_TEXT];
    const dt_where where = { .file = f->path };
    if (f->each != 1)
        return dt_fail(err, DT_ERR_SHAPE, &where,
                       "has the shape %s; labels are one number a sample",
                       dt_shape_print(&f->head.shape, text));
    if (!types[f->head.type].whole)
        return dt_fail(err, DT_ERR_UNSUPPORTED, &where,
                       "has elements of type '%s'; labels are whole numbers",
                       types[f->head.type].descr);
    void *raw = dt_get_array(a, (size_t)f->head.shape.dim[0], f->head.element, "npy");
    if (!raw) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to read %s", f->path);
    dt_status st = take_integers(f, low, high, raw, out, err);
    dt_put(a, raw);
    return st;
}
