/* Writes small PNG files for the tests, of every kind that readers must understand. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DT_TESTS_DATA_PNG_WRITE_H
#define DT_TESTS_DATA_PNG_WRITE_H

#include <check.h>
#include <png.h>
#include <stdint.h>
#include <stdio.h>

/* `rows` is H rows of packed samples as PNG stores them (16 bits big endian); `palette` has
 * `colours` entries, or is NULL. */
static inline void test_png(const char *path, int W, int H, int depth, int type,
                            const uint8_t *rows, size_t row_size, const png_color *palette,
                            int colours)
{
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_init_io(png, f);
    png_set_IHDR(png, info, (png_uint_32)W, (png_uint_32)H, depth, type, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (palette) png_set_PLTE(png, info, palette, colours);
    png_write_info(png, info);
    for (int y = 0; y < H; y++)
        png_write_row(png, rows + (size_t)y * row_size);
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    fclose(f);
}

/* An RGB picture of one colour. */
static inline void test_png_plain(const char *path, int W, int H, uint8_t r, uint8_t g, uint8_t b)
{
    uint8_t rows[16 * 16 * 3];
    ck_assert(W <= 16 && H <= 16);
    for (int i = 0; i < W * H; i++) {
        rows[3 * i] = r;
        rows[3 * i + 1] = g;
        rows[3 * i + 2] = b;
    }
    test_png(path, W, H, 8, PNG_COLOR_TYPE_RGB, rows, (size_t)W * 3, NULL, 0);
}

#endif
