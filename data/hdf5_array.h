/* Where an array lies in an HDF5 file: a dataset of numbers in one piece, as h5py's
 * create_dataset(name, data=...) writes it. libhdf5 finds it; elements are read without it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_DATA_HDF5_ARRAY_H
#define DT_DATA_HDF5_ARRAY_H

#include "data/array.h"

enum { DT_HDF5_SIGNATURE = 8 /* bytes */ };
/* Whether a file begins as HDF5 does. */
bool dt_hdf5_is(const unsigned char first[DT_HDF5_SIGNATURE]);

/* `name`: of the dataset, groups before it with '/'; NULL: the message tells which there are.
 * `file_size`: what elements must lie inside of. NOT_FOUND: it is not there; UNSUPPORTED: one that
 * is not taken (chunks, compression, other files, other types); FORMAT: the file is damaged. Only
 * one thread of a process may be in libhdf5. */
dt_status dt_hdf5_array(const char *file, const char *name, size_t file_size, dt_array_head *out,
                        dt_error *err) DT_MUST_CHECK;

#endif
