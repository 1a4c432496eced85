/* What a recipe must reach (its section `expect`), and whether a run has. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_RUN_EXPECT_H
#define DT_TRAIN_RUN_EXPECT_H

#include "core/file.h"
#include "recipes/recipe.h"

enum { DT_EXPECT_TAG = 96 };

/* What the bits of a run depend on beside recipe, seed and build: "avx512/Detent" or "scalar/OpenBLAS-0.3.21-Haswell",
 * of the checkpoint's texts `isa` and `blas`. */
void dt_expect_tag(const char *isa, const char *blas, char out[DT_EXPECT_TAG]);

typedef enum dt_expect_weights {
    DT_WEIGHTS_UNKNOWN, /* no hash is recorded for this tag */
    DT_WEIGHTS_EQUAL,
    DT_WEIGHTS_DIFFER
} dt_expect_weights;

/* Compares a hash with those of a list, words "TAG=HEX". `out_wanted`: the recorded one, NULL:
 * none. */
dt_expect_weights dt_expect_compare(const dt_opt_words *recorded, const char *tag, const char *hex,
                                    const char **out_wanted);
/* Whether a metric in percent is within the tolerance: better is no fault. */
bool dt_expect_reached(const dt_recipe_expect *e, double percent);

#endif
