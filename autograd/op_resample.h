/* Configuration of the resample op: rows and columns between those of the input. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_AUTOGRAD_OP_RESAMPLE_H
#define DT_AUTOGRAD_OP_RESAMPLE_H

#include <stdbool.h>
#include <stdint.h>

/* Where in the input row i of `out` rows lies, of `in`. */
typedef enum dt_resample_align {
    DT_RESAMPLE_CENTERS, /* (i + 0.5) in / out - 0.5: pixels are squares */
    DT_RESAMPLE_CORNERS, /* i (in - 1) / (out - 1): the outermost lie on each other */
    DT_RESAMPLE_FIRST,   /* i in / out */
    DT_RESAMPLE_ALIGNS
} dt_resample_align;

enum { DT_RESAMPLE_MOST = 1 << 16 }; /* rows and columns */

typedef struct dt_resample_conf {
    int height, width, align;
    bool cubic; /* of four neighbours each way; false: linear, of two */
    double a;   /* the cubic's slope, -0.75 or -0.5 */
} dt_resample_conf;

#endif
