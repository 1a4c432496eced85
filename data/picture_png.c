/* PNG through libpng, giving the pixels that Pillow's convert("RGB") has: alpha and transparency
 * are dropped, not laid over anything; gamma, profiles and other chunks beside the pixels are not
 * read; 16 bits lose the lower 8, except that Pillow takes grey without alpha as numbers of which
 * 255 is white. An error of the library jumps back here; it neither exits nor prints. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <png.h>
#include <setjmp.h>
#include <string.h>

#include "data/picture_codec.h"

/* Everything that is used behind setjmp lies here, not in locals. */
typedef struct decoder {
    png_structp png;
    png_infop info;
    jmp_buf back;
    const dt_coded *in;
    size_t at; /* bytes of memory that were read */
    dt_picture *out;
    int64_t H, W;
    dt_error *err;
    dt_status status;
    char reason[128];
} decoder;

static void on_error(png_structp png, png_const_charp text)
{
    decoder *d = png_get_error_ptr(png);
    snprintf(d->reason, sizeof d->reason, "%s", text);
    longjmp(d->back, 1);
}

static void no_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static void read_bytes(png_structp png, png_bytep to, size_t size)
{
    decoder *d = png_get_io_ptr(png);
    if (d->in->stream) {
        if (fread(to, 1, size, d->in->stream) != size) png_error(png, "it ends too early");
        return;
    }
    if (size > d->in->size - d->at) png_error(png, "it ends too early");
    memcpy(to, (const uint8_t *)d->in->data + d->at, size);
    d->at += size;
}

/* Sets the conversions; true when rows are grey of 16 bits, two bytes a pixel. */
static bool convert_to_rgb(decoder *d)
{
    int type = png_get_color_type(d->png, d->info), depth = png_get_bit_depth(d->png, d->info);
    if (type == PNG_COLOR_TYPE_GRAY && depth == 16) return true;
    if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(d->png);
    if (type == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(d->png);
    if (depth == 16) png_set_strip_16(d->png);
    png_set_strip_alpha(d->png);
    if (!(type & PNG_COLOR_MASK_COLOR)) png_set_gray_to_rgb(d->png);
    return false;
}

/* Big endian numbers of 16 bits at the start of a row of 3 W bytes -> RGB, in place. */
static void spread_grey16(uint8_t *row, int64_t W)
{
    for (int64_t x = W - 1; x >= 0; x--) {
        uint8_t v = row[2 * x] ? 255 : row[2 * x + 1];
        row[3 * x] = row[3 * x + 1] = row[3 * x + 2] = v;
    }
}

static void read_pixels(decoder *d)
{
    d->status = dt_picture_shape(d->out, d->H, d->W, d->err);
    if (d->status != DT_OK) return;
    bool grey16 = convert_to_rgb(d);
    int passes = png_set_interlace_handling(d->png);
    png_read_update_info(d->png, d->info);
    if (png_get_rowbytes(d->png, d->info) != (size_t)((grey16 ? 2 : 3) * d->W))
        png_error(d->png, "unknown kind of pixels");
    for (; passes > 0; passes--)
        for (int64_t y = 0; y < d->H; y++)
            png_read_row(d->png, d->out->rgb.data + 3 * d->W * y, NULL);
    for (int64_t y = 0; grey16 && y < d->H; y++)
        spread_grey16(d->out->rgb.data + 3 * d->W * y, d->W);
}

/* Header, and the picture when `out` is given. Errors of the library jump to the caller. What
 * stands behind the last row is not read. */
static void read_all(decoder *d)
{
    png_set_keep_unknown_chunks(d->png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_set_keep_unknown_chunks(d->png, PNG_HANDLE_CHUNK_NEVER, (png_const_bytep) "tRNS", 1);
    png_set_user_limits(d->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX); /* ours have a better text */
    png_set_read_fn(d->png, d, read_bytes);
    png_read_info(d->png, d->info);
    d->H = png_get_image_height(d->png, d->info);
    d->W = png_get_image_width(d->png, d->info);
    d->status = dt_coded_check(d->in, (uint64_t)d->H, (uint64_t)d->W, d->err);
    if (d->status == DT_OK && d->out) read_pixels(d);
}

static dt_status run(decoder *d)
{
    const dt_where where = { .file = d->in->name };
    d->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, d, on_error, no_warning);
    d->info = d->png ? png_create_info_struct(d->png) : NULL;
    if (!d->info)
        d->status = dt_fail(d->err, DT_ERR_NOMEM, &where, "no memory for a PNG");
    else if (setjmp(d->back) == 0)
        read_all(d);
    else
        d->status = dt_fail(d->err, DT_ERR_FORMAT, &where, "no readable PNG: %s", d->reason);
    png_destroy_read_struct(&d->png, &d->info, NULL);
    return d->status;
}

dt_status dt_png_size(const dt_coded *in, int64_t *out_H, int64_t *out_W, dt_error *err)
{
    decoder d = { .in = in, .err = err };
    DT_TRY(run(&d));
    *out_H = d.H;
    *out_W = d.W;
    return DT_OK;
}

dt_status dt_png_decode(const dt_coded *in, dt_picture *out, dt_error *err)
{
    decoder d = { .in = in, .out = out, .err = err };
    return run(&d);
}
