/* LSQ+: learned step size with an offset (Bhalgat, Lee, Nagel, Blankevoort, Kwak, "LSQ+: improving
 * low-bit quantization through learnable offsets and better initialization", CVPRW 2020,
 * arXiv:2004.09576).
 *
 *   activations: q = rne(clip((x - b) / s, qmin, qmax)), y = q s + b
 *   dy/ds = q - u inside, qmin or qmax outside; dy/db = 0 inside, 1 outside; both by 1/sqrt(N qmax)
 *   weights: as LSQ, without b; s starts at max(|mean - 3 std|, |mean + 3 std|) / 2^(bits - 1)
 *   s and b of activations start at the least square error of the first batch (the paper: of a few)
 *
 * `config` names the paper's four kinds of activation: 1 unsigned codes without b (LSQ), 2 signed
 * without b, 3 signed with b, 4 unsigned with b. auto: 1 where values cannot be negative, else 4.
 *
 * `offset: integer` rounds b to steps (z = rne(-b / s)), so that 0 is a level and zero points are
 * integers: b is taken for s rne(b / s), the rounding counts as a constant. The paper's gradient
 * factor of b is not known; the codes in the wild use that of s. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "fakequant/floor.h"
#include "fakequant/quantizers.h"
#include "fakequant/range.h"
#include "fakequant/uniform.h"

enum { CONFIG_AUTO, CONFIG_UNSIGNED, CONFIG_SIGNED, CONFIG_SIGNED_B, CONFIG_UNSIGNED_B };
enum { OFFSET_FLOAT, OFFSET_INTEGER };
enum { SCALE, OFFSET, SCALE_START };

typedef struct conf {
    dt_range_conf range;
    int config, offset, narrow, grad_scale, act_N;
} conf;

static const dt_opt opts[] = {
    DT_OPT_ENUM(conf, config, CONFIG_AUTO, "auto|unsigned|signed|signed_offset|unsigned_offset",
                "of activations, the paper's 1 to 4; auto: unsigned where values cannot be "
                "negative, else unsigned_offset"),
    DT_OPT_ENUM(conf, offset, OFFSET_FLOAT, "float|integer",
                "the offset as learned, or rounded to steps so that 0 is exact and models export"),
    DT_RANGE_OPTS(
        conf, range,
        "first values: auto is three deviations of weights, least square error of others"),
    DT_OPT_ENUM(conf, narrow, DT_NARROW_AUTO, DT_NARROW_CHOICES, DT_NARROW_HELP),
    DT_OPT_ENUM(conf, grad_scale, DT_GRAD_SQRT_NQ, DT_GRAD_SCALE_CHOICES, DT_GRAD_SCALE_HELP),
    DT_OPT_ENUM(conf, act_N, DT_COUNT_NUMEL, DT_ACT_N_CHOICES, DT_ACT_N_HELP),
    DT_OPT_END,
};

static const dt_quant_param params[] = { { "scale", true }, { "offset", true }, { "scale_start" } };

static int config_of(const conf *c, const dt_quant_site *site)
{
    if (site->weight) return CONFIG_SIGNED;
    if (c->config != CONFIG_AUTO) return c->config;
    return site->is_signed ? CONFIG_UNSIGNED_B : CONFIG_UNSIGNED;
}

static bool has_offset(const void *c, const dt_quant_site *site)
{
    return config_of(c, site) >= CONFIG_SIGNED_B;
}

static void codes_of(const conf *c, const dt_quant_site *site, int *qmin, int *qmax)
{
    dt_quant_site as = *site;
    int config = config_of(c, site);
    as.is_signed = config == CONFIG_SIGNED || config == CONFIG_SIGNED_B;
    dt_uniform_codes(&as, c->narrow, qmin, qmax);
}

static dt_status check(const void *options, const dt_quant_site *site, dt_error *err)
{
    if (site->is_signed && config_of(options, site) == CONFIG_UNSIGNED)
        return dt_fail(err, DT_ERR_ARG, NULL,
                       "config unsigned has no codes for the negative values here; take signed, "
                       "signed_offset or unsigned_offset");
    return dt_range_check(&((const conf *)options)->range, has_offset(options, site), err);
}

static double three_deviations(const dt_quant_site *site, const real *x)
{
    double mean = 0, square = 0, n = (double)site->count;
    for (int64_t i = 0; i < site->count; i++)
        mean += (double)x[i] / n;
    for (int64_t i = 0; i < site->count; i++)
        square += ((double)x[i] - mean) * ((double)x[i] - mean) / n;
    return fmax(fabs(mean - 3 * sqrt(square)), fabs(mean + 3 * sqrt(square)));
}

static dt_status init(const void *options, const dt_quant_site *site, const real *x, real *p,
                      dt_error *err)
{
    const conf *c = options;
    dt_range_call call = { .conf = &c->range, .x = x, .offset = has_offset(c, site) };
    double s, offset;
    codes_of(c, site, &call.qmin, &call.qmax);
    DT_TRY(dt_range_start(&call, "mse", site, &s, &offset, err));
    if (site->weight && !c->range.rule) s = three_deviations(site, x) / (1 << (site->bits - 1));
    if (!(s > 0)) s = 1; /* all zero: any scale is exact */
    p[SCALE] = p[SCALE_START] = (real)s;
    p[OFFSET] = (real)offset;
    return DT_OK;
}

/* From a range with an integer zero point, whose grid it keeps. The other way is not told by names:
 * which codes an offset belongs to depends on `config`. */
static bool convert(const void *options, const dt_quant_site *site, dt_quant_read_fn read,
                    void *arg, real *p)
{
    double low, high;
    int qmin, qmax, k = (1 << site->bits) - 1;
    if (!dt_uniform_read_ends(read, arg, k, &low, &high)) return false;
    codes_of(options, site, &qmin, &qmax);
    double s = (high - low) / k, from_zero = rint(-low / s) + qmin;
    if (qmax - qmin != k || (from_zero != 0 && !has_offset(options, site))) return false;
    p[SCALE] = p[SCALE_START] = (real)s;
    p[OFFSET] = (real)(-s * from_zero);
    return true;
}

static void plan_unrounded(const void *options, const dt_quant_site *site, const real *p,
                           const real *stats, dt_encode *out)
{
    (void)stats;
    const conf *c = options;
    int qmin, qmax;
    codes_of(c, site, &qmin, &qmax);
    out->scale = dt_floor_positive(p[SCALE]);
    out->offset = has_offset(c, site) ? p[OFFSET] : 0;
    out->qmin = (real)qmin;
    out->qmax = (real)qmax;
}

/* Code of 0, inside the codes. */
static int zero_point(const dt_encode *e)
{
    double z = rint(-(double)e->offset / (double)e->scale);
    return (int)fmin(fmax(z, (double)e->qmin), (double)e->qmax);
}

static void plan(const void *options, const dt_quant_site *site, const real *p, const real *stats,
                 dt_encode *out)
{
    plan_unrounded(options, site, p, stats, out);
    if (((const conf *)options)->offset == OFFSET_INTEGER && has_offset(options, site))
        out->offset = out->scale * (real)-zero_point(out);
}

static void range(const void *options, const dt_quant_site *site, const real *p, double *out_size,
                  double *out_first)
{
    (void)options;
    (void)site;
    *out_size = (double)p[SCALE];
    *out_first = (double)p[SCALE_START];
}

/* The offset is learned beside it and stays. */
static void resize(const void *options, const dt_quant_site *site, const real *from, double factor,
                   real *p)
{
    (void)options;
    (void)site;
    p[SCALE] = (real)((double)from[SCALE] * factor);
}

static void param_grad(const void *options, const dt_quant_site *site, const real *p,
                       const dt_encode *e, const dt_encode_sums *sums, real *grads)
{
    const conf *c = options;
    double outside = sums->below + sums->above;
    double ds = sums->residual + sums->below * (double)e->qmin + sums->above * (double)e->qmax;
    double factor = dt_uniform_grad_factor(c->grad_scale, c->act_N, site, (double)e->qmax);
    bool learns = has_offset(c, site);
    double rounding = learns ? ((double)e->offset - (double)p[OFFSET]) / (double)e->scale : 0;
    /* y = s (q + rounding) + b, x in steps from b + s rounding */
    ds += rounding * (outside + sums->kept);
    grads[SCALE] = (real)(ds * factor);
    grads[OFFSET] = learns ? (real)((outside + sums->kept) * factor) : 0;
}

static bool grid(const void *options, const dt_quant_site *site, const real *p, const real *stats,
                 dt_grid *out)
{
    const conf *c = options;
    dt_encode e = { .scale = 1 };
    plan(options, site, p, stats, &e);
    *out = (dt_grid){ .scale = (double)e.scale,
                      .zero_point = zero_point(&e),
                      .qmin = (int)e.qmin,
                      .qmax = (int)e.qmax };
    return c->offset == OFFSET_INTEGER || !has_offset(c, site);
}

/* s = .5, b = -.3, codes 0..3: levels -.3 .2 .7 1.2; u = -1.4 0 .8 2 3.6. */
static const double x4[] = { -1, -.3, .1, .7, 1.5 }, y4[] = { -.3, -.3, .2, .7, 1.2 };
static const double dx4[] = { 0, 0, 1, 1, 0 };
/* The same, b rounded to -.5: levels -.5 0 .5 1; u = -1 .4 1.2 2.4 4. */
static const double yi[] = { -.5, -.5, 0, .5, 1 }, dxi[] = { 0, 1, 1, 1, 0 };
/* Signed codes -2..1 with b = .2: levels -.8 -.3 .2 .7. */
static const double x3[] = { -1, 0, .3, .9 }, y3[] = { -.8, .2, .2, .7 }, dx3[] = { 0, 1, 1, 0 };
static const double w3[] = { -2, -.3, .2, .9 }, wy[] = { -1, -.5, 0, .5 }, wdx[] = { 0, 1, 1, 0 };
static const dt_quant_example examples[] = {
    /* D_s = 0, 0, 1 - .8, 0, 3; D_b = 1 1 0 0 1 */
    { "grad_scale=none", 2, true, { .5, -.3, .5 }, 5, x4, y4, dx4, { 3.2, 3 } },
    { "",
      2,
      true,
      { .5, -.3, .5 },
      5,
      x4,
      y4,
      dx4,
      { 3.2 / 3.872983346207417, 3 / 3.872983346207417 } },
    /* rounding -.4: D_s = 0 - .4, -.4, -.2, -.4, 3 - .4; D_b = 1 0 0 0 1 */
    { "grad_scale=none offset=integer", 2, true, { .5, -.3, .5 }, 5, x4, yi, dxi, { 1.2, 2 } },
    /* u = -2.4 -.4 .2 1.4: D_s = -2, .4, -.2, 1 */
    { "grad_scale=none config=signed_offset", 2, true, { .5, .2, .5 }, 4, x3, y3, dx3, { -.8, 2 } },
    /* weights have no offset: u = -4 -.6 .4 1.8; D_s = -2, -.4, -.4, 1 */
    { "grad_scale=none", 2, true, { .5, .2, .5 }, 4, w3, wy, wdx, { -1.8, 0 }, true },
    { .n = 0 },
};

static const dt_quant_case cases[] = {
    { "", .homogeneous = true },
    { "offset=integer", .homogeneous = true },
    { "config=signed", .homogeneous = true },
    { "config=signed_offset", .homogeneous = true },
    { "config=unsigned_offset offset=integer init=minmax", .homogeneous = true },
    { NULL },
};

static bool uniform(const void *options, const dt_quant_site *site)
{
    return !has_offset(options, site);
}

const dt_quantizer dt_quantizer_lsqplus = {
    .row = { "lsqplus", "Bhalgat 2020, arXiv:2004.09576", opts, sizeof(conf) },
    .min_bits = 2,
    .max_bits = 8,
    .params = params,
    .param_count = 3,
    .check = check,
    .init = init,
    .convert = convert,
    .plan = plan,
    .range = range,
    .resize = resize,
    .plan_unrounded = plan_unrounded,
    .param_grad = param_grad,
    .grid = grid,
    .grid_wants = "offset: integer",
    .uniform = uniform,
    .has_offset = has_offset,
    .cases = cases,
    .examples = examples,
};
