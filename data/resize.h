/* Resizing with antialiasing, as Pillow's Image.resize does for 8 bits and torchvision's Resize
 * does through it. Output pixel i of `out` ones looks at c = (i + 1/2) in / out; its weights are
 * the filter at (x + 1/2 - c) / max(in / out, 1), normalised to a sum of 1 and rounded to 2^-22;
 * rows first, rounded to a byte, then columns, rounded again. Filters: bilinear is 1 - |t|; bicubic
 * the cubic convolution with a = -1/2 (Keys 1981, "Cubic convolution interpolation for digital
 * image processing"). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_DATA_RESIZE_H
#define DT_DATA_RESIZE_H

#include "data/picture.h"

typedef enum dt_filter { DT_FILTER_BILINEAR, DT_FILTER_BICUBIC } dt_filter;
#define DT_FILTER_CHOICES "bilinear|bicubic"

/* A part of a picture, in pixels. */
typedef struct dt_box {
    int64_t y, x, H, W;
} dt_box;

/* Resizes the part `from` of s->picture to H x W, which becomes s->picture. Pixels outside the part
 * do not count. SHAPE, NOMEM. */
dt_status dt_resize(dt_sample *s, const dt_box *from, int64_t H, int64_t W, dt_filter filter,
                    dt_error *err) DT_MUST_CHECK;
/* The size with the shorter side `side` and the same proportions; the longer side is rounded down.
 */
void dt_resize_shorter(int64_t H, int64_t W, int64_t side, int64_t *out_H, int64_t *out_W);

#endif
