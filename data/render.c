/* Figures are painted in layers: background, clutter, the shape, what hides it; then noise. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "data/render.h"

#include <stdbool.h>

#include "core/compiler.h"
#include "core/mathx.h"
#include "core/rng.h"

enum {
    SIDE = DT_RENDER_SIDE,
    RENDER_SEED = 20, /* fixed: the set is the same in every run */
};

const char *const dt_render_class_names[DT_RENDER_CLASSES] = {
    "disc", "ring", "square", "triangle", "star", "plus", "crescent", "bowtie", "corner", "bars",
};

typedef struct point {
    float x, y;
} point;

/* Corners of polygons, none farther than 1.22 from the middle. */
static const point square[] = {
    { -.75f, -.75f }, { .75f, -.75f }, { .75f, .75f }, { -.75f, .75f }
};
static const point triangle[] = { { 0, -1 }, { .95f, .75f }, { -.95f, .75f } };
static const point star[] = {
    { .000f, -1.000f }, { .247f, -.340f },  { .951f, -.309f }, { .400f, .130f },
    { .588f, .809f },   { .000f, .420f },   { -.588f, .809f }, { -.400f, .130f },
    { -.951f, -.309f }, { -.247f, -.340f },
};
static const point plus[] = {
    { -.3f, -.95f }, { .3f, -.95f }, { .3f, -.3f }, { .95f, -.3f }, { .95f, .3f },   { .3f, .3f },
    { .3f, .95f },   { -.3f, .95f }, { -.3f, .3f }, { -.95f, .3f }, { -.95f, -.3f }, { -.3f, -.3f },
};
static const point bowtie[] = {
    { -.95f, -.75f }, { .95f, .75f }, { .95f, -.75f }, { -.95f, .75f }
};
static const point corner[] = {
    { -.8f, -.8f }, { -.2f, -.8f }, { -.2f, .2f }, { .8f, .2f }, { .8f, .8f }, { -.8f, .8f },
};

typedef struct polygon {
    const point *at;
    int count; /* 0: not a polygon */
} polygon;

#define POLYGON(p)                                                                                 \
    {                                                                                              \
        p, (int)DT_ARRAY_LEN(p)                                                                    \
    }
static const polygon polygons[DT_RENDER_CLASSES] = {
    { 0 },         { 0 }, POLYGON(square), POLYGON(triangle), POLYGON(star),
    POLYGON(plus), { 0 }, POLYGON(bowtie), POLYGON(corner),   { 0 },
};

enum { DISC = 0, RING = 1, SQUARE = 2, TRIANGLE = 3, CRESCENT = 6, BARS = 9 };

/* Even-odd rule. */
static bool in_polygon(const polygon *p, float x, float y)
{
    bool inside = false;
    point a = p->at[p->count - 1];
    for (int i = 0; i < p->count; i++) {
        point b = p->at[i];
        if ((a.y > y) != (b.y > y)) {
            /* the edge crosses the line through y to the right of x? (without a division) */
            float side = (x - a.x) * (b.y - a.y) - (y - a.y) * (b.x - a.x);
            if ((side < 0) == (b.y > a.y)) inside = !inside;
        }
        a = b;
    }
    return inside;
}

static bool in_shape(int kind, float x, float y)
{
    float r2 = x * x + y * y, ax = x < 0 ? -x : x, ay = y < 0 ? -y : y;
    if (r2 > 1.5f) return false; /* behind every corner */
    switch (kind) {
    case DISC:
        return r2 < .85f * .85f;
    case RING:
        return r2 < .95f * .95f && r2 > .55f * .55f;
    case CRESCENT:
        return r2 < .95f * .95f && (x - .45f) * (x - .45f) + y * y > .75f * .75f;
    case BARS:
        return ay < .9f && ax > .25f && ax < .75f;
    default:
        return in_polygon(&polygons[kind], x, y);
    }
}

typedef struct colour {
    float v[3]; /* 0..255 */
} colour;

/* A shape as it stands in the picture. Local coordinates are (x, y) turned and scaled. */
typedef struct figure {
    int kind;
    float cx, cy;         /* centre in pixels */
    float half_x, half_y; /* size of the local unit in pixels */
    float cosine, sine;
    colour fill, stripe;
    float stripes; /* per local unit; 0: plain */
} figure;

static float between(dt_rng *rng, float lo, float hi)
{
    return lo + (hi - lo) * (float)dt_rng_uniform(rng);
}

static colour any_colour(dt_rng *rng)
{
    colour c;
    for (int i = 0; i < 3; i++)
        c.v[i] = between(rng, 0, 255);
    return c;
}

/* Turns by up to `most` half turns to either side. */
static void turn(figure *f, double most, dt_rng *rng)
{
    double angle = most * (2.0 * dt_rng_uniform(rng) - 1.0);
    f->cosine = (float)dt_cospi(angle);
    f->sine = (float)dt_cospi(angle - 0.5);
}

/* Paints over the canvas; edges are smoothed by 2 x 2 samples a pixel. */
static void paint(float *canvas, const figure *f)
{
    float reach = 1.4f * (f->half_x > f->half_y ? f->half_x : f->half_y) + 1;
    for (int y = 0; y < SIDE; y++) {
        if ((float)y + 1 < f->cy - reach || (float)y > f->cy + reach) continue;
        for (int x = 0; x < SIDE; x++) {
            if ((float)x + 1 < f->cx - reach || (float)x > f->cx + reach) continue;
            int hits = 0;
            float u = 0;
            for (int k = 0; k < 4; k++) {
                float dx = (float)x + .25f + .5f * (float)(k & 1) - f->cx;
                float dy = (float)y + .25f + .5f * (float)(k >> 1) - f->cy;
                u = (f->cosine * dx + f->sine * dy) / f->half_x;
                float v = (f->cosine * dy - f->sine * dx) / f->half_y;
                hits += in_shape(f->kind, u, v);
            }
            bool striped = f->stripes > 0 && ((int)((u + 8) * f->stripes) & 1);
            const colour *c = striped ? &f->stripe : &f->fill;
            float *p = canvas + 3 * (y * SIDE + x), share = .25f * (float)hits;
            for (int i = 0; i < 3; i++)
                p[i] += share * (c->v[i] - p[i]);
        }
    }
}

/* A gradient along a random direction with faint waves across it; returns the colour of its
 * middle. */
static colour paint_background(float *canvas, dt_rng *rng)
{
    colour a = any_colour(rng);
    figure f = { 0 };
    float step[3], waves = between(rng, 0, 12), pitch = between(rng, .1f, .5f);
    for (int i = 0; i < 3; i++)
        step[i] = between(rng, -40, 40);
    turn(&f, 1, rng);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            float dx = (float)x - 15.5f, dy = (float)y - 15.5f;
            float along = (f.cosine * dx + f.sine * dy) / 22, across = f.cosine * dy - f.sine * dx;
            float phase = (across + 64) * pitch, part = phase - (float)(int)phase;
            float wave = waves * (part < .5f ? 4 * part - 1 : 3 - 4 * part);
            for (int i = 0; i < 3; i++)
                canvas[3 * (y * SIDE + x) + i] = a.v[i] + step[i] * along + wave;
        }
    return a;
}

/* Small pieces that are no class of their own: bars, dots, splinters. */
static void paint_clutter(float *canvas, dt_rng *rng)
{
    static const int kinds[] = { SQUARE, DISC, TRIANGLE };
    int pieces = 1 + (int)dt_rng_below(rng, 4);
    for (int i = 0; i < pieces; i++) {
        figure f = { .kind = kinds[dt_rng_below(rng, 3)] };
        f.cx = between(rng, 0, SIDE);
        f.cy = between(rng, 0, SIDE);
        f.half_x = between(rng, 1.2f, 3);
        f.half_y = between(rng, 1, 2);
        f.fill = any_colour(rng);
        turn(&f, 1, rng);
        paint(canvas, &f);
    }
}

static float difference(const colour *a, const colour *b)
{
    float sum = 0;
    for (int i = 0; i < 3; i++)
        sum += a->v[i] > b->v[i] ? a->v[i] - b->v[i] : b->v[i] - a->v[i];
    return sum;
}

static void paint_shape(float *canvas, int kind, const colour *background, dt_rng *rng)
{
    figure f = { .kind = kind };
    float size = between(rng, 7.5f, 12), stretch = between(rng, .85f, 1.18f);
    f.half_x = size * stretch;
    f.half_y = size / stretch;
    f.cx = between(rng, 12, 20);
    f.cy = between(rng, 12, 20);
    turn(&f, .2, rng);
    do
        f.fill = any_colour(rng);
    while (difference(&f.fill, background) < 170);
    for (int i = 0; i < 3; i++)
        f.stripe.v[i] = f.fill.v[i] + between(rng, -40, 40);
    f.stripes = dt_rng_below(rng, 2) ? between(rng, 1.5f, 4) : 0;
    paint(canvas, &f);
}

/* Often a bar over the shape. */
static void paint_cover(float *canvas, dt_rng *rng)
{
    int bars = (int)dt_rng_below(rng, 2);
    for (int i = 0; i < bars; i++) {
        figure f = { .kind = SQUARE };
        f.cx = between(rng, 6, 26);
        f.cy = between(rng, 6, 26);
        f.half_x = between(rng, 4, 10);
        f.half_y = between(rng, 1, 2);
        f.fill = any_colour(rng);
        turn(&f, 1, rng);
        paint(canvas, &f);
    }
}

/* Adds noise (the sum of four uniform bytes: mean 510, deviation 147.2) and rounds. */
static void finish(const float *canvas, dt_rng *rng, uint8_t *picture)
{
    float noise = between(rng, 3, 18) / 147.2f;
    for (int i = 0; i < DT_RENDER_BYTES; i++) {
        uint32_t r = dt_rng_u32(rng);
        int sum = (int)((r & 255) + (r >> 8 & 255) + (r >> 16 & 255) + (r >> 24));
        float v = canvas[i] + noise * (float)(sum - 510);
        picture[i] = v <= 0 ? 0 : v >= 255 ? 255 : (uint8_t)(v + .5f);
    }
}

int dt_render(uint32_t split, uint64_t index, uint8_t *picture)
{
    float canvas[DT_RENDER_BYTES];
    int kind = (int)(index % DT_RENDER_CLASSES);
    dt_rng rng;
    dt_rng_open(&rng, RENDER_SEED, DT_RNG_RENDER, split, index);
    colour background = paint_background(canvas, &rng);
    paint_clutter(canvas, &rng);
    paint_shape(canvas, kind, &background, &rng);
    paint_cover(canvas, &rng);
    finish(canvas, &rng, picture);
    return kind;
}
