/* Random crop of the padded picture: `pad` black pixels around it, then H x W at a random place,
 * each of (2 pad + 1)^2 places being equally likely. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/transform.h"

#include <string.h>

typedef struct conf {
    int pad;
} conf;

static const dt_opt opts[] = {
    DT_OPT_INT(conf, pad, 4, 0, 1024, "black pixels added on each side before the crop"),
    DT_OPT_END,
};

static dt_status check(const void *p, int64_t H, int64_t W, dt_error *err)
{
    const conf *c = p;
    int64_t side = H < W ? H : W;
    if (c->pad < side) return DT_OK;
    return dt_fail(err, DT_ERR_RANGE, &(dt_where){ .key = "pad_crop.pad" },
                   "%d is outside 0..%lld of %lldx%lld pictures", c->pad, (long long)side - 1,
                   (long long)H, (long long)W);
}

static void apply(const void *p, dt_rng *rng, int64_t H, int64_t W, const uint8_t *in, uint8_t *out)
{
    const conf *c = p;
    uint32_t places = 2 * (uint32_t)c->pad + 1;
    int64_t dy = (int64_t)dt_rng_below(rng, places) - c->pad;
    int64_t dx = (int64_t)dt_rng_below(rng, places) - c->pad;
    int64_t from = dx < 0 ? -dx : 0, to = dx > 0 ? W - dx : W; /* columns that come from `in` */
    memset(out, 0, (size_t)(3 * H * W));
    for (int64_t y = 0; y < H; y++) {
        if (y + dy < 0 || y + dy >= H) continue;
        memcpy(out + 3 * (y * W + from), in + 3 * ((y + dy) * W + from + dx),
               (size_t)(3 * (to - from)));
    }
}

extern const dt_transform dt_transform_pad_crop;
const dt_transform dt_transform_pad_crop = {
    .row = { "pad_crop", "random crop of the picture padded with black", opts, sizeof(conf) },
    .check = check,
    .apply = apply,
};
