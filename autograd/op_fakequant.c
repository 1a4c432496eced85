/* Fake quantization as a node: x, parameters -> y on the quantizer's grid. What a quantizer is:
 * autograd/quantizer.h. Backward recomputes codes from x and the parameters. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <tgmath.h>

#include "autograd/op_fakequant.h"
#include "autograd/stochastic.h"
#include "core/mathx.h"

static dt_status infer(const void *conf, const dt_shape *in, int in_count, dt_shape *out,
                       dt_error *err)
{
    const dt_fakequant_conf *c = conf;
    char text[DT_SHAPE_TEXT];
    if (in_count != 1 + c->quantizer->param_count + c->strength_in)
        return dt_fail(err, DT_ERR_ARG, NULL, "'%s' has %d parameters", c->quantizer->row.name,
                       c->quantizer->param_count);
    if (c->site.groups > 1 && dt_shape_count(&in[0]) % c->site.groups)
        return dt_fail(err, DT_ERR_SHAPE, NULL, "input %s does not have %lld groups of one size",
                       dt_shape_print(&in[0], text), (long long)c->site.groups);
    out[0] = in[0];
    return DT_OK;
}

dt_quant_site dt_fakequant_site(const dt_fakequant_conf *c, const dt_shape *x)
{
    dt_quant_site site = c->site;
    site.count = dt_shape_count(x) / site.groups;
    site.features = site.weight ? site.count : site.count / x->dim[0];
    site.inner = x->dim[x->rank - 1];
    return site;
}

static dt_quant_site site_of(const dt_op_run *r)
{
    return dt_fakequant_site(r->conf, &r->in_shape[0]);
}

double dt_ste_strength(const dt_ste *ste)
{
    static const double defaults[] = {
        [DT_STE_EWGS] = 1e-3, [DT_STE_TANH] = 0.4, [DT_STE_SIGMOID] = 4, [DT_STE_STOCHASTIC] = 0
    };
    return ste->strength > 0 ? ste->strength : defaults[ste->kind];
}

/* Strengths in the units of the kernels' slopes. */
static void shape_gradient(const dt_ste *ste, double strength, dt_encode *e)
{
    double k;
    if (ste->kind == DT_STE_PLAIN || ste->kind == DT_STE_CLIPPED)
        e->plain = ste->kind == DT_STE_PLAIN; /* others shape it inside, whatever passes outside */
    switch (ste->kind) {
    case DT_STE_EWGS:
        e->slope = DT_SLOPE_GAP;
        e->slope_a = (real)(strength / (double)(e->qmax - e->qmin));
        return;
    case DT_STE_TANH: /* k = ln(2 / alpha - 1), k / 2 / (1 - alpha) (1 - tanh(k r)^2) */
        k = dt_log(2 / strength - 1);
        e->slope = DT_SLOPE_SOFT;
        e->slope_a = (real)k;
        e->slope_b = (real)(k / 2 / (1 - strength));
        return;
    case DT_STE_SIGMOID: /* the same with k = a / 2; 1 - alpha is tanh(k / 2) */
        k = strength / 2;
        e->slope = DT_SLOPE_SOFT;
        e->slope_a = (real)k;
        e->slope_b = (real)(k / 2 * (dt_exp(k) + 1) / (dt_exp(k) - 1));
        return;
    default:
        return;
    }
}

dt_status dt_ste_check(const dt_fakequant_conf *c, dt_error *err)
{
    static const char *const names[] = { "own",  "plain",   "clipped",   "ewgs",
                                         "tanh", "sigmoid", "stochastic" };
    static const double least
        [] = { [DT_STE_TANH] = 0.001, [DT_STE_SIGMOID] = 0.01, [DT_STE_STOCHASTIC] = 0 },
   most[] = {
       [DT_STE_EWGS] = 32, [DT_STE_TANH] = 0.999, [DT_STE_SIGMOID] = 32, [DT_STE_STOCHASTIC] = 0
   };
    const real params[DT_QUANT_MAX_PARAMS] = { 0 }, stats[DT_QUANT_MAX_STATS] = { 0 };
    const dt_ste *ste = &c->ste;
    dt_encode e = { .scale = 1 };
    if (ste->kind < DT_STE_EWGS) return DT_OK;
    c->quantizer->plan(c->options, &c->site, params, stats, &e);
    if (e.thresholds)
        return dt_fail(err, DT_ERR_UNSUPPORTED, NULL,
                       "ste %s needs a step that rounds; '%s' looks levels up here",
                       names[ste->kind], c->quantizer->row.name);
    if (ste->strength == 0 ||
        (ste->strength >= least[ste->kind] && ste->strength <= most[ste->kind]))
        return DT_OK;
    return dt_fail(err, DT_ERR_RANGE, NULL, "ste_strength %g is outside %g..%g, those of %s",
                   ste->strength, least[ste->kind], most[ste->kind], names[ste->kind]);
}

void dt_fakequant_encode(const dt_fakequant_conf *c, const dt_quant_site *site, const real *params,
                         const real *stats, dt_encode *out)
{
    *out = (dt_encode){ .scale = 1 };
    c->quantizer->plan(c->options, site, params, stats, out);
    if (c->ste.kind != DT_STE_OWN) shape_gradient(&c->ste, dt_ste_strength(&c->ste), out);
}

/* Saved: statistics, then the transformed tensor. */
static size_t stats_bytes(const dt_fakequant_conf *c)
{
    return dt_aligned((size_t)c->site.groups * (size_t)c->quantizer->stat_count * sizeof(real));
}

/* Work of backward: the kernel's sums, then with a transform the gradients of its output and of its
 * input (which may have to be added to others). */
static size_t sums_bytes(const dt_quant_site *site)
{
    return dt_aligned(dt_encode_work(site->count));
}

static size_t tensor_bytes(const dt_quant_site *site)
{
    return dt_aligned((size_t)(site->count * site->groups) * sizeof(real));
}

static void memory(const dt_op_run *r, dt_op_memory *out)
{
    const dt_fakequant_conf *c = r->conf;
    dt_quant_site site = site_of(r);
    size_t tensor = dt_quant_transforms(c->quantizer, &site) ? tensor_bytes(&site) : 0;
    out->saved = stats_bytes(c) + tensor;
    out->backward_work = sums_bytes(&site) + 2 * tensor;
}

static const real *stats_of(const dt_op_run *r, const dt_fakequant_conf *c, int64_t group)
{
    if (!c->quantizer->stat_count || !dt_quant_transforms(c->quantizer, &c->site)) return NULL;
    return (const real *)r->saved + group * c->quantizer->stat_count;
}

void dt_fakequant_plan(const dt_fakequant_conf *c, const dt_quant_site *site, void *const *param,
                       const real *stats, int64_t group, real *params, dt_encode *e)
{
    for (int i = 0; i < c->quantizer->param_count; i++)
        params[i] = ((const real *)param[i])[group];
    dt_fakequant_encode(c, site, params, stats, e);
}

real dt_fakequant_codes(const dt_grid *grid, int64_t n, const real *w, int8_t *to, bool *lost)
{
    const real scale = (real)grid->scale, least = (real)grid->qmin, most = (real)grid->qmax;
    bool bad = false;
    for (int64_t i = 0; i < n; i++) {
        real code = rint(w[i] / scale);
        bool is = code >= least && code <= most;
        bad = bad || !is;
        to[i] = (int8_t)(is ? code : 0);
    }
    if (bad) *lost = true;
    return bad ? (real)NAN : scale;
}

static void plan_group(const dt_op_run *r, const dt_quant_site *site, int64_t group, real *params,
                       dt_encode *e)
{
    const dt_fakequant_conf *c = r->conf;
    dt_fakequant_plan(c, site, r->in + 1, stats_of(r, c, group), group, params, e);
    if (!c->strength_in) return;
    const real *strength = r->in[1 + c->quantizer->param_count];
    shape_gradient(&c->ste, (double)strength[0], e);
}

void dt_fakequant_param_grads(const dt_fakequant_conf *c, const dt_quant_site *site,
                              const real *params, const dt_encode *e, const dt_encode_sums *sums,
                              int64_t group, real *const *d_param)
{
    const dt_quantizer *q = c->quantizer;
    real grads[DT_QUANT_MAX_PARAMS] = { 0 };
    if (q->param_grad) q->param_grad(c->options, site, params, e, sums, grads);
    for (int i = 0; i < q->param_count; i++)
        if (d_param[i]) d_param[i][group] = grads[i];
}

/* Gradient tests: the distance between y and what it would be without any rounding is kept, in
 * steps, and played back as a constant. */
static void replay(const dt_op_run *r, const dt_quant_site *site, int64_t group, const real *params,
                   const dt_encode *e, const real *x, real *residual, real *y)
{
    const dt_fakequant_conf *c = r->conf;
    dt_encode smooth = *e;
    real low, high;
    if (c->quantizer->plan_unrounded)
        c->quantizer->plan_unrounded(c->options, site, params, stats_of(r, c, group), &smooth);
    dt_encode_bounds(e, &low, &high);
    for (int64_t i = 0; i < site->count; i++) {
        real u = (x[i] - e->offset) / e->scale;
        real inside = (x[i] - smooth.offset) / smooth.scale;
        real v = e->plain ? inside : u <= low ? e->qmin : u >= high ? e->qmax : inside;
        if (r->replay == DT_REPLAY_RECORD)
            residual[i] = (y[i] - smooth.offset) / smooth.scale - v;
        else
            y[i] = (v + residual[i]) * smooth.scale + smooth.offset;
    }
}

/* Gradient tests hold what rounding to nearest left constant. */
static bool rounds_at_random(const dt_op_run *r)
{
    const dt_fakequant_conf *c = r->conf;
    return c->ste.kind == DT_STE_STOCHASTIC && r->mode == DT_MODE_TRAIN && !r->replay;
}

static void forward(const dt_op_run *r)
{
    const dt_fakequant_conf *c = r->conf;
    dt_quant_site site = site_of(r);
    const real *x = r->in[0];
    real *y = r->out[0], params[DT_QUANT_MAX_PARAMS];
    if (dt_quant_transforms(c->quantizer, &site)) {
        real *t = (real *)(void *)((unsigned char *)r->saved + stats_bytes(c));
        c->quantizer->transform(c->options, &site, x, t, r->saved);
        x = t;
    }
    for (int64_t group = 0; group < site.groups; group++) {
        dt_encode e;
        plan_group(r, &site, group, params, &e);
        int64_t at = group * site.count;
        if (rounds_at_random(r))
            dt_stochastic_encode(r, &e, at, site.count, x + at, y + at);
        else if (r->replay != DT_REPLAY_PLAY)
            r->kernels->point.encode(r->threads, site.count, x + at, &e, y + at);
        if (r->replay) replay(r, &site, group, params, &e, x + at, r->residual + at, y + at);
    }
}

/* From the gradient of the transform's output t to that of its input. */
static void back_transform(const dt_op_run *r, const dt_quant_site *site, const real *t,
                           const real *d_t)
{
    const dt_fakequant_conf *c = r->conf;
    unsigned char *scratch = (unsigned char *)r->work + sums_bytes(site) + tensor_bytes(site);
    real *dx = r->add[0] ? (real *)(void *)scratch : r->d_in[0];
    c->quantizer->transform_back(c->options, site, r->in[0], t, r->saved, d_t, dx);
    if (r->add[0])
        r->kernels->point.add(r->threads, site->count * site->groups, r->d_in[0], dx, r->d_in[0]);
}

static void backward(const dt_op_run *r)
{
    const dt_fakequant_conf *c = r->conf;
    const dt_quantizer *q = c->quantizer;
    dt_quant_site site = site_of(r);
    const real *x = r->in[0];
    real *dx = r->d_in[0], params[DT_QUANT_MAX_PARAMS];
    bool sum = r->add[0];
    bool transforms = dt_quant_transforms(q, &site);
    if (transforms) { /* the encoder's gradient goes to scratch, then through the transform */
        x = (const real *)(const void *)((unsigned char *)r->saved + stats_bytes(c));
        dx = (real *)(void *)((unsigned char *)r->work + sums_bytes(&site));
        sum = false;
    }
    for (int64_t group = 0; group < site.groups; group++) {
        dt_encode e;
        dt_encode_sums sums;
        plan_group(r, &site, group, params, &e);
        int64_t at = group * site.count;
        if (rounds_at_random(r))
            dt_stochastic_back(r, &e, at, site.count, x + at, r->d_out[0] + at, dx ? dx + at : NULL,
                               sum, r->work, &sums);
        else
            r->kernels->point.encode_back(r->threads, site.count, x + at, r->d_out[0] + at, &e,
                                          dx ? dx + at : NULL, sum, r->work, &sums);
        dt_fakequant_param_grads(c, &site, params, &e, &sums, group, r->d_in + 1);
    }
    if (transforms && r->d_in[0]) back_transform(r, &site, x, dx);
}

const dt_op dt_op_fakequant = {
    .name = "fakequant",
    .in_min = 1,
    .in_max = 2 + DT_QUANT_MAX_PARAMS,
    .out_count = 1,
    .conf_size = sizeof(dt_fakequant_conf),
    .grads = ~0u,
    .reads_in = ~0u,
    .accumulates = 1,
    .grad_inplace = true,
    .sign = DT_SIGN_KEEP,
    .grad_kind = DT_GRAD_STE,
    .quantizes = true,
    .infer = infer,
    .memory = memory,
    .forward = forward,
    .backward = backward,
};
