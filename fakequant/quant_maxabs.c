/* Maximum: a uniform symmetric grid whose largest code is the tensor's largest value now, as in the
 * first and last layers of the APoT nets (authors' code, 13204f1): q = rne(x n / max), y = q max /
 * n, n = 2^(bits-1) - 1, straight-through gradient without a mask. Nothing is learned.
 *
 * That code takes the largest value, not the largest magnitude, and clips nothing, so that codes
 * below -n occur: `compat` does the same, for published checkpoints; such a grid is not exported.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "fakequant/quantizers.h"

typedef struct conf {
    bool compat;
} conf;

static const dt_opt opts[] = {
    DT_OPT_BOOL(conf, compat, 0, "scale by max(x) instead of max|x|, without clipping"),
    DT_OPT_END,
};

enum { UNCLIPPED = 1 << 20 };

static void transform(const void *options, const dt_quant_site *site, const real *x, real *t,
                      real *stats)
{
    const conf *c = options;
    for (int64_t g = 0; g < site->groups; g++) {
        const real *from = x + g * site->count;
        real most = 0;
        for (int64_t i = 0; i < site->count; i++) {
            real v = c->compat || from[i] > 0 ? from[i] : -from[i];
            if (v > most) most = v;
        }
        stats[g] = most;
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
    (void)p;
    const conf *c = options;
    real n = (real)((1 << (site->is_signed ? site->bits - 1 : site->bits)) - 1);
    out->scale = stats[0] > 0 ? stats[0] / n : 1;
    out->qmin = !site->is_signed ? 0 : c->compat ? -UNCLIPPED : -n;
    out->qmax = n;
    out->mask = DT_MASK_CLOSED; /* the largest value is no clipped one */
    out->plain = true;
}

static bool grid(const void *options, const dt_quant_site *site, const real *p, const real *stats,
                 dt_grid *out)
{
    dt_encode e = { .scale = 1 };
    plan(options, site, p, stats, &e);
    *out = (dt_grid){ .scale = (double)e.scale, .qmin = (int)e.qmin, .qmax = (int)e.qmax };
    return !((const conf *)options)->compat;
}

/* 3 bits: n = 3, max 1.5: steps of .5. */
static const double x3[] = { -1.5, -.8, -.2, 0, .3, 1, 1.2 }, y3[] = { -1.5, -1, 0, 0, .5, 1, 1 };
static const double dx3[] = { 1, 1, 1, 1, 1, 1, 1 };
/* The largest value is .6: steps of .2, nothing is clipped. */
static const double xc[] = { -1.5, -.8, -.2, 0, .3, .45, .6 },
                    yc[] = { -1.6, -.8, -.2, 0, .4, .4, .6 };
static const dt_quant_example examples[] = {
    { "", 3, true, { 0 }, 7, x3, y3, dx3, { 0 } },
    { "compat=true", 3, true, { 0 }, 7, xc, yc, dx3, { 0 } },
    { .n = 0 },
};

/* The scale is the tensor's own: the gradient takes it for a constant. */
static const dt_quant_case cases[] = { { "", .statistics_constant = true }, { NULL } };

const dt_quantizer dt_quantizer_maxabs = {
    .row = { "maxabs",
             "largest magnitude gets the largest code; first and last layers of APoT nets", opts,
             sizeof(conf) },
    .min_bits = 2,
    .max_bits = 8,
    .stat_count = 1,
    .transform = transform,
    .transform_back = transform_back,
    .plan = plan,
    .grid = grid,
    .cases = cases,
    .examples = examples,
};
