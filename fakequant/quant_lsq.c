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
 * folded into codes; s never falls below 1e-8 of where it started (the gradient passes). */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "fakequant/quantizers.h"
#include "fakequant/range.h"

enum { INIT_AUTO, INIT_LSQ, INIT_MSE, INIT_MINMAX };
enum { NARROW_AUTO, NARROW_NO, NARROW_YES };
enum { COUNT_NUMEL, COUNT_FEATURES };
enum { GRAD_SQRT_NQ, GRAD_SQRT_N, GRAD_NONE };
enum { SCALE, SCALE_START };

typedef struct conf {
    int init, narrow, act_N, grad_scale;
} conf;

static const dt_opt opts[] = {
    DT_OPT_ENUM(conf, init, INIT_AUTO, "auto|lsq|mse|minmax",
                "first scale: auto is the paper's rule below 8 bits, least square error at 8"),
    DT_OPT_ENUM(conf, narrow, NARROW_AUTO, "auto|no|yes",
                "signed range without its lowest code; auto: weights of 8 bits"),
    DT_OPT_ENUM(conf, grad_scale, GRAD_SQRT_NQ, "sqrt_nq|sqrt_n|none",
                "the gradient of s is divided by sqrt(N qmax), sqrt(N), or nothing"),
    DT_OPT_ENUM(conf, act_N, COUNT_NUMEL, "numel|features",
                "what N counts for activations: all elements of the batch, or of one sample"),
    DT_OPT_END,
};

static const dt_quant_param params[] = { { "scale", true }, { "scale_start", false } };

static int qmax_of(const dt_quant_site *site)
{
    return site->is_signed ? (1 << (site->bits - 1)) - 1 : (1 << site->bits) - 1;
}

static int qmin_of(const conf *c, const dt_quant_site *site)
{
    if (!site->is_signed) return 0;
    bool narrow =
        c->narrow == NARROW_YES || (c->narrow == NARROW_AUTO && site->weight && site->bits == 8);
    return -(1 << (site->bits - 1)) + narrow;
}

static dt_status init(const void *options, const dt_quant_site *site, const real *x, real *p,
                      dt_error *err)
{
    const conf *c = options;
    int qmin = qmin_of(c, site), qmax = qmax_of(site);
    int rule = c->init != INIT_AUTO ? c->init : site->bits == 8 ? INIT_MSE : INIT_LSQ;
    double s;
    if (site->has_range) {
        const real ends[] = { (real)site->range_low, (real)site->range_high };
        s = dt_range_minmax(2, ends, qmin, qmax);
    } else if (rule == INIT_LSQ) {
        s = dt_range_lsq(site->count, x, qmax);
    } else if (rule == INIT_MSE) {
        s = dt_range_mse(site->count, x, qmin, qmax);
    } else {
        s = dt_range_minmax(site->count, x, qmin, qmax);
    }
    if (!isfinite(s)) return dt_fail(err, DT_ERR_NUMERIC, NULL, "values are not finite");
    if (!(s > 0)) s = 1; /* all zero: any scale is exact */
    p[SCALE] = p[SCALE_START] = (real)s;
    return DT_OK;
}

static real positive(const real *p)
{
    real least = p[SCALE_START] * (real)1e-8;
    return p[SCALE] < least ? least : p[SCALE];
}

static void plan(const void *options, const dt_quant_site *site, const real *p, const real *stats,
                 dt_encode *out)
{
    (void)stats;
    out->scale = positive(p);
    out->offset = 0;
    out->qmin = (real)qmin_of(options, site);
    out->qmax = (real)qmax_of(site);
}

static void param_grad(const void *options, const dt_quant_site *site, const real *p,
                       const dt_encode *e, const dt_encode_sums *sums, real *grads)
{
    (void)p;
    const conf *c = options;
    double ds = sums->residual + sums->below * (double)e->qmin + sums->above * (double)e->qmax;
    bool features = c->act_N == COUNT_FEATURES && !site->weight;
    double N = (double)(features ? site->features : site->count);
    if (c->grad_scale == GRAD_SQRT_NQ) ds /= sqrt(N * (double)e->qmax);
    if (c->grad_scale == GRAD_SQRT_N) ds /= sqrt(N);
    grads[SCALE] = (real)ds;
}

static bool grid(const void *options, const dt_quant_site *site, const real *p, const real *stats,
                 dt_grid *out)
{
    (void)stats;
    *out = (dt_grid){ .scale = (double)positive(p),
                      .qmin = qmin_of(options, site),
                      .qmax = qmax_of(site) };
    return true;
}

/* From the formulas above by hand; 1/sqrt(27) = 0.19245009. */
static const double signed_x[] = { -3, -2, -.6, -.25, 0, .1, .74, 1.5, 2 };
static const double signed_y[] = { -2, -2, -.5, 0, 0, 0, .5, 1.5, 1.5 };
static const double signed_dx[] = { 0, 0, 1, 1, 1, 1, 1, 0, 0 };
static const double unsigned_x[] = { -1, 0, .3, .75, 1, 1.5, 9 },
                    unsigned_y[] = { 0, 0, .5, 1, 1, 1.5, 1.5 };
static const double unsigned_dx[] = { 0, 0, 1, 1, 1, 0, 0 };
static const dt_quant_example examples[] = {
    { "", 3, true, { .5, .5 }, 9, signed_x, signed_y, signed_dx, { -1.98 / 5.196152422706632 } },
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
    { .n = 0 },
};

static const dt_quant_case cases[] = {
    { "", .homogeneous = true },
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
    .param_grad = param_grad,
    .grid = grid,
    .uniform = uniform,
    .cases = cases,
    .examples = examples,
};
