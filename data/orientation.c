/* Reading is libexif's; turning is a copy in which a row of the result is a row or a column of the
 * picture, forwards or backwards. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/orientation.h"

#include <libexif/exif-data.h>
#include <limits.h>
#include <string.h>

int dt_orientation_of(const void *data, size_t size)
{
    static const unsigned char jpeg[] = { 0xFF, 0xD8 };
    if (size < sizeof jpeg || size > UINT_MAX || memcmp(data, jpeg, sizeof jpeg) != 0) return 1;
    ExifData *d = exif_data_new();
    if (!d) return 1;
    exif_data_unset_option(d, EXIF_DATA_OPTION_FOLLOW_SPECIFICATION); /* nothing is added */
    exif_data_load_data(d, data, (unsigned)size);
    const ExifEntry *e = exif_content_get_entry(d->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);
    int told = 1;
    if (e && e->format == EXIF_FORMAT_SHORT && e->components == 1 && e->size >= 2)
        told = exif_get_short(e->data, exif_data_get_byte_order(d));
    exif_data_unref(d);
    return told >= 1 && told <= 8 ? told : 1;
}

dt_status dt_orientation_apply(int orientation, dt_sample *s, dt_error *err)
{
    const dt_picture *in = &s->picture;
    bool swaps = orientation >= 5;
    int64_t H = in->H, W = in->W;
    if (orientation <= 1) return DT_OK;
    DT_TRY(dt_picture_shape(&s->spare, swaps ? W : H, swaps ? H : W, err));
    uint8_t *to = s->spare.rgb.data; /* [H,W,3] or [W,H,3] */
    for (int64_t y = 0; y < s->spare.H; y++)
        for (int64_t x = 0; x < s->spare.W; x++, to += 3) {
            /* Where in the picture it comes from: along, and across in a turned one. */
            int64_t r = swaps ? x : y, c = swaps ? y : x;
            if (orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7)
                r = H - 1 - r;
            if (orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8)
                c = W - 1 - c;
            memcpy(to, in->rgb.data + 3 * (r * W + c), 3);
        }
    dt_sample_swap(s);
    return DT_OK;
}
