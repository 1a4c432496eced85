/* Named tensors in memory: what importers return, exporters and checkpoints take. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CORE_TENSORFILE_H
#define DT_CORE_TENSORFILE_H

#include "core/alloc.h"
#include "core/shape.h"

typedef enum dt_dtype {
    DT_F32 = 0,
    DT_F64,
    DT_F16,
    DT_BF16,
    DT_I64,
    DT_I32,
    DT_I16,
    DT_S8,
    DT_U8,
    DT_BOOL,
} dt_dtype;

size_t dt_dtype_size(dt_dtype t); /* bytes of one element */
const char *dt_dtype_name(dt_dtype t);

typedef struct dt_named_tensor {
    const char *name; /* owned by the set's arena, or borrowed: see dt_tensors_add */
    dt_dtype dtype;
    dt_shape shape;   /* in the file's own layout */
    const void *data; /* contiguous, little endian */
} dt_named_tensor;

/* An ordered set of tensors and text attributes; names are unique. */
typedef struct dt_tensors {
    dt_arena *arena; /* owns names, copies and the array */
    dt_named_tensor *item;
    size_t count, capacity;
    struct dt_text_attr {
        const char *key, *value;
    } * attr;
    size_t attr_count, attr_capacity;
    uint32_t *slot; /* hash table of names: index into `item` + 1, 0 = free */
    size_t slot_count;
} dt_tensors;

dt_status dt_tensors_init(dt_tensors *set, const dt_alloc *a, dt_error *err) DT_MUST_CHECK;
void dt_tensors_fini(dt_tensors *set);
/* Adds a tensor; the name is copied. `data` NULL: zeroed storage is made in the arena and can be
 * filled through dt_tensors_data; otherwise it is borrowed and must outlive the set. A name that is
 * already there is DT_ERR_ARG. */
dt_status dt_tensors_add(dt_tensors *set, const char *name, dt_dtype dtype, const dt_shape *shape,
                         const void *data, dt_error *err) DT_MUST_CHECK;
/* Gives every tensor a new name, which is copied; those whose name is NULL leave the set. Two of
 * one name are FORMAT, with `path` (may be NULL); then the set is as it was. */
dt_status dt_tensors_rename(dt_tensors *set, const char *const *name, const char *path,
                            dt_error *err) DT_MUST_CHECK;
void *dt_tensors_data(dt_tensors *set, size_t i); /* writable storage of an owned tensor */
const dt_named_tensor *dt_tensors_find(const dt_tensors *set, const char *name); /* NULL: none */
dt_status dt_tensors_set_attr(dt_tensors *set, const char *key, const char *value, dt_error *err)
    DT_MUST_CHECK; /* copies both; replaces a key that is there */
const char *dt_tensors_attr(const dt_tensors *set, const char *key); /* NULL: none */
/* The same tensors, bit by bit, and the same texts, in whatever order. */
bool dt_tensors_equal(const dt_tensors *a, const dt_tensors *b);

/* Converts `count` elements of any real or integer type to float. */
void dt_to_f32(dt_dtype from, const void *src, size_t count, float *dst);

/* Are all elements finite as float32 and, if `nonneg`, not negative? NUMERIC names `path` (may be
 * NULL), the tensor, the first other element by its place in the file's shape, and its value. */
dt_status dt_tensor_check(const dt_named_tensor *t, const char *path, bool nonneg,
                          dt_error *err) DT_MUST_CHECK;

#endif
