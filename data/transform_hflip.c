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

static void apply(const void *p, dt_rng *rng, int64_t H, int64_t W, const uint8_t *in, uint8_t *out)
{
    const conf *c = p;
    if (dt_rng_uniform(rng) >= c->p) {
        memcpy(out, in, (size_t)(3 * H * W));
        return;
    }
    for (int64_t y = 0; y < H; y++)
        for (int64_t x = 0; x < W; x++)
            memcpy(out + 3 * (y * W + x), in + 3 * (y * W + W - 1 - x), 3);
}

extern const dt_transform dt_transform_hflip;
const dt_transform dt_transform_hflip = {
    .row = { "hflip", "mirror image with probability p", opts, sizeof(conf) },
    .apply = apply,
};
