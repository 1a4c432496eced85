/* The shorter side to `size` pixels, with the proportions kept. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/resize.h"
#include "data/transform.h"

typedef struct conf {
    int size, filter;
} conf;

static const dt_opt opts[] = {
    DT_OPT_INT(conf, size, 256, 1, 4096, "pixels of the shorter side"),
    DT_OPT_ENUM(conf, filter, DT_FILTER_BILINEAR, DT_FILTER_CHOICES,
                "antialiased, as in Pillow and torchvision"),
    DT_OPT_END,
};

static dt_status check(const void *p, dt_extent *size, dt_error *err)
{
    const conf *c = p;
    (void)err;
    if (size->H) dt_resize_shorter(size->H, size->W, c->size, &size->H, &size->W);
    return DT_OK;
}

static dt_status apply(const void *p, dt_rng *rng, dt_sample *s, dt_error *err)
{
    const conf *c = p;
    const dt_box all = { .H = s->picture.H, .W = s->picture.W };
    int64_t H, W;
    (void)rng;
    dt_resize_shorter(all.H, all.W, c->size, &H, &W);
    if (H == all.H && W == all.W) return DT_OK;
    return dt_resize(s, &all, H, W, (dt_filter)c->filter, err);
}

extern const dt_transform dt_transform_resize;
const dt_transform dt_transform_resize = {
    .row = { "resize", "shorter side to a length, proportions kept", opts, sizeof(conf) },
    .check = check,
    .apply = apply,
};
