/* libhdf5 as a guest: it prints its errors and closes itself at exit unless told not to. Between
 * begin and end its printing is off; the caller's setting comes back.
 *
 * Its exit handler is never registered, if this is the first use of libhdf5 in the process. After a
 * failure that it cannot undo (a full disk, a damaged file) objects stay open in it, and the
 * handler would work on them at exit: it has crashed there, and has printed. Whoever uses libhdf5
 * beside this library and before it keeps what it chose; whoever uses it afterwards closes its
 * files itself.
 *
 * Where memory ends inside libhdf5 it may crash on its own; nothing here can prevent that. What is
 * written lies beside its final name until it is whole, so a crash loses no file. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_DATA_HDF5_H
#define DT_DATA_HDF5_H

#include <hdf5.h>

typedef struct dt_hdf5 {
    H5E_auto2_t print;
    void *arg;
} dt_hdf5;

/* Before the first other call of a piece of work. Only one thread of a process may be in libhdf5.
 */
void dt_hdf5_begin(dt_hdf5 *h);
void dt_hdf5_end(const dt_hdf5 *h);

#endif
