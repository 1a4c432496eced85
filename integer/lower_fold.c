/* Codes, scales and biases. With f = gamma / sqrt(var + eps), y = f (w x) + (beta + (b - mean) f):
 *
 *   scale[o] = fl32(s_w / gain |f[o]|), code = gain q, negated where f < 0
 *   bias_scale[o] = fl32(s_x * scale[o]),  bias_code = rne(bias / bias_scale)
 *
 * q are the trained codes: they are never rounded again. Where training folded the norm, q are
 * those of f w already: dividing by f and multiplying again leaves their sign. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/op_batchnorm.h"
#include "autograd/op_fakequant.h"
#include "autograd/query.h"
#include "fakequant/quantizers.h"
#include "integer/lower.h"

enum {
    MAX_BIAS = 1 << 30, /* leaves as much room for the sum of products */
    NARROW_CODE = 64,   /* see dt_lower_fold */
};

static dt_status refuse(const dt_node *site, const char *why, dt_error *err)
{
    const dt_fakequant_conf *c = site->conf;
    return dt_fail(err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = site->name }, "quantizer '%s' %s",
                   c->quantizer->row.name, why);
}

static dt_status refuse_options(const dt_node *site, dt_error *err)
{
    char why[96];
    const dt_fakequant_conf *c = site->conf;
    const char *wants = c->quantizer->grid_wants;
    snprintf(why, sizeof why, "has no integer codes with these options%s%s",
             wants ? "; it has with " : "", wants ? wants : "");
    return refuse(site, why, err);
}

static dt_status no_memory(dt_error *err)
{
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory to lower the model");
}

static void group_params(const dt_lower_source *src, const dt_node *site, int64_t group,
                         real *params)
{
    for (int i = 1; i <= dt_query_params(site); i++)
        params[i - 1] = src->state->data[site->in[i]][group];
}

/* Do the codes that the kernels give mean what the grid says? An offset that is no whole number of
 * steps does not fit any zero point. */
static bool grid_holds(const dt_fakequant_conf *c, const real *params, const dt_grid *g)
{
    dt_encode e = { .scale = 1 };
    c->quantizer->plan(c->options, &c->site, params, NULL, &e);
    double s = g->scale, low = (double)e.qmin * (double)e.scale + (double)e.offset;
    double high = (double)e.qmax * (double)e.scale + (double)e.offset;
    return fabs(low - s * (g->qmin - g->zero_point)) <= 1e-3 * s &&
           fabs(high - s * (g->qmax - g->zero_point)) <= 1e-3 * s;
}

void dt_lower_cap(dt_lower_grid *g, double high)
{
    float top = rintf((float)high / g->scale);
    if (top < (float)(g->high - g->zero_point)) g->high = g->zero_point + (int)top;
}

void dt_lower_raise(dt_lower_grid *g, double low)
{
    float bottom = rintf((float)low / g->scale);
    if (bottom > (float)(g->low - g->zero_point)) g->low = g->zero_point + (int)bottom;
}

/* What bounds the value, one limit behind another, bounds its codes. That a code is not below 0
 * stays an operator of its own, a ReLU, which runtimes know. */
static void set_limits(const dt_graph *g, int value, dt_lower_grid *out)
{
    const dt_node *node = dt_query_maker(g, value);
    double low, high;
    if (!node || !node->op->limits) return;
    node->op->limits(node->conf, &low, &high);
    if (!isinf(high)) dt_lower_cap(out, high);
    if (!isinf(low) && low != 0) dt_lower_raise(out, low);
    set_limits(g, node->in[0], out);
}

dt_status dt_lower_activation(const dt_lower_source *src, const dt_node *site,
                              dt_lower_grid *out_grid, dt_error *err)
{
    const dt_fakequant_conf *c = site->conf;
    real params[DT_QUANT_MAX_PARAMS];
    dt_grid g = { 0 };
    if (!c->quantizer->grid) return refuse(site, "has no integer codes", err);
    if (dt_quant_transforms(c->quantizer, &c->site) || c->site.groups != 1)
        return refuse(site, "has no fixed scale for the whole tensor", err);
    group_params(src, site, 0, params);
    if (!c->quantizer->grid(c->options, &c->site, params, NULL, &g))
        return refuse_options(site, err);
    if (g.level)
        return refuse(site, "has uneven steps, which no byte format has; use lsq for activations",
                      err);
    int shift = g.qmin < 0 ? 128 : 0;
    dt_lower_grid out = { .scale = (float)g.scale,
                          .zero_point = g.zero_point + shift,
                          .low = g.qmin + shift,
                          .high = g.qmax + shift };
    if (out.low < 0 || out.high > 255 || out.zero_point < 0 || out.zero_point > 255)
        return refuse(site, "has codes that do not fit 8 bits", err);
    if (!(out.scale >= FLT_MIN) || !isfinite(out.scale))
        return dt_fail(err, DT_ERR_NUMERIC, &(dt_where){ .key = site->name },
                       "scale %g is no positive number", g.scale);
    if (!grid_holds(c, params, &g))
        return refuse(site, "has an offset that is no whole number of steps", err);
    set_limits(src->graph, site->in[0], &out);
    *out_grid = out;
    return DT_OK;
}

/* Largest |code| that the grid allows. */
static int grid_reach(const dt_grid *g)
{
    int low = g->level ? g->level[0] : g->qmin - g->zero_point;
    int high = g->level ? g->level[g->levels - 1] : g->qmax - g->zero_point;
    return abs(low) > abs(high) ? abs(low) : abs(high);
}

/* Codes of one group from the quantizer's own values, which are on its grid. */
static dt_status group_codes(const dt_node *node, const dt_quant_site *site, const real *params,
                             const real *stats, const real *x, real *y, int16_t *code,
                             dt_grid *out_grid, dt_error *err)
{
    const dt_fakequant_conf *c = node->conf;
    dt_encode e;
    dt_fakequant_encode(c, site, params, stats, &e);
    if (!c->quantizer->grid(c->options, site, params, stats, out_grid))
        return refuse_options(node, err);
    double s = out_grid->scale;
    if (!(s >= (double)FLT_MIN) || !isfinite(s))
        return dt_fail(err, DT_ERR_NUMERIC, &(dt_where){ .key = node->name },
                       "scale %g is no positive number", s);
    dt_quantizer_apply(&e, site->count, x, y);
    for (int64_t i = 0; i < site->count; i++) {
        double k = rint((double)y[i] / s);
        if (!(fabs((double)y[i] - k * s) <= 1e-3 * s))
            return refuse(node, "has values off its grid, or not finite", err);
        if (k < -128 || k > 127) return refuse(node, "has codes that do not fit 8 bits", err);
        code[i] = (int16_t)k;
    }
    return DT_OK;
}

/* Weights that were quantized times a factor are divided by it: of their sign there is a note only,
 * since another factor may turn it back. */
static void unfold(dt_lower_product *p, const double *factor, float *scale)
{
    for (int64_t o = 0; o < p->O; o++) {
        if (factor[o] != 1) scale[o] = (float)((double)scale[o] / fabs(factor[o]));
        p->negated[o] = factor[o] < 0;
    }
}

/* Trained codes [O][K] in the engine's layout, the scale of every output, and whether its weights
 * are the codes times -1. */
static dt_status weight_codes(const dt_lower_source *src, const dt_node *node, dt_arena *arena,
                              dt_lower_product *p, int16_t *code, float *scale, int *out_reach,
                              dt_error *err)
{
    const dt_fakequant_conf *c = node->conf;
    const dt_quantizer *q = c->quantizer;
    if (!q->grid) return refuse(node, "has no integer codes", err);
    dt_quant_site site = dt_fakequant_site(c, &src->graph->value[node->in[0]].shape);
    if (p->O % site.groups)
        return refuse(node, "has several scales in an output channel, no integer sum has", err);
    size_t n = (size_t)(p->O * p->K);
    double *factor = dt_arena_get(arena, (size_t)p->O * sizeof *factor);
    real *room = dt_arena_get(arena, n * sizeof *room);
    real *y = dt_arena_get(arena, n * sizeof *y), *t = y;
    real *stats = dt_arena_get(arena, (size_t)(site.groups * q->stat_count + 1) * sizeof *stats);
    if (q->transform) t = dt_arena_get(arena, n * sizeof *t);
    if (!y || !t || !stats || !room || !factor) return no_memory(err);
    const real *x = dt_lower_values(src->graph, src->state, node, room, factor);
    if (q->transform) {
        q->transform(c->options, &site, x, t, stats);
        x = t;
    }
    for (int64_t group = 0; group < site.groups; group++) {
        real params[DT_QUANT_MAX_PARAMS];
        dt_grid grid;
        int64_t at = group * site.count;
        group_params(src, node, group, params);
        DT_TRY(group_codes(node, &site, params, stats + group * q->stat_count, x + at, y + at,
                           code + at, &grid, err));
        if (grid_reach(&grid) > *out_reach) *out_reach = grid_reach(&grid);
        for (int64_t o = 0; o < p->O / site.groups; o++)
            scale[group * (p->O / site.groups) + o] = (float)grid.scale;
    }
    unfold(p, factor, scale);
    return DT_OK;
}

/* Makes codes as large as their byte allows. */
static void apply_gain(dt_lower_product *p, int reach, bool integer_bias, int16_t *code)
{
    p->wide = reach > NARROW_CODE;
    p->gain = 1;
    while (integer_bias && reach > 0 && 2 * p->gain * reach <= NARROW_CODE)
        p->gain *= 2;
    for (int64_t i = 0; i < p->O * p->K; i++)
        code[i] = (int16_t)(code[i] * p->gain);
    for (int64_t o = 0; o < p->O; o++)
        p->scale[o] /= (float)p->gain;
}

/* y = factor * (w x) + shift. */
static bool factors(const dt_lower_source *src, const dt_node *product, const dt_node *norm,
                    int64_t O, double *factor, double *shift)
{
    real *const *data = src->state->data;
    int b = dt_query_bias(product);
    const real *bias = b >= 0 ? data[b] : NULL;
    for (int64_t o = 0; o < O; o++) {
        factor[o] = 1;
        shift[o] = bias ? (double)bias[o] : 0;
        if (!norm) continue;
        const dt_batchnorm_conf *c = norm->conf;
        factor[o] = (double)data[norm->in[DT_BN_GAMMA]][o] /
                    sqrt((double)data[norm->in[DT_BN_VAR]][o] + c->eps);
        shift[o] = (double)data[norm->in[DT_BN_BETA]][o] +
                   (shift[o] - (double)data[norm->in[DT_BN_MEAN]][o]) * factor[o];
    }
    return norm || bias;
}

/* Folds |factor| into the scale of one output and makes its integer bias. A scale too small to hold
 * the bias (gamma near 0) is raised, and the weights, which are nothing beside that bias, go. */
static void fold_channel(const dt_lower_grid *x, double factor, double shift, int64_t K,
                         int16_t *code, float *scale, float *out_bias_scale, int32_t *out_bias)
{
    double sx = x ? (double)x->scale : 1;
    float s = (float)((double)*scale * fabs(factor));
    float unit = (float)((float)sx * s);
    bool fits = s >= FLT_MIN && (!x || (unit >= FLT_MIN && fabs(shift / (double)unit) < MAX_BIAS));
    if (!fits) {
        memset(code, 0, (size_t)K * sizeof *code);
        double want = fmax(fabs(shift) / (MAX_BIAS / 2), 1e-30);
        s = fmaxf((float)(want / sx), 1e-30f);
        unit = (float)((float)sx * s);
    }
    *scale = s;
    *out_bias_scale = unit;
    *out_bias = (int32_t)rint(shift / (double)unit);
}

/* Bias and scale are numbers, or there is no integer for them. */
static dt_status check_channel(const dt_node *product, int64_t o, double factor, double shift,
                               dt_error *err)
{
    if (isfinite(factor) && isfinite(shift)) return DT_OK;
    return dt_fail(err, DT_ERR_NUMERIC, &(dt_where){ .key = product->name },
                   "channel %lld has the factor %g and the bias %g, which are no numbers",
                   (long long)o, factor, shift);
}

/* Turns the sign of a channel's codes. */
static dt_status negate(const dt_node *product, const dt_node *norm, int64_t o, int64_t K,
                        int16_t *code, dt_error *err)
{
    for (int64_t i = 0; i < K; i++) {
        code[i] = (int16_t)-code[i];
        if (code[i] > 127)
            return dt_fail(err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = product->name },
                           "channel %lld of '%s' has a negative scale, and code -128 has no "
                           "positive partner; quantize its weights with narrow: yes",
                           (long long)o, norm ? norm->name : product->name);
    }
    return DT_OK;
}

static dt_status fold_codes(const dt_lower_source *src, const dt_node *product, const dt_node *norm,
                            const dt_node *site, const dt_lower_grid *x, const double *factor,
                            const double *shift, dt_arena *arena, dt_lower_product *p,
                            dt_error *err)
{
    size_t n = (size_t)(p->O * p->K), O = (size_t)p->O;
    int16_t *plain = dt_arena_get(arena, n * sizeof *plain); /* 128 may come and is refused */
    p->code = dt_arena_get(arena, n * sizeof *p->code);
    p->negated = dt_arena_get(arena, O * sizeof *p->negated);
    p->scale = dt_arena_get(arena, O * sizeof *p->scale);
    p->bias_scale = dt_arena_get(arena, O * sizeof *p->bias_scale);
    p->bias_code = dt_arena_get(arena, O * sizeof *p->bias_code);
    if (!plain || !p->code || !p->negated || !p->scale || !p->bias_scale || !p->bias_code)
        return no_memory(err);
    int reach = 0;
    DT_TRY(weight_codes(src, site, arena, p, plain, p->scale, &reach, err));
    apply_gain(p, reach, x != NULL && !src->no_gain, plain);
    const dt_fakequant_conf *c = site->conf;
    p->bits = c->site.bits;
    p->scales = norm || c->site.groups > 1 ? p->O : 1;
    for (int64_t o = 0; o < p->O; o++) {
        p->negated[o] = p->negated[o] != (factor[o] < 0);
        DT_TRY(check_channel(product, o, factor[o], shift[o], err));
        fold_channel(x, factor[o], shift[o], p->K, plain + o * p->K, &p->scale[o],
                     &p->bias_scale[o], &p->bias_code[o]);
        if (!isfinite(p->scale[o]) || !isfinite(p->bias_scale[o]))
            return dt_fail(err, DT_ERR_NUMERIC, &(dt_where){ .key = product->name },
                           "scale of channel %lld is beyond float32", (long long)o);
        if (p->scale[o] != p->scale[0]) p->scales = p->O;
        if (p->negated[o]) DT_TRY(negate(product, norm, o, p->K, plain + o * p->K, err));
    }
    for (size_t i = 0; i < n; i++)
        p->code[i] = (int8_t)plain[i];
    if (!x) p->bias_code = NULL;
    return DT_OK;
}

static dt_status fold_float(const dt_lower_source *src, const dt_node *product,
                            const double *factor, dt_arena *arena, dt_lower_product *p,
                            dt_error *err)
{
    const real *data = src->state->data[product->in[1]];
    size_t n = (size_t)(p->O * p->K);
    p->weight = dt_arena_get(arena, n * sizeof *p->weight);
    if (!p->weight) return no_memory(err);
    for (size_t i = 0; i < n; i++)
        p->weight[i] = (float)((double)data[i] * factor[i / (size_t)p->K]);
    return DT_OK;
}

dt_status dt_lower_fold(const dt_lower_source *src, const dt_node *product, const dt_node *norm,
                        const dt_lower_grid *x, dt_arena *arena, dt_lower_product *out,
                        dt_error *err)
{
    const dt_shape *w = &src->graph->value[product->in[1]].shape;
    const dt_node *site = dt_query_site(src->graph, product->in[1]);
    dt_lower_product p = { .shape = *w, .O = w->dim[0], .quantized = site != NULL };
    p.K = dt_shape_count(w) / p.O;
    double *factor = dt_arena_get(arena, (size_t)p.O * sizeof *factor);
    double *shift = dt_arena_get(arena, (size_t)p.O * sizeof *shift);
    p.bias = dt_arena_get(arena, (size_t)p.O * sizeof *p.bias);
    if (!factor || !shift || !p.bias) return no_memory(err);
    p.has_bias = factors(src, product, norm, p.O, factor, shift);
    for (int64_t o = 0; o < p.O; o++) {
        p.bias[o] = (float)shift[o];
        if (!isfinite(factor[o]) || !isfinite(shift[o]))
            return dt_fail(err, DT_ERR_NUMERIC, &(dt_where){ .key = product->name },
                           "norm or bias of channel %lld is not finite", (long long)o);
    }
    if (site)
        DT_TRY(fold_codes(src, product, norm, site, x, factor, shift, arena, &p, err));
    else
        DT_TRY(fold_float(src, product, factor, arena, &p, err));
    *out = p;
    return DT_OK;
}
