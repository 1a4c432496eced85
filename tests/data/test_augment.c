/* The transforms of ImageNet recipes: each against its formula, and that the stream goes on at the
 * same number whatever the picture is. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/transform.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/run.h"

enum { H = 40, W = 30 };

static const dt_transform *row(const char *name)
{
    return (const dt_transform *)dt_table_find(&dt_transforms, name);
}

/* Options "key=value ..." of a row over its defaults. */
static void *conf_of(const char *name, const char *text)
{
    static _Alignas(16) unsigned char memory[8][1024];
    static int next;
    char copy[256];
    void *conf = memory[next++ % 8];
    dt_opt_defaults(row(name)->row.opts, conf);
    strcpy(copy, text);
    for (char *pair = strtok(copy, " "); pair; pair = strtok(NULL, " ")) {
        char *equals = strchr(pair, '=');
        *equals = '\0';
        ck_assert_int_eq(
            dt_opt_set(dt_opt_find(row(name)->row.opts, pair), conf, equals + 1, NULL, NULL),
            DT_OK);
    }
    return conf;
}

static dt_transform_step step_of(const char *name, const char *text)
{
    return (dt_transform_step){ row(name), conf_of(name, text) };
}

static void fill(dt_sample *s, int64_t h, int64_t w, uint64_t seed)
{
    dt_rng rng;
    dt_rng_open(&rng, seed, DT_RNG_TEST, 0, 0);
    ck_assert_int_eq(dt_picture_shape(&s->picture, h, w, NULL), DT_OK);
    for (int64_t i = 0; i < 3 * h * w; i++)
        s->picture.rgb.data[i] = (uint8_t)dt_rng_u32(&rng);
}

static dt_rng stream(uint64_t sample)
{
    dt_rng rng;
    dt_rng_open(&rng, 1, DT_RNG_AUGMENT, 2, sample);
    return rng;
}

START_TEST(draws_do_not_depend_on_the_picture)
{
    static const char *const names[] = { "hflip", "random_resized_crop", "color_jitter" };
    static const int64_t sizes[][2] = { { 4, 300 }, { 300, 4 }, { 50, 50 }, { 1, 1 } };
    dt_sample s;
    dt_sample_init(&s, NULL);
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        for (uint64_t sample = 0; sample < 20; sample++) {
            const dt_transform_step step = step_of(names[k], k == 1 ? "size=8" : "");
            uint32_t after = 0;
            for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
                dt_rng rng = stream(sample);
                fill(&s, sizes[i][0], sizes[i][1], i);
                ck_assert_int_eq(dt_transform_apply(&step, 1, &rng, &s, NULL), DT_OK);
                uint32_t x = dt_rng_u32(&rng);
                ck_assert(i == 0 || x == after);
                after = x;
            }
        }
    dt_sample_fini(&s);
}
END_TEST

/* A picture whose pixel tells its place, so that a crop of the same size can be read off. */
static void number(dt_sample *s)
{
    ck_assert_int_eq(dt_picture_shape(&s->picture, H, W, NULL), DT_OK);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            for (int c = 0; c < 3; c++)
                s->picture.rgb.data[3 * (y * W + x) + c] = (uint8_t)(c == 0 ? y : c == 1 ? x : 9);
}

START_TEST(center_crop_takes_the_middle)
{
    dt_sample s;
    dt_rng rng = stream(0);
    dt_sample_init(&s, NULL);
    number(&s);
    dt_transform_step step = step_of("center_crop", "size=21");
    ck_assert_int_eq(dt_transform_apply(&step, 1, &rng, &s, NULL), DT_OK);
    ck_assert(s.picture.H == 21 && s.picture.W == 21);
    ck_assert_int_eq(s.picture.rgb.data[0], 10); /* (40 - 21) / 2 = 9.5 to even */
    ck_assert_int_eq(s.picture.rgb.data[1], 4);  /* (30 - 21) / 2 = 4.5 to even */
    number(&s);
    step = step_of("center_crop", "size=33"); /* wider than the picture: black on both sides */
    ck_assert_int_eq(dt_transform_apply(&step, 1, &rng, &s, NULL), DT_OK);
    const uint8_t *p = s.picture.rgb.data;
    ck_assert(p[2] == 0 && p[3 * 1] == 4 && p[3 * 1 + 1] == 0 && p[3 * 30 + 1] == 29);
    ck_assert(p[3 * 31 + 2] == 0 && p[3 * 32 + 2] == 0);
    dt_sample_fini(&s);
}
END_TEST

START_TEST(random_resized_crop_keeps_its_ranges)
{
    dt_sample s;
    dt_sample_init(&s, NULL);
    const dt_transform_step step = step_of("random_resized_crop", "size=20 min_area=0.3");
    int small = 0, moved = 0;
    for (uint64_t i = 0; i < 300; i++) {
        dt_rng rng = stream(i);
        number(&s);
        ck_assert_int_eq(dt_transform_apply(&step, 1, &rng, &s, NULL), DT_OK);
        ck_assert(s.picture.H == 20 && s.picture.W == 20);
        const uint8_t *first = s.picture.rgb.data, *last = first + 3 * 399;
        double h = last[0] - first[0], w = last[1] - first[1]; /* of the part, about */
        ck_assert(h >= 0 && w >= 0 && h <= H && w <= W);
        ck_assert((h + 3) * (w + 3) > 0.29 * H * W);
        ck_assert((w + 3) / (h + 0.01) > 0.72 && (w - 0.01) / (h + 3) < 1.37);
        ck_assert_int_eq(first[2], 9);
        small += h * w < 0.5 * H * W;
        moved += first[0] > 2;
    }
    ck_assert(small > 50 && moved > 50);
    fill(&s, 1, 200, 1); /* nothing fits: the middle, as wide as the ratio allows */
    dt_rng rng = stream(0);
    ck_assert_int_eq(dt_transform_apply(&step, 1, &rng, &s, NULL), DT_OK);
    dt_sample_fini(&s);
}
END_TEST

static double grey(const uint8_t *p)
{
    return floor((p[0] * 19595.0 + p[1] * 38470.0 + p[2] * 7471.0 + 32768.0) / 65536.0);
}

static double clip(double v)
{
    return v < 0 ? 0 : v > 255 ? 255 : v;
}

/* One of brightness, contrast and saturation at a time: the factor is the draw of its place. */
START_TEST(color_jitter_moves_as_its_formulas_say)
{
    static const char *const texts[] = { "strength=0 brightness=0.7", "strength=0 contrast=0.7",
                                         "strength=0 saturation=0.7" };
    dt_sample s, in;
    dt_sample_init(&s, NULL);
    dt_sample_init(&in, NULL);
    for (int k = 0; k < 3; k++)
        for (uint64_t sample = 0; sample < 10; sample++) {
            const dt_transform_step step = step_of("color_jitter", texts[k]);
            dt_rng rng = stream(sample), same = rng;
            fill(&s, H, W, 3);
            fill(&in, H, W, 3);
            ck_assert_int_eq(dt_transform_apply(&step, 1, &rng, &s, NULL), DT_OK);
            double f = 0, mean = 0;
            for (int i = 0; i <= k; i++)
                f = 1 + 0.7 * (2 * dt_rng_uniform(&same) - 1);
            const uint8_t *p = in.picture.rgb.data;
            for (int i = 0; i < H * W; i++)
                mean += grey(p + 3 * i) / (H * W);
            for (int i = 0; i < 3 * H * W; i++) {
                double from = k == 0 ? 0 : k == 1 ? floor(mean + 0.5) : grey(p + i / 3 * 3);
                double want = clip(from + f * (p[i] - from)); /* cut to a byte */
                ck_assert(fabs(want - s.picture.rgb.data[i]) < 1.001);
                ck_assert(s.picture.rgb.data[i] <= want + 0.001);
            }
        }
    dt_sample_fini(&s);
    dt_sample_fini(&in);
}
END_TEST

START_TEST(hue_turns_and_keeps_brightest_and_darkest)
{
    dt_sample s;
    dt_sample_init(&s, NULL);
    const dt_transform_step step = step_of("color_jitter", "strength=0 hue=0.5");
    for (uint64_t sample = 0; sample < 50; sample++) {
        dt_rng rng = stream(sample), same = rng;
        const uint8_t colours[] = { 200, 40, 40, 90, 90, 90, 10, 250, 130 };
        ck_assert_int_eq(dt_picture_shape(&s.picture, 1, 3, NULL), DT_OK);
        uint8_t *p = s.picture.rgb.data;
        memcpy(p, colours, 9);
        ck_assert_int_eq(dt_transform_apply(&step, 1, &rng, &s, NULL), DT_OK);
        double turn = 0;
        for (int i = 0; i < 4; i++)
            turn = 2 * dt_rng_uniform(&same) - 1;
        turn *= 0.5;
        ck_assert(p[3] == 90 && p[4] == 90 && p[5] == 90);
        for (int k = 0; k < 9; k += 6) {
            int high = fmax(p[k], fmax(p[k + 1], p[k + 2])),
                low = fmin(p[k], fmin(p[k + 1], p[k + 2]));
            ck_assert(high == (k ? 250 : 200) && low == (k ? 10 : 40));
        }
        /* Red starts at hue 0: the second channel rises with a turn to the right, the third with
         * one to the left, by 160 levels in a sixth of the circle. */
        double rise = fmin(160, 160 * 6 * fabs(turn));
        if (fabs(turn) < 1.0 / 6) ck_assert(fabs(p[turn > 0 ? 1 : 2] - 40 - rise) <= 0.51);
    }
    dt_sample_fini(&s);
}
END_TEST

START_TEST(random_erasing_fills_one_rectangle)
{
    static float x[3 * H * W];
    const dt_extent size = { H, W };
    int erased = 0;
    for (int fill_kind = 0; fill_kind < 2; fill_kind++)
        for (uint64_t sample = 0; sample < 400; sample++) {
            const dt_transform_step step =
                step_of("random_erasing", fill_kind ? "fill=zero p=0.5" : "p=0.5");
            dt_rng rng = stream(sample);
            int y0 = H, y1 = -1, x0 = W, x1 = -1, changed = 0;
            double square = 0;
            for (int i = 0; i < 3 * H * W; i++)
                x[i] = 77;
            dt_transform_change(&step, 1, &rng, size, x);
            for (int i = 0; i < 3 * H * W; i++) {
                if (x[i] == 77) continue;
                int a = i / 3 / W, b = i / 3 % W;
                y0 = a < y0 ? a : y0, y1 = a > y1 ? a : y1;
                x0 = b < x0 ? b : x0, x1 = b > x1 ? b : x1;
                changed++;
                square += (double)(x[i] * x[i]);
            }
            if (!changed) continue;
            erased++;
            ck_assert_int_eq(changed, 3 * (y1 - y0 + 1) * (x1 - x0 + 1));
            double share = changed / (3.0 * H * W);
            ck_assert(share > 0.015 && share < 0.36);
            ck_assert(fill_kind ? square == 0 : fabs(square / changed - 1) < 12 / sqrt(changed));
        }
    ck_assert(abs(erased - 400) < 60);
}
END_TEST

START_TEST(mixup_and_cutmix_share_the_batches)
{
    const dt_transform_step steps[] = { step_of("mixup", "p=0.5"), step_of("cutmix", "p=0.3") };
    const dt_extent size = { H, W };
    int count[3] = { 0 };
    for (uint64_t i = 0; i < 2000; i++) {
        dt_rng rng = stream(i);
        dt_mix m;
        if (!dt_transform_mix(steps, 2, &rng, size, &m)) {
            count[2]++;
            continue;
        }
        ck_assert(m.y0 >= 0 && m.y0 <= m.y1 && m.y1 <= H && m.x0 >= 0 && m.x0 <= m.x1);
        ck_assert(m.x1 <= W && m.label >= 0 && m.label <= 1);
        bool whole = m.y0 == 0 && m.x0 == 0 && m.y1 == H && m.x1 == W && m.own == m.label;
        double area = (double)((m.y1 - m.y0) * (m.x1 - m.x0)) / (H * W);
        if (!whole) ck_assert(m.own == 0 && fabs(1 - area - (double)m.label) < 1e-6);
        count[whole ? 0 : 1]++;
    }
    ck_assert(abs(count[0] - 1000) < 110 && abs(count[1] - 600) < 110 && count[2] > 300);
}
END_TEST

static void refused(const dt_transform_step *steps, int count, bool exact, dt_extent size,
                    dt_status status, const char *text)
{
    dt_error err;
    ck_assert_int_eq(dt_transform_check(steps, count, exact, &size, &err), status);
    ck_assert_str_eq(err.text, text);
}

START_TEST(lists_that_make_no_sense_are_refused)
{
    const dt_extent any = { 0, 0 }, one = { H, W };
    const dt_transform_step mix = step_of("mixup", ""), cut = step_of("cutmix", "p=0.5"),
                            flip = step_of("hflip", ""), pad = step_of("pad_crop", ""),
                            erase = step_of("random_erasing", ""),
                            crop = step_of("center_crop", "");
    const dt_transform_step both[] = { mix, cut }, late[] = { erase, flip },
                            later[] = { mix, erase };
    refused(both, 2, false, one, DT_ERR_RANGE,
            "cutmix: the p of transforms on batches add up to 1.5; at most 1, for a batch gets one "
            "of them");
    refused(late, 2, false, one, DT_ERR_RANGE,
            "hflip: must stand before 'random_erasing', which works on normalised pictures");
    refused(later, 2, false, one, DT_ERR_RANGE,
            "random_erasing: must stand before 'mixup', which works on whole batches");
    refused(&flip, 1, true, one, DT_ERR_RANGE,
            "hflip: is random, so it is for data.train; test pictures take resize and crop");
    refused(&pad, 1, false, any, DT_ERR_SHAPE,
            "pad_crop: needs pictures of one size; put random_resized_crop, or resize and "
            "center_crop, before it");
    refused(&erase, 1, false, any, DT_ERR_SHAPE,
            "random_erasing: needs pictures of one size; put random_resized_crop, or resize and "
            "center_crop, before it");
    const dt_transform_step order = step_of("random_resized_crop", "min_area=0.5 max_area=0.4");
    refused(&order, 1, false, any, DT_ERR_RANGE,
            "random_resized_crop: min_area and min_ratio may not be above max_area and max_ratio");
    dt_extent size = any;
    const dt_transform_step resize = step_of("resize", "size=20"), good[] = { resize, crop };
    ck_assert_int_eq(dt_transform_check(good, 2, true, &size, NULL), DT_OK);
    ck_assert(size.H == 224 && size.W == 224);
    size = one;
    ck_assert_int_eq(dt_transform_check(good, 1, true, &size, NULL), DT_OK);
    ck_assert(size.H == 26 && size.W == 20);
}
END_TEST

DT_TEST_MAIN("augment", draws_do_not_depend_on_the_picture, center_crop_takes_the_middle,
             random_resized_crop_keeps_its_ranges, color_jitter_moves_as_its_formulas_say,
             hue_turns_and_keeps_brightest_and_darkest, random_erasing_fills_one_rectangle,
             mixup_and_cutmix_share_the_batches, lists_that_make_no_sense_are_refused)
