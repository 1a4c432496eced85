/* Arrays in files: numpy's (npy.h), and datasets of HDF5 (hdf5_array.h). Whatever the format,
 * elements lie in the file as they do in memory, so they are read by position, one sample at a
 * time, from many threads. The file is hostile: sizes are checked before anything is read. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_DATA_ARRAY_H
#define DT_DATA_ARRAY_H

#include "core/alloc.h"
#include "core/shape.h"

typedef enum dt_array_type { /* little-endian */
                             DT_ARRAY_BOOL,
                             DT_ARRAY_U8,
                             DT_ARRAY_I8,
                             DT_ARRAY_U16,
                             DT_ARRAY_I16,
                             DT_ARRAY_I32,
                             DT_ARRAY_I64,
                             DT_ARRAY_F32,
                             DT_ARRAY_F64,
                             DT_ARRAY_TYPES
} dt_array_type;

typedef struct dt_array_kind {
    const char *descr; /* as numpy has it */
    size_t size;       /* bytes of an element */
    bool whole;
} dt_array_kind;
extern const dt_array_kind dt_array_types[DT_ARRAY_TYPES];

typedef struct dt_array_head {
    dt_array_type type;
    dt_shape shape; /* [samples, ...]: rank 1..DT_MAX_RANK, no dimension is 0 */
    size_t offset;  /* of the first element in the file */
} dt_array_head;

/* Bytes of all elements. SHAPE: there are none, or too many. */
dt_status dt_array_bytes(const dt_array_head *h, const char *path, size_t *out,
                         dt_error *err) DT_MUST_CHECK;

/* An open file; reads from many threads. */
typedef struct dt_array {
    dt_array_head head;
    const char *path; /* borrowed, for messages */
    int64_t each;     /* elements of a sample */
    int fd;
} dt_array;

/* Opens a .npy file, or with "FILE:NAME" the array of that name in an HDF5 file; by content. */
dt_status dt_array_open(const char *path, const dt_alloc *a, dt_array *out,
                        dt_error *err) DT_MUST_CHECK;
void dt_array_close(dt_array *f);
/* The elements of a sample as double or float; `raw` has room for dt_array_raw bytes. IO; FORMAT:
 * one is nan or infinite. */
size_t dt_array_raw(const dt_array *f);
dt_status dt_array_read(const dt_array *f, int64_t sample, void *raw, float *out,
                        dt_error *err) DT_MUST_CHECK;
/* `count` whole numbers from the first sample on, of an array [samples]. RANGE: one is outside
 * low..high; UNSUPPORTED: no type of whole numbers. */
dt_status dt_array_integers(const dt_array *f, int64_t low, int64_t high, int32_t *out,
                            const dt_alloc *a, dt_error *err) DT_MUST_CHECK;

#endif
