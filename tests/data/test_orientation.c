/* SPDX-License-Identifier: Apache-2.0 */
#include "data/orientation.h"

#include <string.h>

#include "tests/support/run.h"

/* The start of a JPEG file with an EXIF segment of one entry, big and little endian. */
static const unsigned char big[] = { 0xFF, 0xD8, 0xFF, 0xE1, 0, 34, 'E', 'x', 'i',  'f',
                                     0,    0,    'M',  'M',  0, 42, 0,   0,   0,    8,
                                     0,    1,    1,    0x12, 0, 3,  0,   0,   0,    1,
                                     0,    6,    0,    0,    0, 0,  0,   0,   0xFF, 0xD9 };
static const unsigned char little[] = { 0xFF, 0xD8, 0xFF, 0xE1, 0,  34, 'E', 'x', 'i',  'f',
                                        0,    0,    'I',  'I',  42, 0,  8,   0,   0,    0,
                                        1,    0,    0x12, 1,    3,  0,  1,   0,   0,    0,
                                        6,    0,    0,    0,    0,  0,  0,   0,   0xFF, 0xD9 };
enum { VALUE_BIG = 31, VALUE_LITTLE = 30, TYPE_BIG = 25 };

START_TEST(it_is_read)
{
    unsigned char file[sizeof big];
    ck_assert_int_eq(dt_orientation_of(big, sizeof big), 6);
    ck_assert_int_eq(dt_orientation_of(little, sizeof little), 6);
    for (int v = 0; v < 256; v++) {
        memcpy(file, big, sizeof big);
        file[VALUE_BIG] = (unsigned char)v;
        ck_assert_int_eq(dt_orientation_of(file, sizeof big), v >= 1 && v <= 8 ? v : 1);
    }
    memcpy(file, big, sizeof big);
    file[TYPE_BIG] = 4; /* a long */
    ck_assert_int_eq(dt_orientation_of(file, sizeof big), 1);
}
END_TEST

START_TEST(damaged_files_tell_none)
{
    unsigned char file[sizeof big];
    for (size_t n = 0; n < sizeof little; n++) {
        int told = dt_orientation_of(little, n);
        ck_assert(told == 1 || (told == 6 && n > VALUE_LITTLE));
    }
    for (size_t i = 0; i < sizeof big; i++)
        for (int bit = 0; bit < 8; bit++) {
            memcpy(file, big, sizeof big);
            file[i] ^= (unsigned char)(1 << bit);
            int told = dt_orientation_of(file, sizeof file);
            ck_assert(told >= 1 && told <= 8);
        }
    ck_assert_int_eq(dt_orientation_of("\x89PNG", 4), 1);
}
END_TEST

/* Of the picture `abc` above `def`; what Pillow's exif_transpose makes of it. */
static const struct {
    int H, W;
    const char *text;
} seen[9] = {
    { 0, 0, NULL },     { 2, 3, "abcdef" }, { 2, 3, "cbafed" },
    { 2, 3, "fedcba" }, { 2, 3, "defabc" }, { 3, 2, "adbecf" },
    { 3, 2, "daebfc" }, { 3, 2, "fcebda" }, { 3, 2, "cfbead" },
};

START_TEST(it_is_turned)
{
    dt_sample s;
    dt_sample_init(&s, NULL);
    for (int o = 1; o <= 8; o++) {
        ck_assert_int_eq(dt_picture_shape(&s.picture, 2, 3, NULL), DT_OK);
        for (int i = 0; i < 18; i++)
            s.picture.rgb.data[i] = (uint8_t)("abcdef"[i / 3] + 20 * (i % 3));
        ck_assert_int_eq(dt_orientation_apply(o, &s, NULL), DT_OK);
        ck_assert(s.picture.H == seen[o].H && s.picture.W == seen[o].W);
        for (int i = 0; i < 18; i++)
            ck_assert_msg(s.picture.rgb.data[i] == seen[o].text[i / 3] + 20 * (i % 3), "%d: %d", o,
                          i);
    }
    dt_sample_fini(&s);
}
END_TEST

DT_TEST_MAIN("orientation", it_is_read, damaged_files_tell_none, it_is_turned)
