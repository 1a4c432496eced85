/* Mirror image (left and right exchanged) with probability p. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/transform.h"

#include <string.h>

typedef struct conf {
    double p;
} conf;

static const dt_opt opts[] = {
    DT_OPT_FLOAT(conf, p, 0.5, 0, 1, "probability of the mirror image"),
    DT_OPT_END,
};

static dt_status apply(const void *p, dt_rng *rng, dt_sample *s, dt_error *err)
{
    const conf *c = p;
    const dt_picture *in = &s->picture;
    int64_t W = in->W;
    if (dt_rng_uniform(rng) >= c->p) return DT_OK;
    DT_TRY(dt_picture_shape(&s->spare, in->H, W, err));
    for (int64_t y = 0; y < in->H; y++)
        for (int64_t x = 0; x < W; x++)
            memcpy(s->spare.rgb.data + 3 * (y * W + x), in->rgb.data + 3 * (y * W + W - 1 - x), 3);
    dt_sample_swap(s);
    return DT_OK;
}

extern const dt_transform dt_transform_hflip;
const dt_transform dt_transform_hflip = {
    .row = { "hflip", "mirror image with probability p", opts, sizeof(conf) },
    .random = true,
    .apply = apply,
};
