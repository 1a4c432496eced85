/* The two layouts of PyTorch's files, seen as one: a pickled object and the storages it names. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_EXCHANGE_TORCH_TORCH_ARCHIVE_H
#define DT_EXCHANGE_TORCH_TORCH_ARCHIVE_H

#include "core/tensorfile.h"
#include "exchange/torch/pickle.h"

/* A flat run of elements, little endian; tensors are views of storages. */
typedef struct dt_torch_storage {
    const char *key; /* its name in the file */
    dt_dtype dtype;
    int64_t count;             /* elements */
    const unsigned char *data; /* borrowed until dt_torch_close; not aligned */
} dt_torch_storage;

typedef struct dt_torch_archive {
    const char *path; /* for messages; borrowed */
    size_t size;      /* bytes of the file */
    const dt_alloc *alloc;
    dt_arena *arena; /* owns the pickle's values and what was read out of the zip */
    dt_pickle object;
    dt_torch_storage *storage; /* legacy: sorted by key */
    size_t storage_count;
    struct zip *zip; /* zip layout, otherwise NULL */
    const char *folder;
    const unsigned char **entry; /* of the zip, by index; NULL: not read yet */
} dt_torch_archive;

/* True when the bytes start like one of the layouts. A zip counts: its content is checked later. */
bool dt_torch_is_legacy(const unsigned char *bytes, size_t size);
bool dt_torch_is_zip(const unsigned char *bytes, size_t size);

/* Opens a file that lies in memory; `path` and `bytes` are borrowed until dt_torch_close. Errors:
 * FORMAT, UNSUPPORTED, NOMEM; nothing to close then. */
dt_status dt_torch_open(const char *path, const unsigned char *bytes, size_t size,
                        const dt_alloc *a, dt_torch_archive *out, dt_error *err) DT_MUST_CHECK;
void dt_torch_close(dt_torch_archive *t);

/* The storage that a PERSID value names. `name` is of the tensor that needs it, for the message.
 * Errors: FORMAT (no such storage, wrong size, damaged), UNSUPPORTED (an element type or a global
 * that is none of ours), NOMEM. */
dt_status dt_torch_get(dt_torch_archive *t, const char *name, const dt_pickle_value *persid,
                       dt_torch_storage *out, dt_error *err) DT_MUST_CHECK;

/* Shared by the layouts: reads ('storage', type, key, location, count[, view]) into *out, all but
 * the data. */
dt_status dt_torch_describe(const dt_torch_archive *t, const char *name,
                            const dt_pickle_value *persid, dt_torch_storage *out,
                            dt_error *err) DT_MUST_CHECK;
/* The layouts' own parts: fill `object` and what their `get` needs. */
dt_status dt_torch_legacy_open(dt_torch_archive *t, const unsigned char *bytes, size_t size,
                               dt_error *err) DT_MUST_CHECK;
dt_status dt_torch_legacy_get(const dt_torch_archive *t, const char *name,
                              dt_torch_storage *storage, dt_error *err) DT_MUST_CHECK;
dt_status dt_torch_zip_open(dt_torch_archive *t, const unsigned char *bytes, size_t size,
                            dt_error *err) DT_MUST_CHECK;
dt_status dt_torch_zip_get(dt_torch_archive *t, const char *name, dt_torch_storage *storage,
                           dt_error *err) DT_MUST_CHECK;
void dt_torch_zip_close(dt_torch_archive *t);

#endif
