/* LSQ: learned step size (Esser, McKinstry, Bablani, Appuswamy, Modha, "Learned step size
 * quantization", ICLR 2020, arXiv:1902.08153v3).
 *
 *   q = rne(clip(x / s, qmin, qmax)), y = q s                                   eq. 1, 2
 *   dy/ds = q - x/s inside, qmin below, qmax above; dy/dx = 1 inside, else 0    eq. 3, 5
 *   ds is scaled by 1 / sqrt(N qmax)                                            section 2.2
 *   s starts at 2 mean|x| / sqrt(qmax)                                          section 2.1
 *
 * Deviations: at 8 bits the rule above gives a range of 18 deviations, so such sites start at the
 * scale of least square error; 8-bit weights use -127..127, so that a negative BN factor can be
 * folded into codes; s stays positive, as floor.h says.
 *
 * Options beyond the paper: `mask` says which x are inside (strictly between the end codes, as in
 * the paper; ends included; or rounded before clipping, half a step more on both sides); `domain`
 * says what is learned: s, t with s = e^t (ds/dt = s), or t with s = 2^ceil(t), whose ceiling is
 * passed straight through (ds/dt = s ln 2; power-of-two scales). */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "core/mathx.h"
#include "fakequant/floor.h"
#include "fakequant/quantizers.h"
#include "fakequant/range.h"
#include "fakequant/uniform.h"

enum { DOMAIN_LINEAR, DOMAIN_LOG, DOMAIN_POW2 };
enum { SCALE, SCALE_START };

static const double ln2 = 0.69314718055994531;

typedef struct conf {
    dt_range_conf range;
    int narrow, act_N, grad_scale, mask, domain;
} conf;

static const dt_opt opts[] = {
    DT_RANGE_OPTS(conf, range,
                  "first scale: auto is the paper's rule below 8 bits, least square error at 8"),
    DT_OPT_ENUM(conf, narrow, DT_NARROW_AUTO, DT_NARROW_CHOICES, DT_NARROW_HELP),
    DT_OPT_ENUM(conf, grad_scale, DT_GRAD_SQRT_NQ, DT_GRAD_SCALE_CHOICES, DT_GRAD_SCALE_HELP),
    DT_OPT_ENUM(conf, act_N, DT_COUNT_NUMEL, DT_ACT_N_CHOICES, DT_ACT_N_HELP),
    DT_OPT_ENUM(conf, mask, DT_MASK_OPEN, "open|closed|upper_open|rounded",
                "who gets a gradient: strictly inside the end codes, with both, with the lower "
                "one, or all that round into them"),
    DT_OPT_ENUM(conf, domain, DOMAIN_LINEAR, "linear|log|pow2",
                "learn the scale, its logarithm, or that of a scale rounded up to a power of two"),
    DT_OPT_END,
};

/* The number means another thing in each domain, so files tell them apart. */
static const char *name_of(const void *options)
{
    static const char *const names[] = { "scale", "log_scale", "log2_scale" };
    return names[((const conf *)options)->domain];
}

static const dt_quant_param params[] = {
    { .name = "scale", .learned = true, .name_of = name_of },
    { .name = "scale_start" },
};

static dt_status init(const void *options, const dt_quant_site *site, const real *x, real *p,
                      dt_error *err)
{
    const conf *c = options;
    dt_range_call call = { .conf = &c->range, .x = x };
    double s, none;
    dt_uniform_codes(site, c->narrow, &call.qmin, &call.qmax);
    DT_TRY(dt_range_start(&call, site->bits == 8 ? "mse" : "lsq", site, &s, &none, err));
    p[SCALE_START] = (real)s;
    p[SCALE] = c->domain == DOMAIN_LINEAR ? (real)s
               : c->domain == DOMAIN_LOG  ? (real)dt_log(s)
                                          : (real)(dt_log(s) / ln2);
    return DT_OK;
}

/* Logarithms stay where e^t and 2^t are floats. */
static double bounded(real t)
{
    return t < -80 ? -80 : t > 80 ? 80 : (double)t;
}

static real scale_of(const conf *c, const real *p, bool rounded)
{
    if (c->domain == DOMAIN_LOG) return (real)dt_exp(bounded(p[SCALE]));
    if (c->domain == DOMAIN_POW2) {
        double t = bounded(p[SCALE]);
        return rounded ? (real)ldexp(1, (int)ceil(t)) : (real)dt_exp(t * ln2);
    }
    return dt_floor_positive(p[SCALE]);
}

static void range(const void *options, const dt_quant_site *site, const real *p, double *out_size,
                  double *out_first)
{
    (void)site;
    const conf *c = options;
    bool linear = c->domain == DOMAIN_LINEAR;
    *out_size = linear ? (double)p[SCALE] : (double)scale_of(c, p, false);
    *out_first = (double)p[SCALE_START];
}

static void resize(const void *options, const dt_quant_site *site, const real *from, double factor,
                   real *p)
{
    (void)site;
    const conf *c = options;
    double t = (double)from[SCALE];
    p[SCALE] = (real)(c->domain == DOMAIN_LINEAR ? t * factor
                      : c->domain == DOMAIN_LOG  ? t + dt_log(factor)
                                                 : t + dt_log(factor) / ln2);
}

static void settle(const void *options, const dt_quant_site *site, real *p)
{
    (void)site;
    if (((const conf *)options)->domain != DOMAIN_LINEAR) p[SCALE] = (real)bounded(p[SCALE]);
}

static void plan(const void *options, const dt_quant_site *site, const real *p, const real *stats,
                 dt_encode *out)
{
    (void)stats;
    const conf *c = options;
    int qmin, qmax;
    dt_uniform_codes(site, c->narrow, &qmin, &qmax);
    out->scale = scale_of(c, p, true);
    out->qmin = (real)qmin;
    out->qmax = (real)qmax;
    out->mask = (dt_mask)c->mask;
}

static void plan_unrounded(const void *options, const dt_quant_site *site, const real *p,
                           const real *stats, dt_encode *out)
{
    plan(options, site, p, stats, out);
    out->scale = scale_of(options, p, false);
}

static void param_grad(const void *options, const dt_quant_site *site, const real *p,
                       const dt_encode *e, const dt_encode_sums *sums, real *grads)
{
    (void)p;
    const conf *c = options;
    double ds = sums->residual + sums->below * (double)e->qmin + sums->above * (double)e->qmax;
    ds *= dt_uniform_grad_factor(c->grad_scale, c->act_N, site, (double)e->qmax);
    if (c->domain != DOMAIN_LINEAR) ds *= (double)e->scale;
    if (c->domain == DOMAIN_POW2) ds *= ln2;
    grads[SCALE] = (real)ds;
}

static bool grid(const void *options, const dt_quant_site *site, const real *p, const real *stats,
                 dt_grid *out)
{
    dt_encode e = { .scale = 1 };
    plan(options, site, p, stats, &e);
    *out = (dt_grid){ .scale = (double)e.scale, .qmin = (int)e.qmin, .qmax = (int)e.qmax };
    return true;
}

static bool of_grid(const dt_grid *from, dt_quant_site *site, void *options, real *p)
{
    conf *c = options;
    if (from->level || !dt_uniform_of_codes(from->qmin - from->zero_point,
                                            from->qmax - from->zero_point, site, &c->narrow))
        return false;
    p[SCALE] = p[SCALE_START] = (real)from->scale;
    return true;
}

/* From the formulas above by hand; 1/sqrt(27) = 0.19245009. */
static const double signed_x[] = { -3, -2, -.6, -.25, 0, .1, .74, 1.5, 2 };
static const double signed_y[] = { -2, -2, -.5, 0, 0, 0, .5, 1.5, 1.5 };
static const double signed_dx[] = { 0, 0, 1, 1, 1, 1, 1, 0, 0 };
static const double closed_dx[] = { 0, 1, 1, 1, 1, 1, 1, 1, 0 };
/* Rounded first: -2.2 and 1.7 (u = -4.4, 3.4) round into the range and are inside. */
static const double rim_x[] = { -2.3, -2.2, 0, 1.7, 1.8 }, rim_y[] = { -2, -2, 0, 1.5, 1.5 };
static const double rim_dx[] = { 0, 1, 1, 1, 0 };
static const double unsigned_x[] = { -1, 0, .3, .75, 1, 1.5, 9 },
                    unsigned_y[] = { 0, 0, .5, 1, 1, 1.5, 1.5 };
static const double unsigned_dx[] = { 0, 0, 1, 1, 1, 0, 0 };
static const dt_quant_example examples[] = {
    { "", 3, true, { .5, .5 }, 9, signed_x, signed_y, signed_dx, { -1.98 / 5.196152422706632 } },
    /* The ends are inside and exact: D = -4 .2 .5 0 -.2 -.48 3. */
    { "grad_scale=none mask=closed",
      3,
      true,
      { .5, .5 },
      9,
      signed_x,
      signed_y,
      closed_dx,
      { -.98 } },
    /* D = -4, -4 + 4.4, 0, 3 - 3.4, 3 */
    { "grad_scale=none mask=rounded", 3, true, { .5, .5 }, 5, rim_x, rim_y, rim_dx, { -1 } },
    /* D = 0, 0, .4, .5, 0, 3, 3; N = 7, qmax = 3 */
    { "",
      2,
      false,
      { .5, .5 },
      7,
      unsigned_x,
      unsigned_y,
      unsigned_dx,
      { 6.9 / 4.58257569495584 } },
    { "grad_scale=none", 2, false, { .5, .5 }, 7, unsigned_x, unsigned_y, unsigned_dx, { 6.9 } },
    { "grad_scale=sqrt_n",
      2,
      false,
      { .5, .5 },
      7,
      unsigned_x,
      unsigned_y,
      unsigned_dx,
      { 6.9 / 2.6457513110645907 } },
    /* t = ln .5: dt = s ds */
    { "grad_scale=none domain=log",
      2,
      false,
      { -.69314718055994531 },
      7,
      unsigned_x,
      unsigned_y,
      unsigned_dx,
      { 3.45 } },
    /* t = -1.3: s = 2^-1; dt = s ln 2 ds */
    { "grad_scale=none domain=pow2",
      2,
      false,
      { -1.3 },
      7,
      unsigned_x,
      unsigned_y,
      unsigned_dx,
      { 2.391357772931811 } },
    { .n = 0 },
};

static const dt_quant_case cases[] = {
    { "", .homogeneous = true },
    { "mask=closed", .homogeneous = true },
    { "mask=rounded", .homogeneous = true },
    { "domain=log" },
    { "domain=pow2 narrow=yes" },
    { NULL },
};

static bool uniform(const void *options, const dt_quant_site *site)
{
    (void)options;
    (void)site;
    return true;
}

const dt_quantizer dt_quantizer_lsq = {
    .row = { "lsq", "Esser 2020, arXiv:1902.08153, eq. 1-5", opts, sizeof(conf) },
    .min_bits = 2,
    .max_bits = 8,
    .params = params,
    .param_count = 2,
    .init = init,
    .plan = plan,
    .range = range,
    .resize = resize,
    .settle = settle,
    .plan_unrounded = plan_unrounded,
    .param_grad = param_grad,
    .grid = grid,
    .of_grid = of_grid,
    .uniform = uniform,
    .cases = cases,
    .examples = examples,
};
