/* Normalisation of pictures: y = (v / 255 - mean) / std in float, in this order, per channel; or of
 * the levels themselves, y = (v - mean) / std. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_DATA_NORMALIZE_H
#define DT_DATA_NORMALIZE_H

#include <stdint.h>

#include "data/dataset.h"

typedef struct dt_normalize {
    const char *name;
    float mean[DT_DATA_CHANNELS], std[DT_DATA_CHANNELS]; /* of values in 0..1, or in 0..255: */
    bool levels;
} dt_normalize;

enum { DT_NORMALIZE_COUNT = 4 };
/* In the order of the choices of `data.normalize`. */
extern const dt_normalize dt_normalizes[DT_NORMALIZE_COUNT];

/* What the keys of `data` say: a row of the table, or one made in `room`. Errors: RANGE, another
 * number of channels than 1 or 3. */
dt_status dt_normalize_of(const dt_data_conf *c, dt_normalize *room, const dt_normalize **out,
                          dt_error *err) DT_MUST_CHECK;

/* The result for each of the 256 levels. */
typedef struct dt_normalize_table {
    float value[DT_DATA_CHANNELS][256];
} dt_normalize_table;
void dt_normalize_fill(const dt_normalize *n, dt_normalize_table *out_table);
/* Smallest and largest value that any level of any channel takes: the range of the network's
 * input. */
void dt_normalize_range(const dt_normalize *n, float *out_min, float *out_max);
/* [pixels,3] bytes -> [pixels,3] values. */
void dt_normalize_apply(const dt_normalize_table *table, int64_t pixels, const uint8_t *picture,
                        float *out_values);

#endif
