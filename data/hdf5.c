/* Entering and leaving libhdf5. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/hdf5.h"

#include <stddef.h>

void dt_hdf5_begin(dt_hdf5 *h)
{
    *h = (dt_hdf5){ NULL, NULL };
    H5dont_atexit(); /* counts before the first call only; fails harmlessly when it was said already
                      */
    H5Eget_auto2(H5E_DEFAULT, &h->print, &h->arg);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

void dt_hdf5_end(const dt_hdf5 *h)
{
    H5Eclear2(H5E_DEFAULT);
    H5Eset_auto2(H5E_DEFAULT, h->print, h->arg);
}
