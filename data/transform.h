/* Augmentations: random changes of a training picture, in bytes and before normalising. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_DATA_TRANSFORM_H
#define DT_DATA_TRANSFORM_H

#include "core/opt.h"
#include "core/rng.h"

/* Descriptor. A scalar in the recipe ("pad_crop: 4") sets the row's first option. */
typedef struct dt_transform {
    dt_row row; /* must be first */
    /* Refuses options that do not suit pictures of H x W; NULL: all do. */
    dt_status (*check)(const void *conf, int64_t H, int64_t W, dt_error *err);
    /* Writes the changed picture [H,W,3]. `in` and `out` do not overlap. The number of draws from
     * `rng` must not depend on the picture. */
    void (*apply)(const void *conf, dt_rng *rng, int64_t H, int64_t W, const uint8_t *in,
                  uint8_t *out);
} dt_transform;

/* All rows; every dt_row in it is the first member of a dt_transform. */
extern const dt_table dt_transforms;

/* A transform with its options, as listed in a recipe. */
typedef struct dt_transform_step {
    const dt_transform *row;
    const void *conf; /* row.conf_size bytes; borrowed */
} dt_transform_step;

enum { DT_TRANSFORM_MAX = 8 }; /* steps of a recipe */

/* Checks `count` steps for pictures of H x W. */
dt_status dt_transform_check(const dt_transform_step *steps, int count, int64_t H, int64_t W,
                             dt_error *err) DT_MUST_CHECK;
/* Applies the steps in order, drawing from one stream; returns `a` or `b`, wherever the result
 * is. */
const uint8_t *dt_transform_apply(const dt_transform_step *steps, int count, dt_rng *rng, int64_t H,
                                  int64_t W, uint8_t *a, /* [H,W,3]: the picture; overwritten */
                                  uint8_t *b);           /* [H,W,3]: scratch */

#endif
