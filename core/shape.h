/* Shapes: slowest dimension first, exactly as in the comment `[N,H,W,C]`. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_CORE_SHAPE_H
#define DT_CORE_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DT_MAX_RANK = 6, DT_SHAPE_TEXT = 96 };

typedef struct dt_shape {
    int rank;                 /* 0: a scalar */
    int64_t dim[DT_MAX_RANK]; /* > 0; behind `rank` they are 0 */
} dt_shape;

#define DT_SHAPE(...)                                                                              \
    ((dt_shape){ .rank = (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)),              \
                 .dim = { __VA_ARGS__ } })

/* Number of elements; 0 when a dimension is not positive or the product overflows. */
int64_t dt_shape_count(const dt_shape *s);
bool dt_shape_equal(const dt_shape *a, const dt_shape *b);
/* "[128,32,32,16]" into `text` of DT_SHAPE_TEXT bytes; returns it. */
const char *dt_shape_print(const dt_shape *s, char *text);

#endif
