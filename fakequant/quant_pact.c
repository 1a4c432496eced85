/* PACT: learned upper clip of activations (Choi, Wang, Venkataramani, Chuang, Srinivasan,
 * Gopalakrishnan, "PACT: parameterized clipping activation for quantized neural networks", 2018,
 * arXiv:1805.06085); weights take DoReFa.
 *
 *   y = rne(clip(x, 0, alpha) n / alpha) alpha / n, n = 2^bits - 1
 *   dx = g where 0 <= x < alpha; dalpha = sum of g where x >= alpha, plus 2 decay alpha
 *
 * `calibrated` adds what the rounding inside depends on alpha, y/alpha - x/alpha (CG-PACT of SAT,
 * Jin 2019, arXiv:1912.10207): then this is LSQ with s = alpha / n, and Euler's identity holds.
 *
 * alpha starts at 10 and decay is 2e-4 as in a reproduction for CIFAR-10 (KwangHoonAn/PACT); the
 * paper's decay is not known. The optimizer's weight decay of quantizers would count twice.
 * Deviation: alpha stays positive, as floor.h says; where it started is the option. An alpha from
 * data is not kept, and its floor is 1e-4. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "fakequant/floor.h"
#include "fakequant/quantizers.h"
#include "fakequant/range.h"

typedef struct conf {
    dt_range_conf range;
    double alpha, decay;
    bool calibrated;
} conf;

static const dt_opt opts[] = {
    DT_OPT_FLOAT(conf, alpha, 10, 0.001, 1000, "first alpha, for init auto"),
    DT_RANGE_OPTS(conf, range, "first alpha: auto is the option alpha"),
    DT_OPT_FLOAT(conf, decay, 2e-4, 0, 1, "adds 2 decay alpha to the gradient of alpha"),
    DT_OPT_BOOL(conf, calibrated, 0, "count the rounding inside in the gradient of alpha too"),
    DT_OPT_END,
};

static const dt_quant_param params[] = { { "alpha", true } };

static dt_status check(const void *options, const dt_quant_site *site, dt_error *err)
{
    (void)options;
    if (site->weight)
        return dt_fail(err, DT_ERR_ARG, NULL, "pact is of activations; weights take 'dorefa'");
    if (site->is_signed)
        return dt_fail(err, DT_ERR_ARG, NULL,
                       "pact clips at 0, and values here can be negative; take 'lsq' or none");
    return DT_OK;
}

static int steps_of(const dt_quant_site *site)
{
    return (1 << site->bits) - 1;
}

static dt_status init(const void *options, const dt_quant_site *site, const real *x, real *p,
                      dt_error *err)
{
    const conf *c = options;
    const dt_range_call call = { .conf = &c->range, .x = x, .qmax = steps_of(site) };
    double s = c->alpha / call.qmax, none;
    if (c->range.rule || site->has_range)
        DT_TRY(dt_range_start(&call, "minmax", site, &s, &none, err));
    p[0] = (real)(s * call.qmax);
    return DT_OK;
}

static void plan(const void *options, const dt_quant_site *site, const real *p, const real *stats,
                 dt_encode *out)
{
    (void)options;
    (void)stats;
    out->qmax = (real)steps_of(site);
    out->scale = dt_floor_positive(p[0]) / out->qmax;
    out->mask = DT_MASK_UPPER_OPEN;
}

static const double least_alpha = 1e-4; /* of one whose start is not known */

static void range(const void *options, const dt_quant_site *site, const real *p, double *out_size,
                  double *out_first)
{
    const conf *c = options;
    *out_size = (double)p[0];
    *out_first = c->range.rule || site->has_range ? least_alpha / DT_FLOOR_FIRST : c->alpha;
}

static void resize(const void *options, const dt_quant_site *site, const real *from, double factor,
                   real *p)
{
    (void)options;
    (void)site;
    p[0] = (real)((double)from[0] * factor);
}

static void param_grad(const void *options, const dt_quant_site *site, const real *p,
                       const dt_encode *e, const dt_encode_sums *sums, real *grads)
{
    (void)site;
    const conf *c = options;
    double inside = c->calibrated ? sums->residual / (double)e->qmax : 0;
    grads[0] = (real)(sums->above + inside + 2 * c->decay * (double)p[0]);
}

static bool grid(const void *options, const dt_quant_site *site, const real *p, const real *stats,
                 dt_grid *out)
{
    dt_encode e = { .scale = 1 };
    plan(options, site, p, stats, &e);
    *out = (dt_grid){ .scale = (double)e.scale, .qmax = (int)e.qmax };
    return true;
}

/* 2 bits, alpha 1.5: steps of .5. */
static const double x2[] = { -1, 0, .3, .75, 1, 1.5, 9 }, y2[] = { 0, 0, .5, 1, 1, 1.5, 1.5 };
static const double dx2[] = { 0, 1, 1, 1, 1, 0, 0 };
static const double in[] = { .1, .2, 1.4 }, in_y[] = { 0, 0, 1.5 }, ones[] = { 1, 1, 1 };
static const dt_quant_example examples[] = {
    { "", 2, false, { 1.5 }, 7, x2, y2, dx2, { 2 + 2 * 2e-4 * 1.5 } },
    { "decay=0.01", 2, false, { 1.5 }, 3, in, in_y, ones, { .03 } },
    /* what LSQ gives s = .5 here, 6.9, over n = 3 */
    { "calibrated=true decay=0", 2, false, { 1.5 }, 7, x2, y2, dx2, { 2.3 } },
    { .n = 0 },
};

static const dt_quant_case cases[] = {
    /* the published gradient leaves out what happens inside, and adds a decay */
    { "", .surrogate = true },
    { "calibrated=true decay=0", .homogeneous = true },
    { "calibrated=true decay=0 init=percentile", .homogeneous = true },
    { NULL },
};

static bool uniform(const void *options, const dt_quant_site *site)
{
    (void)options;
    (void)site;
    return true;
}

const dt_quantizer dt_quantizer_pact = {
    .row = { "pact", "Choi 2018, arXiv:1805.06085, eq. 1-3; of activations", opts, sizeof(conf) },
    .min_bits = 2,
    .max_bits = 8,
    .params = params,
    .param_count = 1,
    .check = check,
    .init = init,
    .plan = plan,
    .range = range,
    .resize = resize,
    .param_grad = param_grad,
    .grid = grid,
    .uniform = uniform,
    .cases = cases,
    .examples = examples,
};
