/* Transforms: what happens to a picture between its file and the batch. A recipe lists them in
 * order; each works at one of three stages, and the stages follow one another. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_DATA_TRANSFORM_H
#define DT_DATA_TRANSFORM_H

#include "core/opt.h"
#include "core/rng.h"
#include "data/picture.h"

typedef enum dt_transform_stage {
    DT_STAGE_BYTES,  /* a picture in bytes, of any size; before normalising */
    DT_STAGE_VALUES, /* a normalised picture */
    DT_STAGE_BATCH,  /* two pictures of a batch and their labels */
} dt_transform_stage;

/* Pixels; 0 x 0: pictures differ. */
typedef struct dt_extent {
    int64_t H, W;
} dt_extent;

/* How a batch transform mixes each picture x with another one, x': inside the box
 * x = own x + (1 - own) x', and the label's target is `label` of x's, the rest of the other's. */
typedef struct dt_mix {
    int64_t y0, y1, x0, x1; /* rows y0..y1-1, columns x0..x1-1 */
    float own, label;
} dt_mix;

/* Descriptor. A scalar in the recipe ("pad_crop: 4") sets the row's first option. Random numbers
 * come from the stream of (seed, epoch, sample); the number of draws must not depend on the
 * picture. */
typedef struct dt_transform {
    dt_row row; /* must be first */
    dt_transform_stage stage;
    bool random; /* draws numbers, so it is for training only */
    /* Refuses options that do not suit pictures of this size; changes it to that of the result.
     * NULL: all suit, and the size stays. */
    dt_status (*check)(const void *conf, dt_extent *size, dt_error *err);
    /* BYTES: changes s->picture, in place or by way of s->spare and dt_sample_swap. */
    dt_status (*apply)(const void *conf, dt_rng *rng, dt_sample *s, dt_error *err);
    /* VALUES: changes x [H,W,3] in place. */
    void (*change)(const void *conf, dt_rng *rng, dt_extent size, float *x);
    /* BATCH: of a batch at most one such transform is applied, each with its own probability. */
    double (*probability)(const void *conf);
    void (*mix)(const void *conf, dt_rng *rng, dt_extent size, dt_mix *out);
} dt_transform;

/* All rows; every dt_row in it is the first member of a dt_transform. */
extern const dt_table dt_transforms;

/* A transform with its options, as listed in a recipe. */
typedef struct dt_transform_step {
    const dt_transform *row;
    const void *conf; /* row.conf_size bytes; borrowed */
} dt_transform_step;

enum { DT_TRANSFORM_MAX = 12 }; /* steps of a list */

/* Checks the steps in their order for pictures of `*size`, which becomes the size of the result.
 * With `exact` no step may draw random numbers. RANGE; SHAPE when a step needs one size. */
dt_status dt_transform_check(const dt_transform_step *steps, int count, bool exact, dt_extent *size,
                             dt_error *err) DT_MUST_CHECK;
/* Applies the steps on bytes in order, drawing from one stream. */
dt_status dt_transform_apply(const dt_transform_step *steps, int count, dt_rng *rng, dt_sample *s,
                             dt_error *err) DT_MUST_CHECK;
/* Applies the steps on values, going on in the same stream. */
void dt_transform_change(const dt_transform_step *steps, int count, dt_rng *rng, dt_extent size,
                         float *x);
/* Whether any step mixes pictures, so that labels become soft. */
bool dt_transform_has_mix(const dt_transform_step *steps, int count);
/* Draws which batch transform is applied, if any, and how. */
bool dt_transform_mix(const dt_transform_step *steps, int count, dt_rng *rng, dt_extent size,
                      dt_mix *out);

/* For rows: SHAPE when pictures differ in size, naming the transform. */
dt_status dt_transform_need_size(const char *name, const dt_extent *size,
                                 dt_error *err) DT_MUST_CHECK;

#endif
