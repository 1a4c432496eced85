/* Kernels on weights between steps: every tier gives the scalar one's bits at every length, and the
 * scalar one does what weight.h says. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/rng.h"
#include "kernels/kernels.h"
#include "tests/support/run.h"

enum { MOST = 4096 };

static const real levels[] = { -4, -1, 1, 4 }, thresholds[] = { (real)-2.5, 0, (real)2.5 };
static const dt_encode encoders[] = {
    { .scale = (real)0.5, .qmin = -2, .qmax = 1 },
    { .scale = (real)0.07, .offset = (real)-0.31, .qmin = 0, .qmax = 15 },
    { .scale = (real)0.3,
      .qmin = -4,
      .qmax = 4,
      .thresholds = 3,
      .threshold = thresholds,
      .level = levels },
};

/* Everything that the kernels write, after one call of each. */
typedef struct outcome {
    real x[MOST], code[MOST], turn[MOST], flips[MOST], mean[MOST], held[MOST], g[MOST], kept[MOST];
    int64_t counts[2], fresh;
    double sum;
} outcome;

static void draw(outcome *o, int64_t n)
{
    dt_rng rng;
    dt_rng_open(&rng, 7, DT_RNG_TEST, (uint32_t)n, 0);
    memset(o, 0, sizeof *o);
    for (int64_t i = 0; i < n; i++) {
        o->x[i] = (real)dt_rng_normal(&rng);
        o->code[i] = (real)rint(dt_rng_normal(&rng));
        o->turn[i] = (real)((int)(3 * dt_rng_uniform(&rng)) - 1);
        o->flips[i] = (real)(dt_rng_uniform(&rng) / 50);
        o->mean[i] = (real)dt_rng_normal(&rng);
        o->held[i] = i % 3 ? DT_NOT_HELD : (real)(i % 2);
        o->g[i] = (real)dt_rng_normal(&rng);
        o->kept[i] = (real)dt_rng_normal(&rng);
    }
}

static void run_all(const dt_weight_kernels *k, int64_t n, const dt_encode *e, outcome *o)
{
    const real m = (real)0.01, threshold = (real)0.012;
    draw(o, n);
    k->track(n, o->x, e, m, threshold, o->code, o->turn, o->flips, o->counts);
    k->dampen(n, o->x, e, (real)0.3, o->g);
    k->blend(n, (real)0.9, o->x, o->kept);
    if (e->thresholds) return;
    o->fresh = k->settle(n, e, m, threshold, o->flips, o->code, o->turn, o->mean, o->held);
    k->hold(n, e, o->held, o->x);
    o->sum = k->held_back(n, o->x, e, o->held, 1, o->g);
}

static outcome want, got;

START_TEST(tiers_agree)
{
    static const char *const names[] = { "avx2", "avx512" };
    static const int64_t lengths[] = { 0, 1, 15, 16, 17, 63, 64, 65, 1000, 4096 };
    dt_kernels scalar, k;
    ck_assert_int_eq(dt_kernels_init(&scalar, "scalar", NULL), DT_OK);
    for (size_t t = 0; t < DT_ARRAY_LEN(names); t++) {
        if (!test_tier(names[t], &k)) continue;
        for (size_t i = 0; i < DT_ARRAY_LEN(lengths); i++)
            for (size_t e = 0; e < DT_ARRAY_LEN(encoders); e++) {
                run_all(&scalar.weight, lengths[i], &encoders[e], &want);
                run_all(&k.weight, lengths[i], &encoders[e], &got);
                ck_assert_msg(memcmp(&want, &got, sizeof want) == 0, "%s, %d values, encoder %d",
                              names[t], (int)lengths[i], (int)e);
            }
    }
}
END_TEST

START_TEST(formulas)
{
    const dt_encode *e = &encoders[0]; /* 0.5, -2..1 */
    dt_kernels k;
    ck_assert_int_eq(dt_kernels_init(&k, "scalar", NULL), DT_OK);
    /* up again after up; down after up; unchanged; below the range */
    const real x[] = { (real)0.4, (real)-0.4, (real)0.1, -3 };
    real code[] = { 0, 0, 0, 0 }, turn[] = { 1, 1, 1, 1 }, flips[] = { (real)0.5, 0, 0, 0 };
    int64_t counts[2] = { 0, 0 };
    k.weight.track(4, x, e, (real)0.25, (real)0.2, code, turn, flips, counts);
    static const double codes[] = { 1, -1, 0, -2 }, turns[] = { 1, -1, 1, -1 };
    static const double rates[] = { .375, .25, 0, .25 };
    for (int i = 0; i < 4; i++) {
        ck_assert_double_eq((double)code[i], codes[i]);
        ck_assert_double_eq((double)turn[i], turns[i]);
        ck_assert_double_eq_tol((double)flips[i], rates[i], 1e-7);
    }
    ck_assert_int_eq(counts[0], 3);
    ck_assert_int_eq(counts[1], 3);
    /* 0.4 - 0.5, -0.4 + 0.5, 0.1 - 0; nothing outside */
    static const double pull[] = { -.1, .1, .1, 0 };
    real g[4] = { 1, 1, 1, 1 };
    k.weight.dampen(4, x, e, 2, g);
    for (int i = 0; i < 4; i++)
        ck_assert_double_eq_tol((double)g[i], 1 + 2 * pull[i], 1e-6);
    /* The first and the last are held from now on, at the code next to their mean. */
    real mean[] = { (real)-0.6, 0, 0, (real)-1.9 };
    real held[] = { DT_NOT_HELD, DT_NOT_HELD, DT_NOT_HELD, DT_NOT_HELD };
    flips[1] = 0;
    ck_assert_int_eq(k.weight.settle(4, e, (real)0.5, (real)0.2, flips, code, turn, mean, held), 2);
    ck_assert(held[0] == -1 && held[3] == -2 && held[1] == DT_NOT_HELD && code[0] == -1);
    ck_assert_double_eq_tol((double)mean[1], -.5, 1e-7);
    real w[4] = { 9, 9, 9, 9 };
    k.weight.hold(4, e, held, w);
    ck_assert(w[0] == (real)-0.5 && w[1] == 9 && w[3] == (real)-0.875); /* (-2 + 1/4) / 2 */
    /* g (k - (q - u)): -1 where q = u, and -2 - (-2 + 1.75) at the end */
    real back[4] = { 1, 1, 1, 1 };
    ck_assert_double_eq_tol(k.weight.held_back(4, w, e, held, 1, back), -1 - 1.75, 1e-6);
    ck_assert(back[0] == 0 && back[1] == 1 && back[3] == 0);
}
END_TEST

DT_TEST_MAIN("weight", tiers_agree, formulas)
