/* What `detent quantize NET --data FOLDER` stands for: a recipe. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TRAIN_QUANTIZE_FROM_FILE_H
#define DT_TRAIN_QUANTIZE_FROM_FILE_H

#include "data/dataset.h"

typedef struct dt_net_source {
    const char *net; /* an ONNX file */
    /* Of pictures: any row of datasets that looks for folders. NULL: the section `data` is the
     * caller's to say, and ptq.images with it. */
    const char *folder;
    const char *normalize; /* as data.normalize; NULL is refused, for the file does not tell */
} dt_net_source;

/* Whether a path names a net's file, by its ending. */
bool dt_is_net_file(const char *path);

/* 8 bits, scales of channels, up to 1,024 pictures; of a folder without splits a fifth is kept to
 * measure on. model.onnx and data.root are left to the caller. `*out` goes back with dt_put(NULL,
 * .). Errors: what the file and the folder are refused for; NOT_FOUND: no pictures; RANGE: other
 * classes than the net's. */
dt_status dt_quantize_recipe_of(const dt_net_source *s, char **out, dt_error *err) DT_MUST_CHECK;

/* Keys beside that text, behind which others come: the file, the folder, a name of the file's. They
 * go back with dt_quantize_file_words_fini. NOMEM. */
enum { DT_QUANTIZE_FILE_WORDS = 3 };
dt_status dt_quantize_file_words(const dt_net_source *s, char *out[DT_QUANTIZE_FILE_WORDS],
                                 int *out_count, dt_error *err) DT_MUST_CHECK;
void dt_quantize_file_words_fini(char *words[DT_QUANTIZE_FILE_WORDS]);

#endif
