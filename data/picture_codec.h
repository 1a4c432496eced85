/* The two decoders behind picture.h. Both take a stream or memory, never print and never exit. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_DATA_PICTURE_CODEC_H
#define DT_DATA_PICTURE_CODEC_H

#include <stdio.h>

#include "data/picture.h"

/* Where a coded picture lies: `stream` (from where it stands) or, when that is NULL, memory. */
typedef struct dt_coded {
    FILE *stream;
    const void *data;
    size_t size;
    const char *name; /* of the file, for errors */
} dt_coded;

/* Refuses a size outside the bounds of picture.h. */
dt_status dt_coded_check(const dt_coded *in, uint64_t H, uint64_t W, dt_error *err) DT_MUST_CHECK;

dt_status dt_png_size(const dt_coded *in, int64_t *out_H, int64_t *out_W,
                      dt_error *err) DT_MUST_CHECK;
dt_status dt_png_decode(const dt_coded *in, dt_picture *out, dt_error *err) DT_MUST_CHECK;
dt_status dt_jpeg_size(const dt_coded *in, int64_t *out_H, int64_t *out_W,
                       dt_error *err) DT_MUST_CHECK;
dt_status dt_jpeg_decode(const dt_coded *in, dt_picture *out, dt_error *err) DT_MUST_CHECK;

#endif
