/* A random part of the picture, resized to a square (Szegedy et al. 2015, "Going deeper with
 * convolutions", section 6; the rules are torchvision's RandomResizedCrop): its share of the area
 * is uniform, its ratio of width to height log-uniform; of ten tries the first that fits is taken,
 * otherwise the middle with the nearest ratio. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "core/mathx.h"
#include "data/resize.h"
#include "data/transform.h"

enum { TRIES = 10 };

typedef struct conf {
    int size, filter;
    double min_area, max_area, min_ratio, max_ratio;
} conf;

static const dt_opt opts[] = {
    DT_OPT_INT(conf, size, 224, 1, 4096, "pixels of both sides of the result"),
    DT_OPT_FLOAT(conf, min_area, 0.08, 1e-4, 1, "smallest part of the picture, by area"),
    DT_OPT_FLOAT(conf, max_area, 1, 1e-4, 1, "largest part of the picture"),
    DT_OPT_FLOAT(conf, min_ratio, 0.75, 0.01, 100, "smallest width / height of the part"),
    DT_OPT_FLOAT(conf, max_ratio, 1.3333333333333333, 0.01, 100,
                 "largest width / height of the part"),
    DT_OPT_ENUM(conf, filter, DT_FILTER_BILINEAR, DT_FILTER_CHOICES,
                "antialiased, as in Pillow and torchvision"),
    DT_OPT_END,
};

static dt_status check(const void *p, dt_extent *size, dt_error *err)
{
    const conf *c = p;
    if (c->min_area > c->max_area || c->min_ratio > c->max_ratio)
        return dt_fail(err, DT_ERR_RANGE, &(dt_where){ .key = "random_resized_crop" },
                       "min_area and min_ratio may not be above max_area and max_ratio");
    *size = (dt_extent){ c->size, c->size };
    return DT_OK;
}

static int64_t place(double uniform, int64_t room)
{
    return (int64_t)floor(uniform * (double)(room + 1));
}

/* Every try draws its four numbers, whether it is needed or not: what follows in the stream must
 * not depend on the picture. */
static bool draw(const conf *c, dt_rng *rng, int64_t H, int64_t W, dt_box *out)
{
    double low = dt_log(c->min_ratio), high = dt_log(c->max_ratio);
    bool found = false;
    for (int i = 0; i < TRIES; i++) {
        double share = c->min_area + (c->max_area - c->min_area) * dt_rng_uniform(rng);
        double ratio = dt_exp(low + (high - low) * dt_rng_uniform(rng));
        double area = share * (double)H * (double)W, y = dt_rng_uniform(rng),
               x = dt_rng_uniform(rng);
        int64_t w = (int64_t)rint(sqrt(area * ratio)), h = (int64_t)rint(sqrt(area / ratio));
        if (found || w < 1 || h < 1 || w > W || h > H) continue;
        *out = (dt_box){ .y = place(y, H - h), .x = place(x, W - w), .H = h, .W = w };
        found = true;
    }
    return found;
}

static dt_box middle(const conf *c, int64_t H, int64_t W)
{
    double ratio = (double)W / (double)H;
    dt_box b = { .H = H, .W = W };
    if (ratio < c->min_ratio)
        b.H = (int64_t)rint((double)W / c->min_ratio);
    else if (ratio > c->max_ratio)
        b.W = (int64_t)rint((double)H * c->max_ratio);
    if (b.H < 1) b.H = 1;
    if (b.W < 1) b.W = 1;
    b.y = (H - b.H) / 2;
    b.x = (W - b.W) / 2;
    return b;
}

static dt_status apply(const void *p, dt_rng *rng, dt_sample *s, dt_error *err)
{
    const conf *c = p;
    dt_box part;
    if (!draw(c, rng, s->picture.H, s->picture.W, &part))
        part = middle(c, s->picture.H, s->picture.W);
    return dt_resize(s, &part, c->size, c->size, (dt_filter)c->filter, err);
}

extern const dt_transform dt_transform_random_resized_crop;
const dt_transform dt_transform_random_resized_crop = {
    .row = { "random_resized_crop", "a random part of the picture, resized to a square", opts,
             sizeof(conf) },
    .random = true,
    .check = check,
    .apply = apply,
};
