/* Kernels on codes: the scalar tier against the formulas, the others against it, byte for byte. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "core/rng.h"
#include "kernels/kernels.h"
#include "tests/support/run.h"

enum { MOST = 40000, GUARD = 64 };
static const int64_t sizes[] = { 0, 1, 2, 15, 16, 17, 63, 65, 1000, 16384, 16385, 40000 };
static const dt_code_grid grids[] = {
    { 0.031f, 0, 0, 255 },    { 0.125f, 128, 0, 255 },  { 0.3f, 0, 0, 15 },
    { 0.25f, 128, 120, 135 }, { 0.07f, 128, 128, 255 }, { 0.5f, 77, 3, 200 },
};

typedef struct io {
    float *x, *scale;
    uint8_t *a, *b, *y, *want;
    int32_t *sum;
} io;

static io io_open(void)
{
    io d = { dt_get_array(NULL, MOST, 4, "t"), dt_get_array(NULL, MOST, 4, "t"),
             dt_get(NULL, MOST, "t"),          dt_get(NULL, MOST, "t"),
             dt_get(NULL, MOST + GUARD, "t"),  dt_get(NULL, MOST, "t"),
             dt_get_array(NULL, MOST, 4, "t") };
    dt_rng rng;
    dt_rng_open(&rng, 1, DT_RNG_TEST, 2, 0);
    for (int i = 0; i < MOST; i++) {
        d.a[i] = (uint8_t)dt_rng_below(&rng, 256);
        d.b[i] = (uint8_t)dt_rng_below(&rng, 256);
        /* many ties: multiples of an eighth */
        d.x[i] = (float)((int)dt_rng_below(&rng, 2048) - 1024) / 8;
        d.scale[i] = i % 3 ? 0.125f : (float)(0.001 + dt_rng_uniform(&rng));
        d.sum[i] = i % 7 ? (int)dt_rng_below(&rng, 4096) - 2048 : (int32_t)dt_rng_u32(&rng);
    }
    d.x[0] = NAN, d.x[1] = INFINITY, d.x[2] = -INFINITY, d.x[3] = 1e30f, d.x[4] = -0.0f;
    return d;
}

static void io_close(io *d)
{
    dt_put(NULL, d->x), dt_put(NULL, d->scale), dt_put(NULL, d->a), dt_put(NULL, d->b);
    dt_put(NULL, d->y), dt_put(NULL, d->want), dt_put(NULL, d->sum);
}

static uint8_t rounded(float v, int low, int high, int zero)
{
    double r = rint((double)v);
    return (uint8_t)((r < low - zero ? low - zero : r > high - zero ? high - zero : r) + zero);
}

static uint8_t formula(const io *d, int kernel, int64_t i, int64_t C, const dt_code_grid *f,
                       const dt_code_grid *t)
{
    float u;
    switch (kernel) {
    case 0:
        u = d->x[i] / t->scale;
        return isnan(u) ? (uint8_t)t->zero : rounded(u, t->low, t->high, t->zero);
    case 1:
        u = (float)(d->a[i] - f->zero) * f->scale;
        return rounded(u / t->scale, t->low, t->high, t->zero);
    case 2:
        u = (float)d->sum[i];
        return rounded(u * d->scale[i % C], t->low, t->high, t->zero);
    default:
        u = fmaf((float)d->b[i], t->scale, -3.5f);
        return rounded(fmaf((float)d->a[i], f->scale, u), t->low, t->high, 0);
    }
}

static void run(const dt_code_kernels *k, int kernel, int threads, const io *d, int64_t n,
                int64_t C, const dt_code_grid *f, const dt_code_grid *t)
{
    if (kernel == 0) k->encode(threads, n, d->x, t, d->y);
    if (kernel == 1) k->move(threads, n, d->a, f, t, d->y);
    if (kernel == 2) k->requant(threads, n / C, C, d->sum, d->scale, t, d->y);
    if (kernel == 3) k->add(threads, n, d->a, d->b, f->scale, t->scale, -3.5f, t, d->y);
}

static void check(const char *isa, const dt_code_kernels *k, const io *d, int kernel, int64_t n,
                  int64_t C, int threads)
{
    for (size_t g = 0; g < DT_ARRAY_LEN(grids); g++) {
        const dt_code_grid *f = &grids[(g + 1) % DT_ARRAY_LEN(grids)], *t = &grids[g];
        memset(d->y, 0xaa, MOST + GUARD);
        run(k, kernel, threads, d, n, C, f, t);
        int64_t bad = 0;
        while (bad < n && d->y[bad] == formula(d, kernel, bad, C, f, t))
            bad++;
        ck_assert_msg(bad == n, "%s kernel %d n %d C %d grid %d: [%d] is %d, not %d", isa, kernel,
                      (int)n, (int)C, (int)g, (int)bad, d->y[bad],
                      formula(d, kernel, bad, C, f, t));
        for (int i = 0; i < GUARD; i++)
            ck_assert_int_eq(d->y[n + i], 0xaa);
    }
}

START_TEST(every_tier_gives_the_formulas)
{
    static const char *const tiers[] = { "scalar", "avx2", "avx512" };
    static const int64_t columns[] = { 1, 3, 10, 16, 64, 500, 513, 1000, 20000 };
    io d = io_open();
    for (size_t i = 0; i < DT_ARRAY_LEN(tiers); i++) {
        dt_kernels k;
        if (!test_tier(tiers[i], &k)) continue;
        for (size_t s = 0; s < DT_ARRAY_LEN(sizes); s++)
            for (int threads = 1; threads < 4; threads++) {
                check(tiers[i], &k.code, &d, 0, sizes[s], 1, threads);
                check(tiers[i], &k.code, &d, 1, sizes[s], 1, threads);
                check(tiers[i], &k.code, &d, 3, sizes[s], 1, threads);
            }
        for (size_t c = 0; c < DT_ARRAY_LEN(columns); c++)
            for (int64_t rows = 1; rows * columns[c] <= MOST; rows = rows * 3 + 1)
                check(tiers[i], &k.code, &d, 2, rows * columns[c], columns[c], 2);
    }
    io_close(&d);
}
END_TEST

DT_TEST_MAIN("code", every_tier_gives_the_formulas)
