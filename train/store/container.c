/* The block in front of a checkpoint, and the hash of a set. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "train/store/container.h"

#include <stdlib.h>
#include <string.h>

#include "core/atomic.h"
#include "train/store/hdf5image.h"

#define MAX_BYTES ((size_t)16 << 30) /* of a checkpoint */
static const unsigned char magic[8] = "DETENT\r\n";
/* Offsets in the block. */
enum { VERSION_AT = 8, RESERVED_AT = 12, LENGTH_AT = 16, HASH_AT = 24, ZEROS_AT = HASH_AT + 64 };

static void put_number(unsigned char *to, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        to[i] = (unsigned char)(value >> 8 * i);
}

static uint64_t get_number(const unsigned char *from, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = bytes; i > 0; i--)
        value = value << 8 | from[i - 1];
    return value;
}

static void hash_behind_block(const unsigned char *file, size_t size, char hex[DT_SHA256_HEX])
{
    dt_sha256 h;
    dt_sha256_init(&h);
    dt_sha256_add(&h, file + DT_CONTAINER_BLOCK, size - DT_CONTAINER_BLOCK);
    dt_sha256_end(&h, hex);
}

static void fill_block(unsigned char *file, size_t size)
{
    char hex[DT_SHA256_HEX];
    hash_behind_block(file, size, hex);
    memcpy(file, magic, sizeof magic);
    put_number(file + VERSION_AT, DT_CONTAINER_VERSION, 4);
    put_number(file + LENGTH_AT, size, 8);
    memcpy(file + HASH_AT, hex, DT_SHA256_HEX - 1);
}

/* The file that was written holds the set. */
static dt_status check_file(void *arg, const char *path, const unsigned char *bytes, size_t size,
                            dt_error *err)
{
    const dt_tensors *want = arg;
    dt_tensors got;
    DT_TRY(dt_tensors_init(&got, NULL, err));
    dt_status st = dt_container_read_bytes(path, bytes, size, NULL, &got, err);
    if (st == DT_OK && !dt_tensors_equal(want, &got))
        st = dt_fail(err, DT_ERR_IO, &(dt_where){ .file = path },
                     "what was written is not what is read back");
    dt_tensors_fini(&got);
    return st;
}

dt_status dt_container_write(const dt_dir *in, const char *name, const dt_tensors *set,
                             dt_error *err)
{
    unsigned char *file;
    size_t size;
    DT_TRY(dt_hdf5image_make(name, set, DT_CONTAINER_BLOCK, &file, &size, err));
    fill_block(file, size);
    dt_atomic_file f;
    dt_status st = dt_atomic_begin(&f, in, name, err);
    if (st == DT_OK) {
        st = dt_atomic_write(&f, file, size, err);
        if (st != DT_OK) dt_atomic_cancel(&f);
    }
    dt_put(NULL, file); /* before it is read back, which takes memory */
    return st == DT_OK ? dt_atomic_end(&f, check_file, (void *)(uintptr_t)set, err) : st;
}

bool dt_container_probe(const unsigned char *bytes, size_t size)
{
    return size >= sizeof magic && memcmp(bytes, magic, sizeof magic) == 0;
}

static bool all_zero(const unsigned char *p, size_t n)
{
    while (n > 0 && p[n - 1] == 0)
        n--;
    return n == 0;
}

static dt_status check_block(const char *path, const unsigned char *file, size_t size,
                             dt_error *err)
{
    const dt_where where = { .file = path };
    if (!dt_container_probe(file, size))
        return dt_fail(err, DT_ERR_FORMAT, &where, "is no Detent checkpoint");
    if (size <= DT_CONTAINER_BLOCK)
        return dt_fail(err, DT_ERR_FORMAT, &where, "is cut short after %zu bytes", size);
    uint64_t version = get_number(file + VERSION_AT, 4), length = get_number(file + LENGTH_AT, 8);
    if (version != DT_CONTAINER_VERSION)
        return dt_fail(err, DT_ERR_UNSUPPORTED, &where, "has format version %llu; %d is read",
                       (unsigned long long)version, DT_CONTAINER_VERSION);
    if (length != size)
        return dt_fail(err, DT_ERR_FORMAT, &where, "is cut short or changed: %zu bytes of %llu",
                       size, (unsigned long long)length);
    char hex[DT_SHA256_HEX];
    hash_behind_block(file, size, hex);
    if (memcmp(file + HASH_AT, hex, DT_SHA256_HEX - 1) != 0 ||
        !all_zero(file + RESERVED_AT, LENGTH_AT - RESERVED_AT) ||
        !all_zero(file + ZEROS_AT, DT_CONTAINER_BLOCK - ZEROS_AT))
        return dt_fail(err, DT_ERR_FORMAT, &where, "is changed: its SHA-256 does not fit");
    return DT_OK;
}

dt_status dt_container_read_bytes(const char *path, const unsigned char *bytes, size_t size,
                                  const dt_alloc *a, dt_tensors *out, dt_error *err)
{
    DT_TRY(check_block(path, bytes, size, err));
    return dt_hdf5image_read(path, bytes, size, a, out, err);
}

dt_status dt_container_read(const dt_dir *in, const char *name, const dt_alloc *a, dt_tensors *out,
                            dt_error *err)
{
    unsigned char *bytes;
    size_t size;
    dt_tensors set = { 0 };
    DT_TRY(dt_dir_read(in, name, a, MAX_BYTES, &bytes, &size, err));
    char *path = dt_dir_text(in, name);
    dt_status st = path ? dt_tensors_init(&set, a, err)
                        : dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for a path");
    if (st == DT_OK) st = dt_container_read_bytes(path, bytes, size, a, &set, err);
    dt_put(NULL, path);
    dt_put(a, bytes);
    if (st == DT_OK)
        *out = set;
    else
        dt_tensors_fini(&set);
    return st;
}

static int by_name(const void *a, const void *b)
{
    const dt_named_tensor *x = *(const dt_named_tensor *const *)a,
                          *y = *(const dt_named_tensor *const *)b;
    return strcmp(x->name, y->name);
}

/* Every part has a length or an end mark, so that no two sets give the same stream. */
static void hash_tensor(dt_sha256 *h, const dt_named_tensor *t)
{
    unsigned char number[8];
    const char *dtype = dt_dtype_name(t->dtype);
    dt_sha256_add(h, t->name, strlen(t->name) + 1);
    dt_sha256_add(h, dtype, strlen(dtype) + 1);
    put_number(number, (uint64_t)t->shape.rank, 8);
    dt_sha256_add(h, number, 8);
    for (int i = 0; i < t->shape.rank; i++) {
        put_number(number, (uint64_t)t->shape.dim[i], 8);
        dt_sha256_add(h, number, 8);
    }
    dt_sha256_add(h, t->data, (size_t)dt_shape_count(&t->shape) * dt_dtype_size(t->dtype));
}

dt_status dt_container_sha256(const dt_tensors *set, dt_container_filter *keep, const void *context,
                              char hex[DT_SHA256_HEX], dt_error *err)
{
    const dt_named_tensor **order = dt_get_array(NULL, set->count, sizeof *order, "sha256");
    if (!order) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to hash a tensor set");
    size_t n = 0;
    for (size_t i = 0; i < set->count; i++)
        if (!keep || keep(set->item[i].name, context)) order[n++] = &set->item[i];
    if (n) qsort(order, n, sizeof *order, by_name);
    dt_sha256 h;
    dt_sha256_init(&h);
    for (size_t i = 0; i < n; i++)
        hash_tensor(&h, order[i]);
    dt_sha256_end(&h, hex);
    dt_put(NULL, order);
    return DT_OK;
}

bool dt_container_has_prefix(const char *name, const void *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}
