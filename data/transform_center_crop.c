/* The middle `size` x `size` pixels, with black where the picture is smaller. A margin of half a
 * pixel is rounded to the even side, as in torchvision. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/transform.h"

#include <math.h>
#include <string.h>

typedef struct conf {
    int size;
} conf;

static const dt_opt opts[] = {
    DT_OPT_INT(conf, size, 224, 1, 4096, "pixels of both sides"),
    DT_OPT_END,
};

static dt_status check(const void *p, dt_extent *size, dt_error *err)
{
    const conf *c = p;
    (void)err;
    *size = (dt_extent){ c->size, c->size };
    return DT_OK;
}

/* One direction: `count` pixels of `in` from `from` on stand at `to` of the crop. */
typedef struct span {
    int64_t from, to, count;
} span;

static span span_of(int64_t in, int64_t size)
{
    if (in < size) return (span){ 0, (size - in) / 2, in };
    return (span){ (int64_t)rint((double)(in - size) / 2), 0, size };
}

static dt_status apply(const void *p, dt_rng *rng, dt_sample *s, dt_error *err)
{
    const conf *c = p;
    int64_t size = c->size, W = s->picture.W;
    const span y = span_of(s->picture.H, size), x = span_of(W, size);
    (void)rng;
    DT_TRY(dt_picture_shape(&s->spare, size, size, err));
    const uint8_t *in = s->picture.rgb.data;
    uint8_t *out = s->spare.rgb.data;
    if (y.count < size || x.count < size) memset(out, 0, (size_t)(3 * size * size));
    for (int64_t i = 0; i < y.count; i++)
        memcpy(out + 3 * ((y.to + i) * size + x.to), in + 3 * ((y.from + i) * W + x.from),
               (size_t)(3 * x.count));
    dt_sample_swap(s);
    return DT_OK;
}

extern const dt_transform dt_transform_center_crop;
const dt_transform dt_transform_center_crop = {
    .row = { "center_crop", "the middle square, black where the picture is smaller", opts,
             sizeof(conf) },
    .check = check,
    .apply = apply,
};
