/* JPEG through libjpeg-turbo, with its defaults (accurate integer DCT, smooth upsampling), so the
 * pixels are those of other programs that use it. An error of the library, or a warning that data
 * is missing or damaged, jumps back here: it neither exits nor prints, and a file that is cut off
 * costs no more than the rows it has. Four components are taken as inverted CMYK and become RGB by
 * R = C K / 255, rounded. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jpeglib.h>

#include <jerror.h>
#include <setjmp.h>
#include <string.h>

#include "data/picture_codec.h"

enum {
    MAX_SCANS = 200,              /* of a progressive file; encoders write about ten */
    MAX_COEFFICIENTS = 512 << 20, /* bytes that a progressive file may take beside its pixels */
};

/* Everything that is used behind setjmp lies here, not in locals. */
typedef struct decoder {
    struct jpeg_decompress_struct jpeg; /* must be first: callbacks cast */
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf back;
    const dt_coded *in;
    dt_picture *out;
    dt_error *err;
    dt_status status;
    char reason[JMSG_LENGTH_MAX];
} decoder;

static void on_error(j_common_ptr jpeg)
{
    decoder *d = (decoder *)(void *)jpeg;
    jpeg->err->format_message(jpeg, d->reason);
    longjmp(d->back, 1);
}

/* Warnings that say that pixels are missing or wrong. Others (bytes between markers, odd Adobe
 * markers) occur in good files. */
static bool is_damage(int code)
{
    switch (code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
    case JWRN_NOT_SEQUENTIAL:
        return true;
    default:
        return false;
    }
}

static void on_message(j_common_ptr jpeg, int level)
{
    if (level < 0 && is_damage(jpeg->err->msg_code)) on_error(jpeg);
}

static void no_output(j_common_ptr jpeg)
{
    (void)jpeg;
}

static void on_progress(j_common_ptr jpeg)
{
    decoder *d = (decoder *)(void *)jpeg;
    if (d->jpeg.input_scan_number <= MAX_SCANS) return;
    snprintf(d->reason, sizeof d->reason, "more than %d scans", MAX_SCANS);
    longjmp(d->back, 1);
}

/* (C, M, Y, K), each inverted -> RGB, in place in a row that has room for four bytes a pixel. */
static void cmyk_to_rgb(const uint8_t *cmyk, int64_t W, uint8_t *rgb)
{
    for (int64_t x = 0; x < W; x++)
        for (int c = 0; c < 3; c++) {
            /* 255 - k is the light that black leaves; ours is inverted already. */
            unsigned k = cmyk[4 * x + 3], ink = 255u - cmyk[4 * x + c], t = ink * k + 128;
            rgb[3 * x + c] = (uint8_t)(k - (((t >> 8) + t) >> 8));
        }
}

static void read_rows(decoder *d)
{
    struct jpeg_decompress_struct *j = &d->jpeg;
    int64_t W = d->out->W;
    JSAMPARRAY cmyk = NULL;
    if (j->out_color_space == JCS_CMYK)
        cmyk = j->mem->alloc_sarray((j_common_ptr)j, JPOOL_IMAGE, (JDIMENSION)(4 * W), 1);
    while (j->output_scanline < j->output_height) {
        JSAMPROW row = d->out->rgb.data + 3 * W * j->output_scanline;
        jpeg_read_scanlines(j, cmyk ? cmyk : &row, 1);
        if (cmyk) cmyk_to_rgb(cmyk[0], W, row);
    }
}

/* Header, and the picture when `out` is given. Errors of the library jump to the caller. */
static void read_all(decoder *d)
{
    struct jpeg_decompress_struct *j = &d->jpeg;
    jpeg_create_decompress(j);
    j->mem->max_memory_to_use = MAX_COEFFICIENTS;
    j->progress = &d->progress;
    if (d->in->stream)
        jpeg_stdio_src(j, d->in->stream);
    else
        jpeg_mem_src(j, d->in->data, (unsigned long)d->in->size);
    jpeg_read_header(j, TRUE);
    d->status = dt_coded_check(d->in, j->image_height, j->image_width, d->err);
    if (d->status != DT_OK || !d->out) return;
    j->out_color_space = j->num_components == 4 ? JCS_CMYK : JCS_RGB;
    d->status = dt_picture_shape(d->out, j->image_height, j->image_width, d->err);
    if (d->status != DT_OK) return;
    jpeg_start_decompress(j);
    read_rows(d);
}

static dt_status run(decoder *d)
{
    d->jpeg.err = jpeg_std_error(&d->errors);
    d->errors.error_exit = on_error;
    d->errors.emit_message = on_message;
    d->errors.output_message = no_output;
    d->progress.progress_monitor = on_progress;
    if (setjmp(d->back) == 0)
        read_all(d);
    else
        d->status = dt_fail(d->err, DT_ERR_FORMAT, &(dt_where){ .file = d->in->name },
                            "no readable JPEG: %s", d->reason);
    jpeg_destroy_decompress(&d->jpeg); /* no finish: what stands behind the last row is not read */
    return d->status;
}

dt_status dt_jpeg_size(const dt_coded *in, int64_t *out_H, int64_t *out_W, dt_error *err)
{
    decoder d = { .in = in, .err = err };
    DT_TRY(run(&d));
    *out_H = d.jpeg.image_height;
    *out_W = d.jpeg.image_width;
    return DT_OK;
}

dt_status dt_jpeg_decode(const dt_coded *in, dt_picture *out, dt_error *err)
{
    decoder d = { .in = in, .out = out, .err = err };
    return run(&d);
}
