/* SPDX-License-Identifier: Apache-2.0 */
#include "data/resize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "tests/support/run.h"

static void fill(dt_sample *s, int64_t H, int64_t W, uint64_t seed)
{
    dt_rng rng;
    dt_rng_open(&rng, seed, DT_RNG_TEST, 0, 0);
    ck_assert_int_eq(dt_picture_shape(&s->picture, H, W, NULL), DT_OK);
    for (int64_t i = 0; i < 3 * H * W; i++)
        s->picture.rgb.data[i] = (uint8_t)dt_rng_u32(&rng);
}

/* The definition in double, over both directions at once, without intermediate rounding. */
static double weight(dt_filter f, double t)
{
    t = fabs(t);
    if (f == DT_FILTER_BILINEAR) return t < 1 ? 1 - t : 0;
    if (t < 1) return 1.5 * t * t * t - 2.5 * t * t + 1;
    return t < 2 ? -0.5 * t * t * t + 2.5 * t * t - 4 * t + 2 : 0;
}

static double exact(const dt_picture *p, const dt_box *b, double H, double W, int64_t y, int64_t x,
                    int c, dt_filter f)
{
    double sy = (double)b->H / H, sx = (double)b->W / W, wide_y = fmax(sy, 1), wide_x = fmax(sx, 1);
    double sum = 0, all = 0;
    for (int64_t i = 0; i < b->H; i++)
        for (int64_t j = 0; j < b->W; j++) {
            double k = weight(f, ((double)i + 0.5 - ((double)y + 0.5) * sy) / wide_y) *
                       weight(f, ((double)j + 0.5 - ((double)x + 0.5) * sx) / wide_x);
            all += k;
            sum += k * p->rgb.data[3 * ((b->y + i) * p->W + b->x + j) + c];
        }
    return fmin(255, fmax(0, sum / all));
}

START_TEST(agrees_with_the_definition)
{
    static const int64_t sizes[][2] = { { 5, 9 }, { 16, 7 }, { 40, 40 }, { 1, 1 }, { 23, 16 } };
    const dt_box box = { .y = 3, .x = 2, .H = 23, .W = 16 };
    dt_sample s, in;
    dt_sample_init(&s, NULL);
    dt_sample_init(&in, NULL);
    for (int f = 0; f < 2; f++)
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            int64_t H = sizes[k][0], W = sizes[k][1];
            double worst = 0;
            fill(&s, 29, 20, 7);
            fill(&in, 29, 20, 7);
            ck_assert_int_eq(dt_resize(&s, &box, H, W, (dt_filter)f, NULL), DT_OK);
            ck_assert(s.picture.H == H && s.picture.W == W);
            for (int64_t i = 0; i < 3 * H * W; i++)
                worst = fmax(worst, fabs(exact(&in.picture, &box, (double)H, (double)W, i / 3 / W,
                                               i / 3 % W, (int)(i % 3), (dt_filter)f) -
                                         s.picture.rgb.data[i]));
            /* Two roundings; bicubic clips between the directions too, which noise reaches. */
            ck_assert_msg(worst < (f == DT_FILTER_BILINEAR ? 1.01 : 24), "%d %d: %g", f, (int)k,
                          worst);
        }
    dt_sample_fini(&s);
    dt_sample_fini(&in);
}
END_TEST

START_TEST(same_size_is_the_same_picture)
{
    dt_sample s, in;
    dt_sample_init(&s, NULL);
    dt_sample_init(&in, NULL);
    fill(&s, 13, 11, 3);
    fill(&in, 13, 11, 3);
    const dt_box all = { .H = 13, .W = 11 };
    for (int f = 0; f < 2; f++) {
        ck_assert_int_eq(dt_resize(&s, &all, 13, 11, (dt_filter)f, NULL), DT_OK);
        ck_assert_mem_eq(s.picture.rgb.data, in.picture.rgb.data, 3 * 13 * 11);
    }
    dt_sample_fini(&s);
    dt_sample_fini(&in);
}
END_TEST

START_TEST(the_shorter_side_decides)
{
    static const int64_t t[][5] = { { 500, 375, 256, 341, 256 },
                                    { 375, 500, 256, 256, 341 },
                                    { 256, 256, 256, 256, 256 },
                                    { 10, 10, 4, 4, 4 },
                                    { 1, 3, 2, 2, 6 } };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        int64_t H, W;
        dt_resize_shorter(t[i][0], t[i][1], t[i][2], &H, &W);
        ck_assert(H == t[i][3] && W == t[i][4]);
    }
    dt_sample s;
    dt_sample_init(&s, NULL);
    fill(&s, 2, 2, 1);
    const dt_box all = { .H = 2, .W = 2 };
    ck_assert_int_eq(dt_resize(&s, &all, 1 << 15, 4, DT_FILTER_BILINEAR, NULL), DT_ERR_SHAPE);
    dt_sample_fini(&s);
}
END_TEST

DT_TEST_MAIN("resize", agrees_with_the_definition, same_size_is_the_same_picture,
             the_shorter_side_decides)
