/* CutMix (Yun et al. 2019, section 3.1): a rectangle of one picture is pasted into another. With l
 * of Beta(alpha, alpha) its sides are sqrt(1 - l) of the picture's, its centre is uniform, what
 * hangs over is cut off; the targets are shared by the area that is left. One rectangle a batch;
 * partners are picture i and the i-th from the end, as in timm. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "data/transform.h"

typedef struct conf {
    double alpha, p;
} conf;

static const dt_opt opts[] = {
    DT_OPT_FLOAT(conf, alpha, 1, 0.05, 4, "of the beta distribution of the areas"),
    DT_OPT_FLOAT(conf, p, 1, 0, 1, "part of the batches; with mixup at most 1 together"),
    DT_OPT_END,
};

static double probability(const void *p)
{
    return ((const conf *)p)->p;
}

/* The part of 0..size-1 within `half` of a random centre. */
static void span(dt_rng *rng, int64_t size, double side, int64_t *out_from, int64_t *out_to)
{
    int64_t half = (int64_t)(side * (double)size) / 2;
    int64_t centre = (int64_t)(dt_rng_uniform(rng) * (double)size);
    *out_from = centre - half < 0 ? 0 : centre - half;
    *out_to = centre + half > size ? size : centre + half;
}

static void mix(const void *p, dt_rng *rng, dt_extent size, dt_mix *out)
{
    const conf *c = p;
    double side = sqrt(1 - dt_rng_beta(rng, c->alpha));
    dt_mix m = { .own = 0 };
    span(rng, size.H, side, &m.y0, &m.y1);
    span(rng, size.W, side, &m.x0, &m.x1);
    m.label = (float)(1 - (double)((m.y1 - m.y0) * (m.x1 - m.x0)) / (double)(size.H * size.W));
    *out = m;
}

extern const dt_transform dt_transform_cutmix;
const dt_transform dt_transform_cutmix = {
    .row = { "cutmix", "a rectangle of another picture, and part of its label (Yun et al. 2019)",
             opts, sizeof(conf) },
    .stage = DT_STAGE_BATCH,
    .random = true,
    .probability = probability,
    .mix = mix,
};
