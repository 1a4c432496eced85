/* Mixup (Zhang et al. 2018, "mixup: beyond empirical risk minimization", equation 1): with l of
 * Beta(alpha, alpha), x = l x_i + (1 - l) x_j and the same for the targets. One l a batch; partners
 * are picture i and the i-th from the end, as in timm. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/transform.h"

typedef struct conf {
    double alpha, p;
} conf;

static const dt_opt opts[] = {
    DT_OPT_FLOAT(conf, alpha, 0.8, 0.05, 4, "of the beta distribution of the shares"),
    DT_OPT_FLOAT(conf, p, 1, 0, 1, "part of the batches; with cutmix at most 1 together"),
    DT_OPT_END,
};

static double probability(const void *p)
{
    return ((const conf *)p)->p;
}

static void mix(const void *p, dt_rng *rng, dt_extent size, dt_mix *out)
{
    const conf *c = p;
    float share = (float)dt_rng_beta(rng, c->alpha);
    *out = (dt_mix){ .y1 = size.H, .x1 = size.W, .own = share, .label = share };
}

extern const dt_transform dt_transform_mixup;
const dt_transform dt_transform_mixup = {
    .row = { "mixup", "weighted means of two pictures and their labels (Zhang et al. 2018)", opts,
             sizeof(conf) },
    .stage = DT_STAGE_BATCH,
    .random = true,
    .probability = probability,
    .mix = mix,
};
