/* PNG through libpng's simplified interface, which never calls exit and needs no setjmp here. It
 * converts every kind of PNG; the background colour makes it drop the alpha channel. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/picture.h"

#include <errno.h>
#include <png.h>
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "data/dataset.h"

enum { MAX_FILE = 1 << 30 /* bytes; a guard against absurd files */ };

static dt_status damaged(png_image *image, const char *name, dt_error *err)
{
    dt_status st = dt_fail(err, DT_ERR_FORMAT, &(dt_where){ .file = name }, "no readable PNG: %s",
                           *image->message ? image->message : "unknown reason");
    png_image_free(image);
    return st;
}

/* Whether the header was read and its size is allowed; on success the caller finishes or frees the
 * image. */
static dt_status check_begin(png_image *image, int begun, const char *name, dt_error *err)
{
    if (!begun) return damaged(image, name, err);
    if (image->width <= DT_DATA_MAX_SIDE && image->height <= DT_DATA_MAX_SIDE) return DT_OK;
    dt_status st = dt_fail(err, DT_ERR_FORMAT, &(dt_where){ .file = name },
                           "%ux%u pixels; at most %dx%d are read", (unsigned)image->width,
                           (unsigned)image->height, DT_DATA_MAX_SIDE, DT_DATA_MAX_SIDE);
    png_image_free(image);
    return st;
}

dt_status dt_picture_size(const char *path, int64_t *out_H, int64_t *out_W, dt_error *err)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return dt_fail(err, errno == ENOENT ? DT_ERR_NOT_FOUND : DT_ERR_IO,
                       &(dt_where){ .file = path }, "cannot open: %s", strerror(errno));
    png_image image = { .version = PNG_IMAGE_VERSION };
    dt_status st = check_begin(&image, png_image_begin_read_from_stdio(&image, f), path, err);
    if (st == DT_OK) {
        *out_H = image.height;
        *out_W = image.width;
        png_image_free(&image);
    }
    fclose(f);
    return st;
}

dt_status dt_picture_parse(const void *data, size_t size, const char *name, int64_t H, int64_t W,
                           uint8_t *picture, dt_error *err)
{
    png_image image = { .version = PNG_IMAGE_VERSION };
    int begun = png_image_begin_read_from_memory(&image, data, size);
    DT_TRY(check_begin(&image, begun, name, err));
    if (image.height != H || image.width != W) {
        dt_status st =
            dt_fail(err, DT_ERR_FORMAT, &(dt_where){ .file = name },
                    "%ux%u pixels; all pictures must have %lldx%lld", (unsigned)image.width,
                    (unsigned)image.height, (long long)W, (long long)H);
        png_image_free(&image);
        return st;
    }
    image.format = PNG_FORMAT_RGB;
    image.flags |= PNG_IMAGE_FLAG_16BIT_sRGB; /* otherwise 16 bits are taken as linear light */
    const png_color black = { 0, 0, 0 };
    if (!png_image_finish_read(&image, &black, picture, 0, NULL)) return damaged(&image, name, err);
    return DT_OK;
}

dt_status dt_picture_read(const char *path, int64_t H, int64_t W, uint8_t *picture, dt_error *err)
{
    unsigned char *data;
    size_t size;
    DT_TRY(dt_file_read(NULL, path, MAX_FILE, &data, &size, err));
    dt_status st = dt_picture_parse(data, size, path, H, W, picture, err);
    dt_put(NULL, data);
    return st;
}
