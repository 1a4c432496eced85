/* Thresholds are the contract, for every sum. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/rng.h"
#include "integer/model.h"
#include "tests/support/run.h"

static void check(const dt_contract *c, float w, const dt_lower_grid *y, int32_t low, int32_t high)
{
    int32_t t[256];
    const dt_multiplier m = dt_multiplier_product(c, .03f, w, y->scale);
    dt_int_thresholds(&m, y, low, high, t);
    for (int32_t sum = low; sum <= high; sum++) {
        int z = y->zero_point, want = dt_multiplier_apply(&m, sum, y->low - z, y->high - z) + z;
        ck_assert_msg(dt_int_stairs(t, y->low, y->high, sum) == want, "%s w %g sum %d", c->name,
                      (double)w, sum);
    }
}

START_TEST(stairs_are_the_contract)
{
    static const dt_lower_grid grids[] = {
        { .5f, 0, 0, 255 },      { .25f, 128, 0, 255 }, { .7f, 0, 0, 3 },
        { .01f, 128, 120, 135 }, { 8, 128, 128, 255 },
    };
    static const float w[] = { .125f, .01f, 1e-4f, 3, .0301f };
    for (const dt_contract *c = dt_contracts; c->name; c++)
        for (size_t g = 0; g < DT_ARRAY_LEN(grids); g++)
            for (size_t i = 0; i < DT_ARRAY_LEN(w); i++) {
                check(c, w[i], &grids[g], -3000, 5000);
                check(c, w[i], &grids[g], 7, 7);
            }
}
END_TEST

START_TEST(reach_is_the_extremes)
{
    const int8_t w[] = { 3, -128, 0, 127 };
    const dt_lower_grid x = { 1, 128, 120, 135 };
    int64_t low, high, least = INT64_MAX, most = INT64_MIN;
    dt_int_reach(w, 4, &x, 1000, &low, &high);
    for (int i = 0; i < 16 * 16 * 16; i++) {
        int64_t sum = 1000 + 3 * (i % 16 - 8) - 128 * (i / 16 % 16 - 8) + 127 * (i / 256 - 8);
        least = sum < least ? sum : least;
        most = sum > most ? sum : most;
    }
    ck_assert_int_eq(low, least);
    ck_assert_int_eq(high, most);
}
END_TEST

DT_TEST_MAIN("staircase", stairs_are_the_contract, reach_is_the_extremes)
