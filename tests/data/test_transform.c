/* SPDX-License-Identifier: Apache-2.0 */
#include "data/transform.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/run.h"

enum { H = 6, W = 5, SIZE = H * W * 3 };

static const dt_transform *row(const char *name)
{
    return (const dt_transform *)dt_table_find(&dt_transforms, name);
}

static void number(uint8_t *picture)
{
    for (int i = 0; i < SIZE; i++)
        picture[i] = (uint8_t)(i + 1);
}

/* Applies one row to an H x W picture whose size it keeps. */
static void run_row(const char *name, const void *conf, dt_rng *rng, const uint8_t *in,
                    uint8_t *out)
{
    dt_sample s;
    const dt_transform_step step = { row(name), conf };
    dt_sample_init(&s, NULL);
    ck_assert_int_eq(dt_picture_shape(&s.picture, H, W, NULL), DT_OK);
    memcpy(s.picture.rgb.data, in, SIZE);
    ck_assert_int_eq(dt_transform_apply(&step, 1, rng, &s, NULL), DT_OK);
    ck_assert(s.picture.H == H && s.picture.W == W);
    memcpy(out, s.picture.rgb.data, SIZE);
    dt_sample_fini(&s);
}

static dt_status check_for(const dt_transform_step *steps, int count, int h, int w, dt_error *err)
{
    dt_extent size = { h, w };
    return dt_transform_check(steps, count, false, &size, err);
}

static uint8_t at(const uint8_t *p, int y, int x, int c)
{
    return y < 0 || y >= H || x < 0 || x >= W ? 0 : p[3 * (y * W + x) + c];
}

/* Whether `out` is `in` moved by (dy, dx) with black where nothing was. */
static bool is_moved(const uint8_t *in, const uint8_t *out, int dy, int dx)
{
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            for (int c = 0; c < 3; c++)
                if (at(out, y, x, c) != at(in, y + dy, x + dx, c)) return false;
    return true;
}

START_TEST(pad_crop_reaches_every_place)
{
    uint8_t in[SIZE], out[SIZE];
    number(in);
    int pad = 2, seen[5][5] = { { 0 } }, places = 0;
    for (uint64_t i = 0; i < 2000; i++) {
        dt_rng rng;
        dt_rng_open(&rng, 1, DT_RNG_AUGMENT, 0, i);
        run_row("pad_crop", &pad, &rng, in, out);
        int found = 0;
        for (int dy = -pad; dy <= pad; dy++)
            for (int dx = -pad; dx <= pad; dx++)
                if (is_moved(in, out, dy, dx)) {
                    found++;
                    seen[dy + pad][dx + pad]++;
                }
        ck_assert_int_eq(found, 1);
    }
    for (int i = 0; i < 25; i++)
        places += seen[i / 5][i % 5] >= 45; /* 80 expected, deviation 9 */
    ck_assert_int_eq(places, 25);
}
END_TEST

START_TEST(pad_crop_refuses_to_lose_the_picture)
{
    int pad = 5;
    dt_error err;
    const dt_transform_step step = { row("pad_crop"), &pad };
    ck_assert_int_eq(check_for(&step, 1, 6, 5, &err), DT_ERR_RANGE);
    ck_assert_str_eq(err.text, "pad_crop.pad: 5 is outside 0..4 of 6x5 pictures");
    pad = 4;
    ck_assert_int_eq(check_for(&step, 1, 6, 5, &err), DT_OK);
    ck_assert_int_eq(check_for(&step, DT_TRANSFORM_MAX + 1, 6, 5, &err), DT_ERR_RANGE);
    ck_assert_int_eq(check_for(&(dt_transform_step){ row("hflip"), NULL }, 1, 6, 5, &err),
                     DT_ERR_ARG);
}
END_TEST

START_TEST(hflip_mirrors_with_its_probability)
{
    uint8_t in[SIZE], out[SIZE];
    number(in);
    for (double p = 0; p <= 1; p += 0.5) {
        int mirrored = 0;
        for (uint64_t i = 0; i < 1000; i++) {
            dt_rng rng;
            dt_rng_open(&rng, 1, DT_RNG_AUGMENT, 1, i);
            run_row("hflip", &p, &rng, in, out);
            bool same = memcmp(in, out, SIZE) == 0;
            for (int k = 0; !same && k < SIZE; k++)
                ck_assert_int_eq(out[k], at(in, k / 3 / W, W - 1 - k / 3 % W, k % 3));
            mirrored += !same;
        }
        ck_assert_int_le(abs(mirrored - (int)(1000 * p)), p == 0.5 ? 65 : 0); /* 4 deviations */
    }
}
END_TEST

START_TEST(steps_run_in_order_from_one_stream)
{
    uint8_t x[SIZE], y[SIZE], z[SIZE];
    int pad = 1;
    double p = 1;
    const dt_transform_step steps[] = { { row("pad_crop"), &pad }, { row("hflip"), &p } };
    dt_rng rng, same;
    dt_sample s;
    dt_sample_init(&s, NULL);
    dt_rng_open(&rng, 3, DT_RNG_AUGMENT, 2, 7);
    same = rng;
    ck_assert_int_eq(dt_picture_shape(&s.picture, H, W, NULL), DT_OK);
    number(s.picture.rgb.data);
    number(x);
    ck_assert_int_eq(dt_transform_apply(steps, 2, &rng, &s, NULL), DT_OK);
    run_row("pad_crop", &pad, &same, x, y);
    run_row("hflip", &p, &same, y, z);
    ck_assert_mem_eq(s.picture.rgb.data, z, SIZE);
    ck_assert_uint_eq(dt_rng_u32(&rng), dt_rng_u32(&same));
    dt_sample_fini(&s);
}
END_TEST

START_TEST(first_option_is_the_shorthand)
{
    int pad;
    double p;
    dt_opt_defaults(row("pad_crop")->row.opts, &pad);
    dt_opt_defaults(row("hflip")->row.opts, &p);
    ck_assert(pad == 4 && p == 0.5);
    ck_assert_str_eq(row("pad_crop")->row.opts[0].key, "pad");
}
END_TEST

DT_TEST_MAIN("transform", pad_crop_reaches_every_place, pad_crop_refuses_to_lose_the_picture,
             hflip_mirrors_with_its_probability, steps_run_in_order_from_one_stream,
             first_option_is_the_shorthand)
