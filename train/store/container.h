/* Detent's own checkpoints: an HDF5 file behind a block that proves it whole.
 *
 * Bytes 0..511 (an HDF5 user block, so h5dump and h5py open the file as it is): magic
 * "DETENT\r\n"; u32 format version, little endian; u32 0; u64 length of the file; SHA-256 of all
 * bytes from 512 on, as 64 hexadecimal digits; zeros. The reader checks all of it before libhdf5
 * sees a byte, so a file cut short or changed anywhere is refused. The hash guards against damage,
 * not malice: who can write the file can write its hash. libhdf5 is no safe parser of hostile
 * input; read only checkpoints from where you would also take a program.
 *
 * Behind it: one dataset per tensor in the root group, under its name with '%', '/' (and a name
 * that is only ".") written as %25, %2F, %2E; in the order of the set. Texts are string attributes
 * of the root group, those over 32,000 bytes datasets of characters named "%text:<key>". No times
 * are stored: the same set gives the same bytes (of the same libhdf5).
 *
 * libhdf5 is not safe for threads: never be in two of these functions (read, write) at a time, not
 * even with separate sets. While they run, its printing of errors is off; its exit handler is never
 * registered (data/hdf5.h, which also says what may happen when memory ends inside it). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_STORE_CONTAINER_H
#define DT_TRAIN_STORE_CONTAINER_H

#include "core/dir.h"
#include "core/tensorfile.h"

enum { DT_CONTAINER_BLOCK = 512, DT_CONTAINER_VERSION = 1, DT_CONTAINER_TEXT_MAX = 1 << 20 };

/* True when the bytes start with the magic. */
bool dt_container_probe(const unsigned char *bytes, size_t size);

/* Writes a set: built in memory, then written beside `path`, synced and renamed, so a full disk
 * leaves what was there. Errors: ARG (an empty name, a text over DT_CONTAINER_TEXT_MAX bytes), IO,
 * NOMEM (also when libhdf5 refuses). */
dt_status dt_container_write(const dt_dir *in, const char *name, const dt_tensors *set,
                             dt_error *err) DT_MUST_CHECK;

/* Reads a checkpoint into `out`, which the caller ends with dt_tensors_fini; it owns its data. On
 * failure `out` is untouched. Errors: NOT_FOUND, IO; FORMAT (no checkpoint, cut short, changed);
 * UNSUPPORTED (a version of the format that this build does not know); NOMEM. */
dt_status dt_container_read(const dt_dir *in, const char *name, const dt_alloc *a, dt_tensors *out,
                            dt_error *err) DT_MUST_CHECK;
/* The same from memory, into the empty set `out`; on failure it may be half filled. */
dt_status dt_container_read_bytes(const char *path, const unsigned char *bytes, size_t size,
                                  const dt_alloc *a, dt_tensors *out, dt_error *err) DT_MUST_CHECK;

/* SHA-256 of the tensors that `keep` accepts (NULL: all), in the order of their names: of each its
 * name, NUL, type (dt_dtype_name), NUL, rank and dimensions as u64 little endian, and data. Texts
 * and the order in the set do not count. No HDF5 involved: any thread. Error: NOMEM. */
typedef bool dt_container_filter(const char *name, const void *context);
dt_status dt_container_sha256(const dt_tensors *set, dt_container_filter *keep, const void *context,
                              char hex[DT_SHA256_HEX], dt_error *err) DT_MUST_CHECK;
/* A filter: names that start with the string `prefix`. */
bool dt_container_has_prefix(const char *name, const void *prefix);

#endif
