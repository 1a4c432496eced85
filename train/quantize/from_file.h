/* What `detent quantize NET --data FOLDER` stands for: a recipe. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_QUANTIZE_FROM_FILE_H
#define DT_TRAIN_QUANTIZE_FROM_FILE_H

#include "data/dataset.h"

typedef struct dt_net_source {
    const char *net;       /* an ONNX file */
    const char *folder;    /* of pictures: any row of datasets that looks for folders */
    const char *normalize; /* as data.normalize; NULL is refused, for the file does not tell */
} dt_net_source;

/* 8 bits, scales of channels, up to 1,024 pictures; of a folder without splits a fifth is kept to
 * measure on. model.onnx and data.root are left to the caller. `*out` goes back with dt_put(NULL,
 * .). Errors: what the file and the folder are refused for; NOT_FOUND: no pictures; RANGE: other
 * classes than the net's. */
dt_status dt_quantize_recipe_of(const dt_net_source *s, char **out, dt_error *err) DT_MUST_CHECK;

#endif
