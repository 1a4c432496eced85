/* A set of tensors as an HDF5 file in memory, and back. The layout is told in
 * train/store/container.h, whose part this is. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_STORE_HDF5IMAGE_H
#define DT_TRAIN_STORE_HDF5IMAGE_H

#include "core/tensorfile.h"

/* Makes the file behind the first `block` bytes, which are left zero for the caller to fill. The
 * memory is the caller's: dt_put(NULL, .). `path` is for messages. Errors: ARG, NOMEM. */
dt_status dt_hdf5image_make(const char *path, const dt_tensors *set, size_t block,
                            unsigned char **out, size_t *out_size, dt_error *err) DT_MUST_CHECK;

/* Adds what a file in memory holds to the empty set `out`. Only what the writer makes is accepted:
 * contiguous datasets in the root group, behind hard links, together no larger than the file.
 * Errors: FORMAT, NOMEM. */
dt_status dt_hdf5image_read(const char *path, const unsigned char *bytes, size_t size,
                            const dt_alloc *a, dt_tensors *out, dt_error *err) DT_MUST_CHECK;

#endif
