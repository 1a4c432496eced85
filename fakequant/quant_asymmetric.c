/* Ranges with two free ends and an integer zero point, learned in one of three forms. The forms are
 * those that "How to parameterize asymmetric quantization ranges for quantization-aware training"
 * (2024, arXiv:2404.16898) compares; the gradients are derived here from
 *
 *   y = s (clip(rne(x / s) + z, 0, k) - z), k = 2^bits - 1, s = (high - low) / k, z = rne(-low / s)
 *
 * with both roundings passed straight through (e = z + low / s is a constant):
 *
 *   scale_offset  s and -low / s are learned:  ds = r inside, -z below, k - z above (r: rounding);
 *                                              dz = 0 inside, -s outside
 *   minmax        low and high: dhigh = r / k, -e / k, 1 - e / k; dlow = -r / k, 1 + e / k, e / k
 *   beta_gamma    low = beta min, high = gamma max with the first ends min, max; with `sigmoid`
 *                 low = sigmoid(beta) min and so on
 *
 * 0 is always a level: low <= 0 <= high. Deviations: what the paper does at the start of the
 * sigmoid form is not known, here beta = gamma = 4 (98 % of the first range). */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stddef.h>

#include "core/mathx.h"
#include "fakequant/floor.h"
#include "fakequant/quantizers.h"
#include "fakequant/range.h"
#include "fakequant/uniform.h"

enum { FORM_SCALE_OFFSET, FORM_MINMAX, FORM_BETA_GAMMA };
enum { FIRST, SECOND, LOW_START, HIGH_START };

typedef struct conf {
    dt_range_conf range;
    int form, grad_scale, act_N;
    bool sigmoid;
} conf;

static const dt_opt opts[] = {
    DT_OPT_ENUM(conf, form, FORM_MINMAX, "scale_offset|minmax|beta_gamma",
                "what is learned: scale and zero point, both ends, or factors of the first ends"),
    DT_OPT_BOOL(conf, sigmoid, 0, "factors of form beta_gamma are sigmoids of what is learned"),
    DT_RANGE_OPTS(conf, range, "first range; auto: minmax"),
    DT_OPT_ENUM(conf, grad_scale, DT_GRAD_NONE, DT_GRAD_SCALE_CHOICES,
                "both gradients are divided by sqrt(N qmax), sqrt(N), or nothing"),
    DT_OPT_ENUM(conf, act_N, DT_COUNT_NUMEL, DT_ACT_N_CHOICES, DT_ACT_N_HELP),
    DT_OPT_END,
};

/* In files; what they tell is how one form is read into another. */
static const char *first_name(const void *options)
{
    static const char *const names[] = { "scale", "low", "beta" };
    const conf *c = options;
    return c->form == FORM_BETA_GAMMA && c->sigmoid ? "beta_logit" : names[c->form];
}

static const char *second_name(const void *options)
{
    static const char *const names[] = { "zero_point", "high", "gamma" };
    const conf *c = options;
    return c->form == FORM_BETA_GAMMA && c->sigmoid ? "gamma_logit" : names[c->form];
}

static const dt_quant_param params[] = {
    { .name = "low", .learned = true, .name_of = first_name },
    { .name = "high", .learned = true, .name_of = second_name },
    { .name = "low_start" },
    { .name = "high_start" },
};

static dt_status check(const void *options, const dt_quant_site *site, dt_error *err)
{
    (void)site;
    return dt_range_check(&((const conf *)options)->range, true, err);
}

static void set_ends(const conf *c, int k, double low, double high, real *p)
{
    double start = c->sigmoid ? 4 : 1;
    p[LOW_START] = (real)low;
    p[HIGH_START] = (real)high;
    p[FIRST] = (real)(c->form == FORM_SCALE_OFFSET ? (high - low) / k
                      : c->form == FORM_MINMAX     ? low
                                                   : start);
    p[SECOND] = (real)(c->form == FORM_SCALE_OFFSET ? -low * k / (high - low)
                       : c->form == FORM_MINMAX     ? high
                                                    : start);
}

static dt_status init(const void *options, const dt_quant_site *site, const real *x, real *p,
                      dt_error *err)
{
    const conf *c = options;
    const dt_range_call call = {
        .conf = &c->range, .x = x, .qmax = (1 << site->bits) - 1, .offset = true
    };
    double scale, offset;
    DT_TRY(dt_range_start(&call, "minmax", site, &scale, &offset, err));
    double low = fmin(offset, 0), high = fmax(offset + scale * call.qmax, 0);
    if (!(high > low)) high = low + 1;
    set_ends(c, call.qmax, low, high, p);
    return DT_OK;
}

static double factor_of(const conf *c, double p)
{
    return c->sigmoid ? 1 / (1 + dt_exp(-p)) : p;
}

static bool convert(const void *options, const dt_quant_site *site, dt_quant_read_fn read,
                    void *arg, real *p)
{
    const conf *c = options;
    int k = (1 << site->bits) - 1;
    double low, high;
    if (!dt_uniform_read_ends(read, arg, k, &low, &high)) return false;
    set_ends(c, k, low, high, p);
    if (c->form != FORM_BETA_GAMMA) return true;
    double factor = factor_of(c, (double)p[FIRST]); /* of a sigmoid, which is no 1 at its start */
    p[LOW_START] = (real)(low / factor);
    p[HIGH_START] = (real)(high / factor);
    return true;
}

/* Scale and the zero point before it is rounded. */
static void parameters_of(const conf *c, int k, const real *p, double *scale, double *zero)
{
    const double least = DT_FLOOR_LEAST;
    if (c->form == FORM_SCALE_OFFSET) {
        *scale = fmax((double)p[FIRST], least);
        *zero = fmin(fmax((double)p[SECOND], 0), k);
        return;
    }
    double low = (double)p[FIRST], high = (double)p[SECOND];
    if (c->form == FORM_BETA_GAMMA) {
        low = factor_of(c, low) * (double)p[LOW_START];
        high = factor_of(c, high) * (double)p[HIGH_START];
    }
    low = fmin(low, 0);
    high = fmax(high, 0);
    *scale = fmax((high - low) / k, least);
    *zero = fmin(-low / *scale, k);
}

static void range(const void *options, const dt_quant_site *site, const real *p, double *out_size,
                  double *out_first)
{
    const conf *c = options;
    int k = (1 << site->bits) - 1;
    double low = (double)p[FIRST], high = (double)p[SECOND];
    if (c->form == FORM_BETA_GAMMA) {
        low = factor_of(c, low) * (double)p[LOW_START];
        high = factor_of(c, high) * (double)p[HIGH_START];
    }
    *out_size = c->form == FORM_SCALE_OFFSET ? (double)p[FIRST] * k : fmax(high, 0) - fmin(low, 0);
    *out_first = (double)p[HIGH_START] - (double)p[LOW_START];
}

/* A zero point stays; ends move together. */
static void resize(const void *options, const dt_quant_site *site, const real *from, double factor,
                   real *p)
{
    (void)site;
    const conf *c = options;
    for (int i = FIRST; i <= SECOND; i++) {
        double v = (double)from[i], share = factor_of(c, v) * factor;
        bool logit = c->form == FORM_BETA_GAMMA && c->sigmoid;
        if (i == FIRST || c->form != FORM_SCALE_OFFSET)
            p[i] = (real)(logit ? dt_log(share / (1 - share)) : v * factor);
    }
}

/* Low ends at most 0, high ends at least; zero points among the codes. */
static void settle(const void *options, const dt_quant_site *site, real *p)
{
    const conf *c = options;
    real k = (real)((1 << site->bits) - 1);
    if (c->form == FORM_BETA_GAMMA && c->sigmoid) return;
    if (c->form == FORM_MINMAX ? p[FIRST] > 0 : c->form == FORM_BETA_GAMMA && p[FIRST] < 0)
        p[FIRST] = 0;
    if (p[SECOND] < 0) p[SECOND] = 0;
    if (c->form == FORM_SCALE_OFFSET && p[SECOND] > k) p[SECOND] = k;
}

static void plan_with(const conf *c, const dt_quant_site *site, const real *p, bool rounded,
                      dt_encode *out)
{
    int k = (1 << site->bits) - 1;
    double scale, zero;
    parameters_of(c, k, p, &scale, &zero);
    out->scale = (real)scale;
    out->offset = (real)(-scale * zero);
    if (rounded) out->offset = out->scale * (real)-rint(zero);
    out->qmax = (real)k;
    out->mask = DT_MASK_ROUNDED;
}

static void plan(const void *options, const dt_quant_site *site, const real *p, const real *stats,
                 dt_encode *out)
{
    (void)stats;
    plan_with(options, site, p, true, out);
}

static void plan_unrounded(const void *options, const dt_quant_site *site, const real *p,
                           const real *stats, dt_encode *out)
{
    (void)stats;
    plan_with(options, site, p, false, out);
}

static void param_grad(const void *options, const dt_quant_site *site, const real *p,
                       const dt_encode *e, const dt_encode_sums *sums, real *grads)
{
    const conf *c = options;
    int k = (1 << site->bits) - 1;
    double scale, zero;
    parameters_of(c, k, p, &scale, &zero);
    double z = rint(zero), rounding = z - zero;
    double by_scale = sums->residual + sums->above * k; /* with the offset held */
    double by_offset = sums->below + sums->above + sums->kept;
    double factor = dt_uniform_grad_factor(c->grad_scale, c->act_N, site, (double)e->qmax);
    double first, second;
    if (c->form == FORM_SCALE_OFFSET) {
        first = by_scale - z * by_offset;
        second = -scale * by_offset;
    } else {
        second = (by_scale - rounding * by_offset) / k;
        first = by_offset - second;
    }
    if (c->form == FORM_BETA_GAMMA) {
        double b = factor_of(c, (double)p[FIRST]), g = factor_of(c, (double)p[SECOND]);
        first *= (double)p[LOW_START] * (c->sigmoid ? b * (1 - b) : 1);
        second *= (double)p[HIGH_START] * (c->sigmoid ? g * (1 - g) : 1);
    }
    grads[FIRST] = (real)(first * factor);
    grads[SECOND] = (real)(second * factor);
}

static bool grid(const void *options, const dt_quant_site *site, const real *p, const real *stats,
                 dt_grid *out)
{
    double scale, zero;
    int k = (1 << site->bits) - 1;
    (void)stats;
    parameters_of(options, k, p, &scale, &zero);
    *out = (dt_grid){ .scale = (double)(real)scale, .qmax = k };
    if (isfinite(zero)) out->zero_point = (int)rint(zero); /* with a nan the scale tells */
    return true;
}

/* Scale and zero point, which no rounding of ends can move. */
static bool of_grid(const dt_grid *from, dt_quant_site *site, void *options, real *p)
{
    conf *c = options;
    int k = from->qmax - from->qmin, zero = from->zero_point - from->qmin;
    for (site->bits = 2; site->bits < 8 && (1 << site->bits) - 1 < k;)
        site->bits++;
    if (from->level || k != (1 << site->bits) - 1 || zero < 0 || zero > k) return false;
    site->is_signed = zero > 0;
    c->form = FORM_SCALE_OFFSET;
    set_ends(c, k, -from->scale * zero, from->scale * (k - zero), p);
    p[FIRST] = (real)from->scale;
    p[SECOND] = (real)zero;
    return true;
}

/* 2 bits, low -.4, high 1.1: s = .5, z = 1, e = .2; u = x / s + z: -1 .4 1.2 2.2 2.6 5 */
static const double x2[] = { -1, -.3, .1, .6, .8, 2 }, y2[] = { -.5, -.5, 0, .5, 1, 1 };
static const double dx2[] = { 0, 1, 1, 1, 1, 0 };
static const dt_quant_example examples[] = {
    /* r = -.4 -.2 -.2 .4 sum to -.4; dlow = .4 / 3 + (1 + .2 / 3) + .2 / 3, dhigh the rest of 2 */
    { "", 2, true, { -.4, 1.1, -1, 1 }, 6, x2, y2, dx2, { 1.2666666666666667, .7333333333333333 } },
    /* z = .8 rounds to 1: ds = -.4 - 1 + 2, dz = -.5 - .5 */
    { "form=scale_offset", 2, true, { .5, .8, -1, 1 }, 6, x2, y2, dx2, { .6, -1 } },
    /* first ends -.8 and 2.2, halved */
    { "form=beta_gamma",
      2,
      true,
      { .5, .5, -.8, 2.2 },
      6,
      x2,
      y2,
      dx2,
      { -.8 * 1.2666666666666667, 2.2 * .7333333333333333 } },
    /* sigmoid(0) = 1/2, slope 1/4 */
    { "form=beta_gamma sigmoid=true",
      2,
      true,
      { 0, 0, -.8, 2.2 },
      6,
      x2,
      y2,
      dx2,
      { -.2 * 1.2666666666666667, .55 * .7333333333333333 } },
    { .n = 0 },
};

static const dt_quant_case cases[] = {
    { "", .homogeneous = true },
    { "form=scale_offset" },
    { "form=beta_gamma" },
    { "form=beta_gamma sigmoid=true" },
    { "init=mse", .homogeneous = true },
    { NULL },
};

const dt_quantizer dt_quantizer_asymmetric = {
    .row = { "asymmetric", "two free ends as scale and offset, ends, or factors of first ends",
             opts, sizeof(conf) },
    .min_bits = 2,
    .max_bits = 8,
    .params = params,
    .param_count = 4,
    .check = check,
    .init = init,
    .convert = convert,
    .plan = plan,
    .range = range,
    .resize = resize,
    .settle = settle,
    .plan_unrounded = plan_unrounded,
    .param_grad = param_grad,
    .grid = grid,
    .of_grid = of_grid,
    .cases = cases,
    .examples = examples,
};
