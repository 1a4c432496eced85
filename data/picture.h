/* Picture files -> RGB bytes. PNG only, by libpng. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_DATA_PICTURE_H
#define DT_DATA_PICTURE_H

#include "core/alloc.h"

/* Width and height from the header, each 1..DT_DATA_MAX_SIDE. `path` is named in the errors:
 * NOT_FOUND, IO, FORMAT. */
dt_status dt_picture_size(const char *path, int64_t *out_H, int64_t *out_W,
                          dt_error *err) DT_MUST_CHECK;
/* Decodes a file of exactly H x W pixels into RGB bytes [H,W,3]: grey is repeated, a palette looked
 * up, 16 bits are rounded to 8, transparency is laid over black, and a file that names another
 * gamma is converted to sRGB. FORMAT when it is damaged or of another size. */
dt_status dt_picture_read(const char *path, int64_t H, int64_t W, uint8_t *picture,
                          dt_error *err) DT_MUST_CHECK;
/* The same from memory; `name` stands for the file in the errors. */
dt_status dt_picture_parse(const void *data, size_t size, const char *name, int64_t H, int64_t W,
                           uint8_t *picture, dt_error *err) DT_MUST_CHECK;

#endif
