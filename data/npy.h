/* Headers of numpy's files (.npy, format versions 1 to 3), which tell type and shape; the elements
 * follow. Only what lies in memory as it is read is taken: little-endian or single bytes, in C's
 * order, no records and no pickled objects. The file is hostile: sizes are checked before anything
 * is read. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_DATA_NPY_H
#define DT_DATA_NPY_H

#include "data/array.h"

enum { DT_NPY_HEAD_MAX = 1 << 16 /* bytes of a file that its header must be in */ };

/* Reads the header from the first `size` bytes of a file of `file_size` bytes, which must be what
 * the header says. FORMAT: it is none; UNSUPPORTED: one that is not taken. */
dt_status dt_npy_parse(const unsigned char *bytes, size_t size, size_t file_size, const char *path,
                       dt_array_head *out, dt_error *err) DT_MUST_CHECK;

#endif
