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

static dt_status check(const void *p, dt_extent *size, dt_error *err)
{
    const conf *c = p;
    DT_TRY(dt_transform_need_size("pad_crop", size, err));
    int64_t side = size->H < size->W ? size->H : size->W;
    if (c->pad < side) return DT_OK;
    return dt_fail(err, DT_ERR_RANGE, &(dt_where){ .key = "pad_crop.pad" },
                   "%d is outside 0..%lld of %lldx%lld pictures", c->pad, (long long)side - 1,
                   (long long)size->H, (long long)size->W);
}

static dt_status apply(const void *p, dt_rng *rng, dt_sample *s, dt_error *err)
{
    const conf *c = p;
    int64_t H = s->picture.H, W = s->picture.W;
    uint32_t places = 2 * (uint32_t)c->pad + 1;
    int64_t dy = (int64_t)dt_rng_below(rng, places) - c->pad;
    int64_t dx = (int64_t)dt_rng_below(rng, places) - c->pad;
    int64_t from = dx < 0 ? -dx : 0, to = dx > 0 ? W - dx : W; /* columns that come from `in` */
    DT_TRY(dt_picture_shape(&s->spare, H, W, err));
    const uint8_t *in = s->picture.rgb.data;
    uint8_t *out = s->spare.rgb.data;
    memset(out, 0, (size_t)(3 * H * W));
    for (int64_t y = 0; y < H; y++) {
        if (y + dy < 0 || y + dy >= H) continue;
        memcpy(out + 3 * (y * W + from), in + 3 * ((y + dy) * W + from + dx),
               (size_t)(3 * (to - from)));
    }
    dt_sample_swap(s);
    return DT_OK;
}

extern const dt_transform dt_transform_pad_crop;
const dt_transform dt_transform_pad_crop = {
    .row = { "pad_crop", "random crop of the picture padded with black", opts, sizeof(conf) },
    .random = true,
    .check = check,
    .apply = apply,
};
