/* PNG through libpng's simplified interface, which never calls exit and needs no setjmp here. It
 * converts every kind of PNG; the background colour makes it drop the alpha channel. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <png.h>

#include "data/picture_codec.h"

static dt_status damaged(png_image *image, const char *name, dt_error *err)
{
    dt_status st = dt_fail(err, DT_ERR_FORMAT, &(dt_where){ .file = name }, "no readable PNG: %s",
                           *image->message ? image->message : "unknown reason");
    png_image_free(image);
    return st;
}

/* Reads the header; on success the caller finishes or frees the image. */
static dt_status begin(png_image *image, const dt_coded *in, dt_error *err)
{
    *image = (png_image){ .version = PNG_IMAGE_VERSION };
    int begun = in->stream ? png_image_begin_read_from_stdio(image, in->stream)
                           : png_image_begin_read_from_memory(image, in->data, in->size);
    if (!begun) return damaged(image, in->name, err);
    dt_status st = dt_coded_check(in, image->height, image->width, err);
    if (st != DT_OK) png_image_free(image);
    return st;
}

dt_status dt_png_size(const dt_coded *in, int64_t *out_H, int64_t *out_W, dt_error *err)
{
    png_image image;
    DT_TRY(begin(&image, in, err));
    *out_H = image.height;
    *out_W = image.width;
    png_image_free(&image);
    return DT_OK;
}

dt_status dt_png_decode(const dt_coded *in, dt_picture *out, dt_error *err)
{
    png_image image;
    DT_TRY(begin(&image, in, err));
    dt_status st = dt_picture_shape(out, image.height, image.width, err);
    if (st != DT_OK) {
        png_image_free(&image);
        return st;
    }
    image.format = PNG_FORMAT_RGB;
    image.flags |= PNG_IMAGE_FLAG_16BIT_sRGB; /* otherwise 16 bits are taken as linear light */
    const png_color black = { 0, 0, 0 };
    if (!png_image_finish_read(&image, &black, out->rgb.data, 0, NULL))
        return damaged(&image, in->name, err);
    return DT_OK;
}
