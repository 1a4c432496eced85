/* Configuration of the slice op. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_OP_SLICE_H
#define DT_AUTOGRAD_OP_SLICE_H

typedef struct dt_slice_conf {
    int part, parts; /* which of equal parts of the last axis */
} dt_slice_conf;

#endif
