/* StatsQ: a statistic in place of a learned step (Liu, Liu, Cheng, "Oscillation-free quantization
 * for low-bit vision transformers", ICML 2023, arXiv:2302.02210, and its code).
 *
 *   s = 2 mean|w| of the group, a constant in the backward pass; n = 2^(b-1)
 *   y = s (k + 1/2) / n, k = floor(n w / s) within -n..n-1; dw = g everywhere
 *
 * In the paper a group is an output channel (granularity: channel). There is no level 0: w = 0
 * becomes the level above. Deviation: k is rne(clip(n w / s - 1/2)), which differs at ties and,
 * like the formula above, never leaves the levels. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "fakequant/midrise.h"
#include "fakequant/quantizers.h"

static dt_status check(const void *options, const dt_quant_site *site, dt_error *err)
{
    (void)options;
    if (site->weight) return DT_OK;
    return dt_fail(err, DT_ERR_ARG, NULL, "statsq is of weights; activations take 'lsq'");
}

static void transform(const void *options, const dt_quant_site *site, const real *x, real *t,
                      real *stats)
{
    (void)options;
    for (int64_t k = 0; k < site->groups; k++) {
        const real *from = x + k * site->count;
        double sum = 0;
        for (int64_t i = 0; i < site->count; i++)
            sum += fabs((double)from[i]);
        stats[k] = (real)(2 * sum / (double)site->count);
    }
    memcpy(t, x, (size_t)(site->groups * site->count) * sizeof *t);
}

static void transform_back(const void *options, const dt_quant_site *site, const real *x,
                           const real *t, const real *stats, const real *dt, real *dx)
{
    (void)options;
    (void)x;
    (void)t;
    (void)stats;
    memcpy(dx, dt, (size_t)(site->groups * site->count) * sizeof *dx);
}

static void plan(const void *options, const dt_quant_site *site, const real *p, const real *stats,
                 dt_encode *out)
{
    (void)options;
    (void)p;
    real n = (real)(1 << (site->bits - 1)), s = stats[0] > 0 ? stats[0] : 1;
    out->scale = s / n;
    out->offset = out->scale / 2;
    out->qmin = -n;
    out->qmax = n - 1;
    out->mask = DT_MASK_ROUNDED; /* -s <= w <= s, for `ste: clipped` */
    out->plain = true;
}

static bool grid(const void *options, const dt_quant_site *site, const real *p, const real *stats,
                 dt_grid *out)
{
    dt_encode e = { .scale = 1 };
    plan(options, site, p, stats, &e);
    *out = dt_midrise_grid(site->bits, (double)e.scale / 2);
    return true;
}

/* s = 2 * 2.7 / 6 = .9; levels -.675 -.225 .225 .675, and of 1 bit -.45 .45. */
static const double w6[] = { -.9, -.3, -.05, .05, .4, 1.0 };
static const double y6[] = { -.675, -.225, -.225, .225, .225, .675 };
static const double y_1bit[] = { -.45, -.45, -.45, .45, .45, .45 };
static const double ones[] = { 1, 1, 1, 1, 1, 1 };
/* Twice the weights, twice the values; 0 goes up. s = 1.8 * 6 / 7. */
static const double w7[] = { -1.8, -.6, -.1, 0, .1, .8, 2 }, d7[] = { 1, 1, 1, 1, 1, 1, 1 };
#define L7 0.38571428571428573
static const double y7[] = { -3 * L7, -L7, -L7, L7, L7, 3 * L7, 3 * L7 };
static const dt_quant_example examples[] = {
    { "", 2, true, { 0 }, 6, w6, y6, ones, { 0 }, true },
    { "", 1, true, { 0 }, 6, w6, y_1bit, ones, { 0 }, true },
    { "", 2, true, { 0 }, 7, w7, y7, d7, { 0 }, true },
    { .n = 0 },
};

static const dt_quant_case cases[] = { { "", .statistics_constant = true }, { NULL } };

const dt_quantizer dt_quantizer_statsq = {
    .row = { .name = "statsq", .help = "Liu 2023, arXiv:2302.02210; of weights" },
    .min_bits = 1,
    .max_bits = 8,
    .check = check,
    .stat_count = 1,
    .transform = transform,
    .transform_back = transform_back,
    .plan = plan,
    .grid = grid,
    .cases = cases,
    .examples = examples,
};
