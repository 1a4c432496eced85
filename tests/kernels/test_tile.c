/* Tiles of sums in 16 bits give what the numbers they stand for give, and passes that are made in
 * one what they give one after the other: the same bits, in every tier. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include <string.h>

#include "kernels/kernels.h"
#include "tests/support/run.h"

static const dt_encode encoders[] = {
    { .scale = (real)0.5, .qmin = -2, .qmax = 1 },
    { .scale = (real)0.07, .offset = (real)-0.31, .qmin = 0, .qmax = 15 },
    { .scale = (real)0.02, .qmin = 0, .qmax = 255 },
};

/* Sums in 16 bits give what the numbers they stand for give, and passes that are made in one what
 * they give one after the other. */
enum { TILE = 1000, TILE_LANES = 48, TILE_C = 12 };

typedef struct tile_case {
    int16_t sum[TILE];
    real x[TILE], g[TILE], scale[TILE_LANES], m[TILE_LANES], k[TILE_LANES], b[TILE_LANES];
    dt_tile_x wide, plain;
    dt_tile_norm z;
} tile_case;

static void fill_tile(tile_case *t)
{
    const int center = 70000; /* beyond 16 bits with the sum, as sums of uncentred codes are */
    for (int j = 0; j < TILE_LANES; j++) {
        int ch = j % TILE_C;
        t->scale[j] = (real)(1 + ch) / 4096;
        t->m[j] = (real)(70000 + 900 * ch) * t->scale[j];
        t->k[j] = (real)(ch % 5 - 2) / 3;
        t->b[j] = (real)(ch - 6) / 8;
    }
    for (int i = 0; i < TILE; i++) {
        t->sum[i] = (int16_t)(i * 7919 % 65536 - 32768);
        t->x[i] = (real)(t->sum[i] + center) * t->scale[i % TILE_LANES];
        t->g[i] = (real)(i * 31 % 101 - 50) / 16;
    }
    t->wide = (dt_tile_x){ .sum = t->sum, .center = center, .scale = t->scale };
    t->plain = (dt_tile_x){ .x = t->x };
    t->z = (dt_tile_norm){ t->m, t->k, t->b, 0 };
}

static void check_back(const dt_tile_kernels *k, const tile_case *t)
{
    real a[2][2 * TILE_LANES] = { { 0 } }, dx[2][TILE] = { { 0 } }, lanes[2 * TILE_LANES];
    double sums[2][2 * TILE_C];
    const dt_tile_x *const x[] = { &t->plain, &t->wide };
    for (int w = 0; w < 2; w++) {
        k->norm_sums(TILE, TILE_LANES, *x[w], t->g, t->m, a[w], a[w] + TILE_LANES);
        k->norm_back(TILE, TILE_LANES, *x[w], t->g, t->m, t->k, t->b, t->scale, dx[w], false);
        k->norm_back(TILE, TILE_LANES, *x[w], t->g, t->m, t->k, t->b, t->scale, dx[w], true);
        k->moments(TILE / TILE_C, TILE_C, TILE_LANES, *x[w], lanes, sums[w]);
    }
    ck_assert_mem_eq(a[0], a[1], sizeof a[0]);
    ck_assert_mem_eq(dx[0], dx[1], sizeof dx[0]);
    ck_assert_mem_eq(sums[0], sums[1], sizeof sums[0]);
}

static void check_tier(const dt_kernels *k)
{
    static tile_case t;
    const real highs[] = { 0, (real)INFINITY, 6 };
    fill_tile(&t);
    for (size_t h = 0; h < DT_ARRAY_LEN(highs); h++) {
        real steps[TILE], once[TILE], wide[TILE];
        k->tile.norm(TILE, TILE_LANES, t.plain, t.z, steps);
        if (highs[h] > 0) k->tile.clip(TILE, steps, highs[h], steps);
        dt_tile_norm z = t.z;
        z.high = highs[h];
        k->tile.norm(TILE, TILE_LANES, t.plain, z, once);
        k->tile.norm(TILE, TILE_LANES, t.wide, z, wide);
        ck_assert_mem_eq(steps, once, sizeof steps);
        ck_assert_mem_eq(steps, wide, sizeof steps);
        for (size_t e = 0; e < DT_ARRAY_LEN(encoders); e++) {
            uint8_t code[TILE], fused[TILE];
            ck_assert(k->tile.codes(TILE, steps, &encoders[e], code));
            ck_assert(k->tile.norm_codes(TILE, TILE_LANES, t.plain, z, &encoders[e], fused));
            ck_assert_mem_eq(code, fused, sizeof code);
            ck_assert(k->tile.norm_codes(TILE, TILE_LANES, t.wide, z, &encoders[e], fused));
            ck_assert_mem_eq(code, fused, sizeof code);
        }
    }
    check_back(&k->tile, &t);
    t.x[17] = (real)NAN;
    uint8_t code[TILE];
    ck_assert(!k->tile.norm_codes(TILE, TILE_LANES, t.plain, t.z, &encoders[0], code));
}

START_TEST(tiles_of_sums_are_those_of_numbers)
{
    static const char *const names[] = { "scalar", "avx2", "avx512" };
    dt_kernels k;
    for (size_t i = 0; i < DT_ARRAY_LEN(names); i++)
        if (test_tier(names[i], &k)) check_tier(&k);
}
END_TEST

DT_TEST_MAIN("tile", tiles_of_sums_are_those_of_numbers)
