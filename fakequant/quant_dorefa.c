/* DoReFa (Zhou, Wu, Ni, Zhou, Wen, Zou, "DoReFa-Net: training low bitwidth convolutional neural
 * networks with low bitwidth gradients", 2016, arXiv:1606.06160), as in tensorpack's code.
 *
 *   weights: t = tanh(w), M = max|t| of the layer; y = 2 rne((t / 2M + 1/2) n) / n - 1, n = 2^b - 1
 *            1 bit: y = mean|w| sign(w), the mean a constant, dw = g
 *   activations: y = rne(clip(x, 0, 1) n) / n; dx = g where 0 <= x <= 1
 *   dw = g (1 - t^2) / M, and at the largest |t|_j less sign(t_j) (1 - t_j^2) sum(g t) / M^2
 *
 * Weights have 2^b levels in -1..1 and no zero, whatever the size of w was: a norm must follow, or
 * `rescale` (SAT, Jin 2019, arXiv:1912.10207): y / (std(y) sqrt(output channels x kernel area)),
 * the factor a constant. Gradients are not quantized. Deviation: w = 0 has the sign of -1 at 1
 * bit. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "core/mathx.h"
#include "fakequant/midrise.h"
#include "fakequant/quantizers.h"

enum { REACH, LARGEST, STATS }; /* the largest level; M */

typedef struct conf {
    bool max_grad, rescale;
} conf;

static const dt_opt opts[] = {
    DT_OPT_BOOL(conf, max_grad, 1, "differentiate the largest |tanh w| of the layer too"),
    DT_OPT_BOOL(conf, rescale, 0,
                "weights times a constant that gives them the deviation of a first random start"),
    DT_OPT_END,
};

static dt_status check(const void *options, const dt_quant_site *site, dt_error *err)
{
    (void)options;
    if (site->weight || !site->is_signed) return DT_OK;
    return dt_fail(err, DT_ERR_ARG, NULL,
                   "dorefa clips activations to 0..1, and values here can be negative; take 'lsq' "
                   "or none");
}

static int steps_of(const dt_quant_site *site)
{
    return (1 << site->bits) - 1;
}

/* 1 / (std sqrt(fan out)) of what quantization makes of t. */
static double rescaling(const dt_quant_site *site, const real *t)
{
    int64_t n = site->groups * site->count;
    double steps = steps_of(site), mean = 0, square = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t i = 0; i < n; i++) {
            double y = 2 * rint(((double)t[i] / 2 + 0.5) * steps) / steps - 1;
            if (pass)
                square += (y - mean) * (y - mean);
            else
                mean += y / (double)n;
        }
    double fan_out = (double)(n / (site->inner > 0 ? site->inner : 1));
    double deviation = n > 1 ? sqrt(square / (double)(n - 1)) : 0;
    return deviation > 0 ? 1 / (deviation * sqrt(fan_out)) : 1;
}

static void transform(const void *options, const dt_quant_site *site, const real *x, real *t,
                      real *stats)
{
    const conf *c = options;
    int64_t n = site->groups * site->count;
    double largest = 0, mean = 0, reach = 1;
    if (site->bits == 1) {
        for (int64_t i = 0; i < n; i++)
            mean += fabs((double)x[i]) / (double)n;
        memcpy(t, x, (size_t)n * sizeof *t);
        reach = mean;
    } else {
        for (int64_t i = 0; i < n; i++) {
            t[i] = (real)dt_tanh((double)x[i]);
            largest = fmax(largest, fabs((double)t[i]));
        }
        if (!(largest > 0)) largest = 1; /* all zero */
        for (int64_t i = 0; i < n; i++)
            t[i] = (real)((double)t[i] / largest);
        if (c->rescale) reach = rescaling(site, t);
        for (int64_t i = 0; c->rescale && i < n; i++)
            t[i] = (real)((double)t[i] * reach);
    }
    for (int64_t k = 0; k < site->groups; k++) {
        stats[k * STATS + REACH] = (real)reach;
        stats[k * STATS + LARGEST] = (real)largest;
    }
}

static void transform_back(const void *options, const dt_quant_site *site, const real *x,
                           const real *t, const real *stats, const real *dt, real *dx)
{
    const conf *c = options;
    int64_t n = site->groups * site->count, j = 0;
    double reach = (double)stats[REACH], M = (double)stats[LARGEST], along = 0;
    if (site->bits == 1) {
        memcpy(dx, dt, (size_t)n * sizeof *dx);
        return;
    }
    for (int64_t i = 0; i < n; i++) { /* t is reach tanh(x) / M */
        double T = (double)t[i] / reach * M;
        dx[i] = (real)(reach / M * (1 - T * T) * (double)dt[i]);
        along += (double)dt[i] * (double)t[i];
        if (fabs((double)x[i]) > fabs((double)x[j])) j = i;
    }
    if (!c->max_grad || n == 0) return;
    double T = (double)t[j] / reach * M;
    dx[j] = (real)((double)dx[j] - (T < 0 ? -1 : 1) * (1 - T * T) * along / M);
}

static void plan(const void *options, const dt_quant_site *site, const real *p, const real *stats,
                 dt_encode *out)
{
    (void)options;
    (void)p;
    out->qmax = (real)steps_of(site);
    out->mask = DT_MASK_CLOSED;
    if (!site->weight) {
        out->scale = 1 / out->qmax;
        return;
    }
    real reach = stats[REACH] > 0 ? stats[REACH] : 1;
    out->scale = 2 * reach / out->qmax;
    out->offset = -reach;
    out->plain = true;
}

static bool grid(const void *options, const dt_quant_site *site, const real *p, const real *stats,
                 dt_grid *out)
{
    dt_encode e = { .scale = 1 };
    plan(options, site, p, stats, &e);
    *out = site->weight ? dt_midrise_grid(site->bits, (double)e.scale / 2)
                        : (dt_grid){ .scale = (double)e.scale, .qmax = (int)e.qmax };
    return true;
}

/* 2 bits: M = tanh 1 = .7615942; t / M = -1 -.2591541 .1308678 .7051589. */
static const double w2[] = { -1, -.2, .1, .6 }, y2[] = { -1, -1. / 3, 1. / 3, 1 };
static const double dx_plain[] = { .5514411295435665, 1.2618833475160438, 1.2999919748661322,
                                   .9343267106536896 };
/* The same with -1 taking its share of M: + (1 - t_0^2) / M * sum(t / M), sum = -.4231281. */
static const double dx_max[] = { .3181108730393607, 1.2618833475160438, 1.2999919748661322,
                                 .9343267106536896 };
static const double w1[] = { -.5, .25, .75 }, y_1bit[] = { -.5, .5, .5 }, ones[] = { 1, 1, 1 };
static const double x2[] = { -.2, 0, .3, .5, .9, 1, 1.2 };
static const double a2[] = { 0, 0, 1. / 3, 2. / 3, 1, 1, 1 }, da2[] = { 0, 1, 1, 1, 1, 1, 0 };
static const dt_quant_example examples[] = {
    { "max_grad=false", 2, true, { 0 }, 4, w2, y2, dx_plain, { 0 }, true },
    { "", 2, true, { 0 }, 4, w2, y2, dx_max, { 0 }, true },
    { "", 1, true, { 0 }, 3, w1, y_1bit, ones, { 0 }, true },
    { "", 2, false, { 0 }, 7, x2, a2, da2, { 0 } },
    { .n = 0 },
};

static const dt_quant_case cases[] = {
    { "", .least_bits = 2 }, /* the mean of 1 bit is a constant, the maximum is not */
    { "max_grad=false", .statistics_constant = true },
    { "rescale=true", .statistics_constant = true },
    { NULL },
};

static bool uniform(const void *options, const dt_quant_site *site)
{
    (void)options;
    return !site->weight;
}

const dt_quantizer dt_quantizer_dorefa = {
    .row = { "dorefa", "Zhou 2016, arXiv:1606.06160, as in tensorpack", opts, sizeof(conf) },
    .min_bits = 1,
    .max_bits = 8,
    .check = check,
    .stat_count = STATS,
    .transforms_weights_only = true,
    .transform = transform,
    .transform_back = transform_back,
    .plan = plan,
    .grid = grid,
    .uniform = uniform,
    .cases = cases,
    .examples = examples,
};
