/* Reader of arrays. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/array.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "data/hdf5_array.h"
#include "data/npy.h"

const dt_array_kind dt_array_types[DT_ARRAY_TYPES] = {
    [DT_ARRAY_BOOL] = { "|b1", 1, true }, [DT_ARRAY_U8] = { "|u1", 1, true },
    [DT_ARRAY_I8] = { "|i1", 1, true },   [DT_ARRAY_U16] = { "<u2", 2, true },
    [DT_ARRAY_I16] = { "<i2", 2, true },  [DT_ARRAY_I32] = { "<i4", 4, true },
    [DT_ARRAY_I64] = { "<i8", 8, true },  [DT_ARRAY_F32] = { "<f4", 4, false },
    [DT_ARRAY_F64] = { "<f8", 8, false },
};

dt_status dt_array_bytes(const dt_array_head *h, const char *path, size_t *out, dt_error *err)
{
    int64_t count = dt_shape_count(&h->shape);
    char text[DT_SHAPE_TEXT];
    if (count > 0 && dt_size_mul((size_t)count, dt_array_types[h->type].size, out)) return DT_OK;
    return dt_fail(err, DT_ERR_SHAPE, &(dt_where){ .file = path },
                   "has the shape %s, which is empty or too large",
                   dt_shape_print(&h->shape, text));
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

static dt_status read_npy(dt_array *f, size_t file_size, const dt_alloc *a, dt_error *err)
{
    size_t size = file_size < DT_NPY_HEAD_MAX ? file_size : DT_NPY_HEAD_MAX;
    unsigned char *bytes = dt_get(a, size + 1, "array");
    if (!bytes) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to open %s", f->path);
    dt_status st = read_at(f->fd, f->path, 0, bytes, size, err);
    if (st == DT_OK) st = dt_npy_parse(bytes, size, file_size, f->path, &f->head, err);
    dt_put(a, bytes);
    return st;
}

/* `name`: of an array in the file `file`; NULL: the file is one array. */
static dt_status read_head(dt_array *f, const char *file, const char *name, const dt_alloc *a,
                           dt_error *err)
{
    struct stat s;
    if (fstat(f->fd, &s) != 0) return dt_file_failed(file, "read", err);
    size_t file_size = (size_t)s.st_size;
    unsigned char first[DT_HDF5_SIGNATURE] = { 0 };
    bool is_hdf5 = false;
    if (file_size >= sizeof first) {
        DT_TRY(read_at(f->fd, f->path, 0, first, sizeof first, err));
        is_hdf5 = dt_hdf5_is(first);
    }
    if (is_hdf5)
        DT_TRY(dt_hdf5_array(file, name, file_size, &f->head, err));
    else if (name)
        return dt_fail(err, DT_ERR_FORMAT, &(dt_where){ .file = file },
                       "is no HDF5 file, in which '%s' could be", name);
    else
        DT_TRY(read_npy(f, file_size, a, err));
    f->each = dt_shape_count(&f->head.shape) / f->head.shape.dim[0];
    return DT_OK;
}

/* "FILE:NAME" falls apart where there is no file of the whole name; to be given back. */
static char *split(const char *path, const dt_alloc *a, const char **out_name)
{
    const char *colon = strrchr(path, ':');
    *out_name = NULL;
    if (!colon || access(path, F_OK) == 0) return dt_format(a, "%s", path);
    *out_name = colon + 1;
    return dt_format(a, "%.*s", (int)(colon - path), path);
}

dt_status dt_array_open(const char *path, const dt_alloc *a, dt_array *out, dt_error *err)
{
    dt_array f = { .path = path, .fd = -1 };
    const char *name;
    char *file = split(path, a, &name);
    if (!file) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to open %s", path);
    dt_status st = dt_fd_open(file, &f.fd, err);
    if (st == DT_OK && (st = read_head(&f, file, name, a, err)) != DT_OK) close(f.fd);
    dt_put(a, file);
    if (st == DT_OK) *out = f;
    return st;
}

void dt_array_close(dt_array *f)
{
    if (f->path) close(f->fd);
    *f = (dt_array){ .fd = -1 };
}

size_t dt_array_raw(const dt_array *f)
{
    return (size_t)f->each * dt_array_types[f->head.type].size;
}

/* Element i; the processor is little-endian, as the file. */
static double element(dt_array_type type, const void *raw, int64_t i)
{
#define ELEMENT(kind)                                                                              \
    {                                                                                              \
        kind v;                                                                                    \
        memcpy(&v, (const unsigned char *)raw + (size_t)i * sizeof v, sizeof v);                   \
        return (double)v;                                                                          \
    }
    switch (type) {
    case DT_ARRAY_BOOL:
    case DT_ARRAY_U8:
        ELEMENT(uint8_t)
    case DT_ARRAY_I8:
        ELEMENT(int8_t)
    case DT_ARRAY_U16:
        ELEMENT(uint16_t)
    case DT_ARRAY_I16:
        ELEMENT(int16_t)
    case DT_ARRAY_I32:
        ELEMENT(int32_t)
    case DT_ARRAY_I64:
        ELEMENT(int64_t)
    case DT_ARRAY_F32:
        ELEMENT(float)
    case DT_ARRAY_F64:
    case DT_ARRAY_TYPES:
        break;
    }
    ELEMENT(double)
#undef ELEMENT
}

dt_status dt_array_read(const dt_array *f, int64_t sample, void *raw, float *out, dt_error *err)
{
    size_t size = dt_array_raw(f);
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

static dt_status take_integers(const dt_array *f, int64_t low, int64_t high, void *raw,
                               int32_t *out, dt_error *err)
{
    int64_t n = f->head.shape.dim[0];
    DT_TRY(read_at(f->fd, f->path, f->head.offset, raw,
                   (size_t)n * dt_array_types[f->head.type].size, err));
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

dt_status dt_array_integers(const dt_array *f, int64_t low, int64_t high, int32_t *out,
                            const dt_alloc *a, dt_error *err)
{
    char text[DT_SHAPE_TEXT];
    const dt_where where = { .file = f->path };
    if (f->each != 1)
        return dt_fail(err, DT_ERR_SHAPE, &where,
                       "has the shape %s; labels are one number a sample",
                       dt_shape_print(&f->head.shape, text));
    if (!dt_array_types[f->head.type].whole)
        return dt_fail(err, DT_ERR_UNSUPPORTED, &where,
                       "has elements of type '%s'; labels are whole numbers",
                       dt_array_types[f->head.type].descr);
    void *raw =
        dt_get_array(a, (size_t)f->head.shape.dim[0], dt_array_types[f->head.type].size, "array");
    if (!raw) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to read %s", f->path);
    dt_status st = take_integers(f, low, high, raw, out, err);
    dt_put(a, raw);
    return st;
}
