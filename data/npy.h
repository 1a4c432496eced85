/* Files of numpy (.npy, format versions 1 to 3): a header that tells type and shape, then the
 * elements. Only what lies in memory as it is read is taken: little-endian or single bytes, in C's
 * order, no records and no pickled objects. The file is hostile: sizes are checked before anything
 * is read, and elements are read one sample at a time. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_DATA_NPY_H
#define DT_DATA_NPY_H

#include "core/alloc.h"
#include "core/shape.h"

typedef enum dt_npy_type {
    DT_NPY_BOOL,
    DT_NPY_U8,
    DT_NPY_I8,
    DT_NPY_U16,
    DT_NPY_I16,
    DT_NPY_I32,
    DT_NPY_I64,
    DT_NPY_F32,
    DT_NPY_F64,
    DT_NPY_TYPES
} dt_npy_type;

typedef struct dt_npy_head {
    dt_npy_type type;
    dt_shape shape; /* [samples, ...]: rank 1..DT_MAX_RANK, no dimension is 0 */
    size_t element; /* bytes of one */
    size_t offset;  /* of the first in the file */
} dt_npy_head;

enum { DT_NPY_HEAD_MAX = 1 << 16 /* bytes of a file that its header must be in */ };

/* Reads the header from the first `size` bytes of a file of `file_size` bytes, which must be what
 * the header says. FORMAT: it is none; UNSUPPORTED: one that is not taken. */
dt_status dt_npy_parse(const unsigned char *bytes, size_t size, size_t file_size, const char *path,
                       dt_npy_head *out, dt_error *err) DT_MUST_CHECK;

/* An open file; reads from many threads. */
typedef struct dt_npy {
    dt_npy_head head;
    const char *path; /* borrowed, for messages */
    int64_t each;     /* elements of a sample */
    int fd;
} dt_npy;

dt_status dt_npy_open(const char *path, const dt_alloc *a, dt_npy *out,
                      dt_error *err) DT_MUST_CHECK;
void dt_npy_close(dt_npy *f);
/* The elements of a sample as double or float; `raw` has room for dt_npy_raw bytes. IO; FORMAT: one
 * is nan or infinite. */
size_t dt_npy_raw(const dt_npy *f);
dt_status dt_npy_read(const dt_npy *f, int64_t sample, void *raw, float *out,
                      dt_error *err) DT_MUST_CHECK;
/* `count` whole numbers from the first sample on, of an array [samples]. RANGE: one is outside
 * low..high; UNSUPPORTED: no type of whole numbers. */
dt_status dt_npy_integers(const dt_npy *f, int64_t low, int64_t high, int32_t *out,
                          const dt_alloc *a, dt_error *err) DT_MUST_CHECK;

#endif
