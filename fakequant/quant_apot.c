/* APoT: additive powers of two (Li, Dong, Wang, "Additive powers-of-two quantization", ICLR 2020,
 * arXiv:1909.13144), as in the authors' code (13204f1), which has two variants.
 *
 *   weights:     t = (w - mean) / std, y = alpha sign(t) nearest(min(|t| / alpha, 1)), B = bits - 1
 *   activations: y = alpha nearest(min(x / alpha, 1)), B = bits
 *   dalpha = sum of g (sign(t) if |t| > alpha, else y/alpha - t/alpha)
 *   variant cifar: the weight gradient has no range mask, mean and std count as constants;
 *   variant imagenet: masked but at 2 bits, mean and std are differentiated.
 *
 * `grid` says what is near: sums of powers of two (apot_levels.h: integers k, y = k alpha / K),
 * plain powers of two (1, 1/2, 1/4, ... and 0), even steps, or for 2-bit weights +-1 and +-2^-Z
 * without a zero ("Enhanced quantization", IEEE Access 10087209, code d6e6047). Weights of 2 bits
 * are ternary in all other grids.
 *
 * Deviations: ties go to the smaller magnitude (the code's order depends on a hash set); alpha
 * stays positive, as floor.h says (there it may turn negative). */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stddef.h>

#include "fakequant/apot_levels.h"
#include "fakequant/floor.h"
#include "fakequant/quantizers.h"

enum { VARIANT_CIFAR, VARIANT_IMAGENET };
enum { GRID_APOT, GRID_POT, GRID_UNIFORM, GRID_NONZERO };
enum { AUTO, NO, YES };

typedef struct conf {
    int variant, grid, Z, w_mask, norm_grad;
} conf;

static const dt_opt opts[] = {
    DT_OPT_ENUM(conf, variant, VARIANT_CIFAR, "cifar|imagenet",
                "which of the authors' codes: defaults of w_mask, norm_grad and the first alpha"),
    DT_OPT_ENUM(
        conf, grid, GRID_APOT, "apot|pot|uniform|nonzero",
        "sums of powers of two, powers of two, even steps, or 2-bit weights without a zero"),
    DT_OPT_INT(conf, Z, 2, 1, 20, "the levels of grid nonzero are +-1 and +-2^-Z"),
    DT_OPT_ENUM(conf, w_mask, AUTO, "auto|no|yes",
                "no gradient to weights beyond alpha; auto: imagenet above 2 bits"),
    DT_OPT_ENUM(conf, norm_grad, AUTO, "auto|no|yes",
                "differentiate mean and deviation of the weights; auto: imagenet"),
    DT_OPT_END,
};

static const dt_quant_param params[] = {
    { "alpha", true, "weight_quant.wgt_alpha", "act_alpha" },
};

typedef struct level_set {
    int count;
    const int *integer;
    const real *level, *threshold;
} level_set;

static const int ternary_int[] = { -1, 0, 1 };
static const real ternary_level[] = { -1, 0, 1 },
                  ternary_threshold[] = { (real)-0.50000006, (real)0.5 };

#define SET(name)                                                                                  \
    {                                                                                              \
        DT_ARRAY_LEN(name##_int), name##_int, name##_level, name##_threshold                       \
    }
/* By B, the bits of the magnitude. */
static const level_set sets[2][2][7] = {
    [GRID_APOT] = { { [2] = SET(apot_u2),
                      [3] = SET(apot_u3),
                      [4] = SET(apot_u4),
                      [5] = SET(apot_u5),
                      [6] = SET(apot_u6) },
                    { [1] = SET(ternary),
                      [2] = SET(apot_s2),
                      [3] = SET(apot_s3),
                      [4] = SET(apot_s4),
                      [5] = SET(apot_s5),
                      [6] = SET(apot_s6) } },
    [GRID_POT] = { { [2] = SET(pot_u2), [3] = SET(pot_u3), [4] = SET(pot_u4), [5] = SET(pot_u5) },
                   { [1] = SET(ternary),
                     [2] = SET(pot_s2),
                     [3] = SET(pot_s3),
                     [4] = SET(pot_s4),
                     [5] = SET(pot_s5) } },
};
static const level_set nonzero_sets[] = {
    [1] = SET(nonzero_1),   [2] = SET(nonzero_2),   [3] = SET(nonzero_3),   [4] = SET(nonzero_4),
    [5] = SET(nonzero_5),   [6] = SET(nonzero_6),   [7] = SET(nonzero_7),   [8] = SET(nonzero_8),
    [9] = SET(nonzero_9),   [10] = SET(nonzero_10), [11] = SET(nonzero_11), [12] = SET(nonzero_12),
    [13] = SET(nonzero_13), [14] = SET(nonzero_14), [15] = SET(nonzero_15), [16] = SET(nonzero_16),
    [17] = SET(nonzero_17), [18] = SET(nonzero_18), [19] = SET(nonzero_19), [20] = SET(nonzero_20),
};

static int magnitude_bits(const dt_quant_site *site)
{
    return site->is_signed ? site->bits - 1 : site->bits;
}

static const level_set *set_of(const conf *c, const dt_quant_site *site)
{
    if (c->grid == GRID_NONZERO) return &nonzero_sets[c->Z];
    return &sets[c->grid][site->is_signed][magnitude_bits(site)];
}

static dt_status check(const void *options, const dt_quant_site *site, dt_error *err)
{
    static const int most[] = { [GRID_APOT] = 6, [GRID_POT] = 5, [GRID_UNIFORM] = 8 };
    static const char *const names[] = { "apot", "pot", "uniform" };
    const conf *c = options;
    if (c->grid == GRID_NONZERO) {
        if (site->weight && site->bits == 2) return DT_OK;
        return dt_fail(err, DT_ERR_RANGE, NULL,
                       "grid nonzero is of 2-bit weights, not of %d-bit %s", site->bits,
                       site->weight ? "weights" : "activations");
    }
    if (magnitude_bits(site) <= most[c->grid]) return DT_OK;
    return dt_fail(err, DT_ERR_RANGE, NULL,
                   "grid %s has no level set of %d bits; %s have 2..%d (8-bit layers take 'maxabs' "
                   "or 'lsq')",
                   names[c->grid], site->bits, site->is_signed ? "signed sites" : "unsigned sites",
                   most[c->grid] + site->is_signed);
}

/* One mean and deviation for the whole tensor, n - 1 in the denominator; the deviation is the
 * statistic of every group. */
static void transform(const void *options, const dt_quant_site *site, const real *x, real *t,
                      real *stats)
{
    (void)options;
    int64_t n = site->groups * site->count;
    double mean = 0, square = 0;
    for (int64_t i = 0; i < n; i++)
        mean += (double)x[i] / (double)n;
    for (int64_t i = 0; i < n; i++)
        square += ((double)x[i] - mean) * ((double)x[i] - mean);
    double std = n > 1 ? sqrt(square / (double)(n - 1)) : 0;
    if (!(std > 0)) std = 1; /* a constant tensor: all zero after the shift */
    for (int64_t i = 0; i < n; i++)
        t[i] = (real)(((double)x[i] - mean) / std);
    for (int64_t i = 0; i < site->groups; i++)
        stats[i] = (real)std;
}

static bool differentiates_norm(const conf *c)
{
    return c->norm_grad == YES || (c->norm_grad == AUTO && c->variant == VARIANT_IMAGENET);
}

/* dx = dt / std, and with differentiated statistics (dt - mean(dt) - t sum(dt t) / (n-1)) / std. */
static void transform_back(const void *options, const dt_quant_site *site, const real *x,
                           const real *t, const real *stats, const real *dt, real *dx)
{
    (void)x;
    int64_t n = site->groups * site->count;
    double mean = 0, along = 0, std = (double)stats[0];
    if (differentiates_norm(options))
        for (int64_t i = 0; i < n; i++) {
            mean += (double)dt[i] / (double)n;
            along += (double)dt[i] * (double)t[i] / (double)(n > 1 ? n - 1 : 1);
        }
    for (int64_t i = 0; i < n; i++)
        dx[i] = (real)(((double)dt[i] - mean - (double)t[i] * along) / std);
}

static real first_alpha(const conf *c, const dt_quant_site *site)
{
    return site->weight ? 3 : c->variant == VARIANT_CIFAR ? 8 : 6;
}

static dt_status init(const void *options, const dt_quant_site *site, const real *x, real *p,
                      dt_error *err)
{
    (void)x;
    (void)err;
    p[0] = first_alpha(options, site);
    return DT_OK;
}

static void range(const void *options, const dt_quant_site *site, const real *p, double *out_size,
                  double *out_first)
{
    *out_size = (double)p[0];
    *out_first = (double)first_alpha(options, site);
}

static void resize(const void *options, const dt_quant_site *site, const real *from, double factor,
                   real *p)
{
    (void)options;
    (void)site;
    p[0] = (real)((double)from[0] * factor);
}

static void plan(const void *options, const dt_quant_site *site, const real *p, const real *stats,
                 dt_encode *out)
{
    (void)stats;
    const conf *c = options;
    bool masked =
        c->w_mask == YES || (c->w_mask == AUTO && c->variant == VARIANT_IMAGENET && site->bits > 2);
    out->mask = DT_MASK_CLOSED;
    out->plain = site->weight && !masked;
    if (c->grid == GRID_UNIFORM) {
        out->qmax = (real)((1 << magnitude_bits(site)) - 1);
        out->qmin = site->is_signed ? -out->qmax : 0;
    } else {
        const level_set *s = set_of(c, site);
        out->thresholds = s->count - 1;
        out->threshold = s->threshold;
        out->level = s->level;
        out->qmin = s->level[0];
        out->qmax = s->level[s->count - 1];
    }
    out->scale = dt_floor_positive(p[0]) / out->qmax;
}

static void param_grad(const void *options, const dt_quant_site *site, const real *p,
                       const dt_encode *e, const dt_encode_sums *sums, real *grads)
{
    (void)options;
    (void)p;
    double below = site->is_signed ? sums->below : 0;
    grads[0] = (real)(sums->residual / (double)e->qmax + sums->above - below);
}

static bool grid(const void *options, const dt_quant_site *site, const real *p, const real *stats,
                 dt_grid *out)
{
    const conf *c = options;
    dt_encode e = { .scale = 1 };
    plan(options, site, p, stats, &e);
    *out = (dt_grid){ .scale = (double)e.scale, .qmin = (int)e.qmin, .qmax = (int)e.qmax };
    if (c->grid == GRID_UNIFORM) return true;
    out->levels = set_of(c, site)->count;
    out->level = set_of(c, site)->integer;
    return true;
}

/* 2 bits, alpha 2, levels 0 1 2 4 of K = 4: steps of .5; thresholds .25, .75, 1.5. */
static const double x2[] = { 0, .2, .25, .3, .8, 1.5, 1.6, 2, 3 };
static const double y2[] = { 0, 0, 0, .5, 1, 1, 2, 2, 2 };
static const double dx2[] = { 1, 1, 1, 1, 1, 1, 1, 1, 0 };
/* The same of plain powers 0 1/4 1/2 1 (2 bits), and of even steps 0 1/3 2/3 1 with alpha 3. */
static const double yu[] = { 0, 0, 0, 0, 1, 2, 2, 2, 3 }, dxu[] = { 1, 1, 1, 1, 1, 1, 1, 1, 1 };
/* Weights -1 0 4: mean 1, std sqrt(7) (n - 1 = 2); t = -.7559289 -.3779645 1.1338934. */
static const double w3[] = { -1, 0, 4 };
static const double y_3bit[] = { -1, -.5, 1 }, y_ternary[] = { -1, 0, 1 };
static const double y_nonzero[] = { -1, -.25, 1 };
static const double dx_plain[] = { .3779644730092272, .3779644730092272, .3779644730092272 };
/* imagenet, masked: dt = 1 1 0, mean 2/3, sum dt t / 2 = -.5669467; (dt - 2/3 + .5669 t) / std */
static const double dx_norm[] = { -.035996616477069255, .04499577059633657, -.008999154119267314 };
static const dt_quant_example examples[] = {
    /* y/alpha - x/alpha: -.1 -.125 .1 .1 -.25 .2 0, and 1 for the last */
    { "", 2, false, { 2 }, 9, x2, y2, dx2, { .925 } },
    { "grid=pot", 2, false, { 2 }, 9, x2, y2, dx2, { .925 } },
    /* y - x over alpha: 0 -.2 -.25 -.3 .2 .5 .4 0 0 */
    { "grid=uniform", 2, false, { 3 }, 9, x2, yu, dxu, { .35 / 3 } },
    /* 3 bits, K = 4, alpha 1: -1 + .7559289, -.5 + .3779645, and 1 beyond alpha */
    { "", 3, true, { 1 }, 3, w3, y_3bit, dx_plain, { .6338934190276817 }, true },
    { "variant=imagenet", 3, true, { 1 }, 3, w3, y_3bit, dx_norm, { .6338934190276817 }, true },
    { "", 2, true, { 1 }, 3, w3, y_ternary, dx_plain, { 1.1338934190276817 }, true },
    /* Z = 2, no zero: the middle goes to -1/4 */
    { "grid=nonzero", 2, true, { 1 }, 3, w3, y_nonzero, dx_plain, { .8838934190276817 }, true },
    { .n = 0 },
};

static const dt_quant_case cases[] = {
    /* cifar: weights beyond alpha get a gradient that no function with this dalpha has */
    { "", .statistics_constant = true, .surrogate = true },
    { "variant=imagenet w_mask=yes", .homogeneous = true },
    { "w_mask=yes norm_grad=no", .homogeneous = true, .statistics_constant = true },
    { "w_mask=yes norm_grad=yes grid=pot", .homogeneous = true },
    { "w_mask=yes norm_grad=yes grid=uniform", .homogeneous = true },
    { "w_mask=yes norm_grad=yes grid=nonzero", .homogeneous = true },
    { "w_mask=yes norm_grad=yes grid=nonzero Z=10", .homogeneous = true },
    { NULL },
};

static bool uniform(const void *options, const dt_quant_site *site)
{
    return !site->weight && ((const conf *)options)->grid == GRID_UNIFORM;
}

/* Signed levels up to 127, others up to 255: integers of 8 bits. */
static bool integer(const void *options, const dt_quant_site *site)
{
    const conf *c = options;
    if (c->grid == GRID_UNIFORM) return true;
    const level_set *s = set_of(c, site);
    return s->integer[s->count - 1] <= (site->is_signed ? 127 : 255);
}

const dt_quantizer dt_quantizer_apot = {
    .row = { "apot", "Li 2020, arXiv:1909.13144, eq. 5-8 and the authors' code", opts,
             sizeof(conf) },
    .min_bits = 2,
    .max_bits = 8,
    .check = check,
    .params = params,
    .param_count = 1,
    .stat_count = 1,
    .transforms_weights_only = true,
    .transform = transform,
    .transform_back = transform_back,
    .init = init,
    .plan = plan,
    .range = range,
    .resize = resize,
    .param_grad = param_grad,
    .grid = grid,
    .uniform = uniform,
    .integer = integer,
    .cases = cases,
    .examples = examples,
};
