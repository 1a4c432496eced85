/* SPDX-License-Identifier: Apache-2.0 */
#include "data/picture.h"

#include "tests/data/files.h"
#include "tests/data/png_write.h"
#include "tests/support/run.h"

enum { W = 2, H = 2 };

static void reads_as(const test_dir *d, int depth, int type, const uint8_t *rows, size_t row_size,
                     const png_color *palette, const uint8_t *want)
{
    char path[128];
    dt_sample s;
    dt_error err = { 0 };
    dt_sample_init(&s, NULL);
    snprintf(path, sizeof path, "%s/x.png", d->path);
    test_png(path, W, H, depth, type, rows, row_size, palette, 3);
    ck_assert_msg(dt_picture_read(path, &s, &err) == DT_OK, "%s", err.text);
    ck_assert(s.picture.H == H && s.picture.W == W);
    for (int i = 0; i < 3 * W * H; i++)
        ck_assert_msg(s.picture.rgb.data[i] == want[i], "type %d depth %d byte %d: %d", type, depth,
                      i, s.picture.rgb.data[i]);
    dt_sample_fini(&s);
}

START_TEST(every_kind_becomes_rgb)
{
    test_dir d = test_dir_make();
    const uint8_t rgb[] = { 1, 2, 3, 40, 50, 60, 255, 0, 128, 7, 8, 9 };
    reads_as(&d, 8, PNG_COLOR_TYPE_RGB, rgb, 6, NULL, rgb);
    const uint8_t grey[] = { 0, 100, 200, 255 };
    const uint8_t grey3[] = { 0, 0, 0, 100, 100, 100, 200, 200, 200, 255, 255, 255 };
    reads_as(&d, 8, PNG_COLOR_TYPE_GRAY, grey, 2, NULL, grey3);
    const uint8_t bits[] = { 0x40, 0x80 }; /* 0 1 / 1 0 */
    const uint8_t bits3[] = { 0, 0, 0, 255, 255, 255, 255, 255, 255, 0, 0, 0 };
    reads_as(&d, 1, PNG_COLOR_TYPE_GRAY, bits, 1, NULL, bits3);
    const png_color palette[] = { { 10, 20, 30 }, { 40, 50, 60 }, { 70, 80, 90 } };
    const uint8_t index[] = { 0, 1, 2, 0 };
    const uint8_t index3[] = { 10, 20, 30, 40, 50, 60, 70, 80, 90, 10, 20, 30 };
    reads_as(&d, 8, PNG_COLOR_TYPE_PALETTE, index, 2, palette, index3);
    uint8_t wide[24]; /* of 16 bits the upper 8 count */
    for (int i = 0; i < 12; i++) {
        wide[2 * i] = rgb[i];
        wide[2 * i + 1] = 0xff;
    }
    reads_as(&d, 16, PNG_COLOR_TYPE_RGB, wide, 12, NULL, rgb);
    const uint8_t wide_grey[] = { 0, 0, 0, 100, 0, 200, 1, 0 }; /* grey: all above 255 are white */
    reads_as(&d, 16, PNG_COLOR_TYPE_GRAY, wide_grey, 4, NULL, grey3);
    const uint8_t rgba[] = { 1, 2, 3, 255, 40, 50, 60, 255, 255, 0, 128, 0, 7, 8, 9, 255 };
    const uint8_t opaque[] = { 1, 2, 3, 40, 50, 60, 255, 0, 128, 7, 8, 9 }; /* alpha is dropped */
    reads_as(&d, 8, PNG_COLOR_TYPE_RGB_ALPHA, rgba, 8, NULL, opaque);
    test_dir_remove(&d);
}
END_TEST

START_TEST(damaged_files_are_refused)
{
    test_dir d = test_dir_make();
    char path[128], part[128];
    dt_sample s;
    dt_sample_init(&s, NULL);
    int64_t h = 0, w = 0;
    dt_error err;
    snprintf(path, sizeof path, "%s/good.png", d.path);
    snprintf(part, sizeof part, "%s/part.png", d.path);
    test_png_plain(path, 16, 9, 1, 2, 3);
    ck_assert_int_eq(dt_picture_size(path, &h, &w, NULL), DT_OK);
    ck_assert(h == 9 && w == 16);
    unsigned char *data;
    size_t size;
    ck_assert_int_eq(dt_file_read(NULL, path, 10000, &data, &size, NULL), DT_OK);
    for (size_t n = 0; n + 20 < size; n++) { /* the last 12 bytes are the end mark */
        ck_assert_int_eq(dt_picture_decode(data, n, "part.png", &s.picture, &err), DT_ERR_FORMAT);
        ck_assert_int_eq(
            strncmp(err.text,
                    n < 4 ? "part.png: no readable picture: " : "part.png: no readable PNG: ", 27),
            0);
    }
    test_file(&d, "part.png", data, 40);
    dt_put(NULL, data);
    ck_assert_int_eq(dt_picture_read(part, &s, &err), DT_ERR_FORMAT);
    ck_assert_int_eq(dt_picture_size(d.path, &h, &w, &err), DT_ERR_FORMAT);
    ck_assert_int_eq(dt_picture_size("/nowhere.png", &h, &w, &err), DT_ERR_NOT_FOUND);
    dt_sample_fini(&s);
    test_dir_remove(&d);
}
END_TEST

DT_TEST_MAIN("picture", every_kind_becomes_rgb, damaged_files_are_refused)
