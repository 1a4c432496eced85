/* With probability p a random rectangle of the normalised picture is overwritten (Zhong et al.
 * 2017, "Random erasing data augmentation", algorithm 1): its share of the area is uniform, its
 * ratio of height to width log-uniform; of ten tries the first that fits is taken. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "core/mathx.h"
#include "data/transform.h"

enum { TRIES = 10, CHANNELS = 3 };
typedef enum fill { FILL_NOISE, FILL_ZERO } fill;

typedef struct conf {
    double p, min_area, max_area, min_ratio, max_ratio;
    int fill;
} conf;

static const dt_opt opts[] = {
    DT_OPT_FLOAT(conf, p, 0.25, 0, 1, "probability"),
    DT_OPT_FLOAT(conf, min_area, 0.02, 1e-4, 1, "smallest rectangle, as a part of the picture"),
    DT_OPT_FLOAT(conf, max_area, 0.3333333333333333, 1e-4, 1, "largest rectangle"),
    DT_OPT_FLOAT(conf, min_ratio, 0.3, 0.01, 100, "smallest height / width"),
    DT_OPT_FLOAT(conf, max_ratio, 3.3333333333333335, 0.01, 100, "largest height / width"),
    DT_OPT_ENUM(conf, fill, FILL_NOISE, "noise|zero",
                "normal noise for each value, or 0, which is the mean"),
    DT_OPT_END,
};

static dt_status check(const void *p, dt_extent *size, dt_error *err)
{
    const conf *c = p;
    (void)size;
    if (c->min_area <= c->max_area && c->min_ratio <= c->max_ratio) return DT_OK;
    return dt_fail(err, DT_ERR_RANGE, &(dt_where){ .key = "random_erasing" },
                   "min_area and min_ratio may not be above max_area and max_ratio");
}

typedef struct box {
    int64_t y, x, H, W;
} box;

/* Every try draws its four numbers, so that the stream goes on at the same place. */
static box draw(const conf *c, dt_rng *rng, dt_extent size)
{
    double low = dt_log(c->min_ratio), high = dt_log(c->max_ratio);
    box found = { 0 };
    for (int i = 0; i < TRIES; i++) {
        double share = c->min_area + (c->max_area - c->min_area) * dt_rng_uniform(rng);
        double ratio = dt_exp(low + (high - low) * dt_rng_uniform(rng));
        double area = share * (double)size.H * (double)size.W;
        double y = dt_rng_uniform(rng), x = dt_rng_uniform(rng);
        int64_t h = (int64_t)rint(sqrt(area * ratio)), w = (int64_t)rint(sqrt(area / ratio));
        if (found.H || h < 1 || w < 1 || h >= size.H || w >= size.W) continue;
        found = (box){ (int64_t)(y * (double)(size.H - h + 1)),
                       (int64_t)(x * (double)(size.W - w + 1)), h, w };
    }
    return found;
}

static void change(const void *p, dt_rng *rng, dt_extent size, float *x)
{
    const conf *c = p;
    bool wanted = dt_rng_uniform(rng) < c->p;
    const box b = draw(c, rng, size);
    uint64_t seed = (uint64_t)dt_rng_u32(rng) << 32;
    dt_rng noise; /* a stream of its own: how many numbers it gives depends on the rectangle */
    dt_rng_open(&noise, seed | dt_rng_u32(rng), DT_RNG_AUGMENT, 0, 0);
    for (int64_t i = b.y; wanted && i < b.y + b.H; i++)
        for (int64_t k = CHANNELS * (i * size.W + b.x); k < CHANNELS * (i * size.W + b.x + b.W);
             k++)
            x[k] = c->fill == FILL_NOISE ? (float)dt_rng_normal(&noise) : 0;
}

extern const dt_transform dt_transform_random_erasing;
const dt_transform dt_transform_random_erasing = {
    .row = { "random_erasing", "a random rectangle becomes noise (Zhong et al. 2017)", opts,
             sizeof(conf) },
    .stage = DT_STAGE_VALUES,
    .random = true,
    .check = check,
    .change = change,
};
