/* Random brightness, contrast, saturation and hue, in a random order (the rules are torchvision's
 * ColorJitter on pictures of bytes). A factor f is uniform in [1 - s, 1 + s]; with L the grey value
 * (299 R + 587 G + 114 B) / 1000 in 16-bit fixed point, values move
 *   brightness v -> f v,  contrast v -> mean(L) + f (v - mean(L)),  saturation v -> L + f (v - L),
 * cut off to a byte. Hue turns by up to +-`hue` of the circle, in floating point; torchvision
 * rounds the hue to 256 steps there. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "data/transform.h"

enum { OPS = 4 };

typedef struct conf {
    double strength, brightness, contrast, saturation, hue;
} conf;

static const dt_opt opts[] = {
    DT_OPT_FLOAT(conf, strength, 0.4, 0, 1, "of brightness, contrast and saturation"),
    DT_OPT_FLOAT(conf, brightness, -1, -1, 1, "its own strength; below 0: `strength`"),
    DT_OPT_FLOAT(conf, contrast, -1, -1, 1, "its own strength; below 0: `strength`"),
    DT_OPT_FLOAT(conf, saturation, -1, -1, 1, "its own strength; below 0: `strength`"),
    DT_OPT_FLOAT(conf, hue, 0, 0, 0.5, "largest turn, as a part of the circle of hues"),
    DT_OPT_END,
};

static int grey(const uint8_t *p)
{
    return (p[0] * 19595 + p[1] * 38470 + p[2] * 7471 + 0x8000) >> 16;
}

static uint8_t blend(int from, int to, float f)
{
    float v = (float)from + f * (float)(to - from);
    return (uint8_t)(v <= 0 ? 0 : v >= 255 ? 255 : v);
}

/* The same change for all channels and pixels. */
static void move_all(int64_t values, int from, float f, uint8_t *p)
{
    uint8_t table[256];
    for (int v = 0; v < 256; v++)
        table[v] = blend(from, v, f);
    for (int64_t i = 0; i < values; i++)
        p[i] = table[p[i]];
}

static void brightness(int64_t pixels, float f, uint8_t *p)
{
    move_all(3 * pixels, 0, f, p);
}

static void contrast(int64_t pixels, float f, uint8_t *p)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < pixels; i++)
        sum += grey(p + 3 * i);
    move_all(3 * pixels, (int)((double)sum / (double)pixels + 0.5), f, p);
}

static void saturation(int64_t pixels, float f, uint8_t *p)
{
    for (int64_t i = 0; i < pixels; i++, p += 3) {
        int from = grey(p);
        for (int c = 0; c < 3; c++)
            p[c] = blend(from, p[c], f);
    }
}

/* Hue in 0..6 of a colour that is not grey. */
static float hue_of(const uint8_t *p, int high, float range)
{
    if (high == p[0]) return (float)(p[1] - p[2]) / range;
    if (high == p[1]) return (float)(p[2] - p[0]) / range + 2;
    return (float)(p[0] - p[1]) / range + 4;
}

/* A channel of the pure colour at hue t: 1 within a sixth of its centre, 0 beyond a third. */
static float ramp(float t, float centre)
{
    float d = fabsf(t - centre);
    d = d > 3 ? 6 - d : d;
    return d <= 1 ? 1 : d >= 2 ? 0 : 2 - d;
}

static void hue(int64_t pixels, float turn, uint8_t *p)
{
    for (int64_t i = 0; i < pixels; i++, p += 3) {
        int high = p[0] > p[1] ? p[0] : p[1], low = p[0] < p[1] ? p[0] : p[1];
        if (p[2] > high) high = p[2];
        if (p[2] < low) low = p[2];
        if (high == low) continue;
        float range = (float)(high - low), t = hue_of(p, high, range) + 6 * turn;
        t = t < 0 ? t + 6 : t >= 6 ? t - 6 : t;
        for (int c = 0; c < 3; c++)
            p[c] = (uint8_t)((float)low + range * ramp(t, (float)(2 * c)) + 0.5f);
    }
}

static double pick(double own, double all)
{
    return own < 0 ? all : own;
}

static dt_status apply(const void *p, dt_rng *rng, dt_sample *s, dt_error *err)
{
    static void (*const op[OPS])(int64_t, float, uint8_t *) = { brightness, contrast, saturation,
                                                                hue };
    const conf *c = p;
    const double strength[OPS] = { pick(c->brightness, c->strength), pick(c->contrast, c->strength),
                                   pick(c->saturation, c->strength), c->hue };
    int order[OPS] = { 0, 1, 2, 3 };
    float f[OPS];
    (void)err;
    for (int i = 0; i < OPS; i++) {
        double u = strength[i] * (2 * dt_rng_uniform(rng) - 1);
        f[i] = (float)(op[i] == hue ? u : 1 + u);
    }
    for (int i = OPS - 1; i > 0; i--) { /* one draw each, whatever it gives */
        int j = (int)(dt_rng_uniform(rng) * (i + 1)), keep = order[i];
        order[i] = order[j];
        order[j] = keep;
    }
    for (int i = 0; i < OPS; i++)
        if (strength[order[i]] > 0)
            op[order[i]](s->picture.H * s->picture.W, f[order[i]], s->picture.rgb.data);
    return DT_OK;
}

extern const dt_transform dt_transform_color_jitter;
const dt_transform dt_transform_color_jitter = {
    .row = { "color_jitter", "random brightness, contrast, saturation and hue", opts,
             sizeof(conf) },
    .random = true,
    .apply = apply,
};
