/* Holding learned ranges. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "fakequant/floor.h"

#include <math.h>
#include <string.h>

static double floor_of(double first)
{
    return fmax(first * DT_FLOOR_FIRST, DT_FLOOR_LEAST);
}

static bool all_finite(const dt_quantizer *q, const real *params)
{
    for (int i = 0; i < q->param_count; i++)
        if (!isfinite(params[i])) return false;
    return true;
}

dt_held dt_floor_hold(const dt_fakequant_conf *c, const real *before, real *params)
{
    const dt_quantizer *q = c->quantizer;
    double was, now, first;
    size_t bytes = (size_t)q->param_count * sizeof *params;
    if (!q->range || !all_finite(q, params) || memcmp(before, params, bytes) == 0)
        return DT_HELD_NOT;
    q->range(c->options, &c->site, before, &was, &first);
    q->range(c->options, &c->site, params, &now, &first);
    double half = was * DT_FLOOR_STEP, least = fmax(half, fmin(floor_of(first), was));
    if (now >= least || !(was > 0)) return DT_HELD_NOT;
    q->resize(c->options, &c->site, before, least / was, params);
    return least > half ? DT_HELD_FLOOR : DT_HELD_STEP;
}

bool dt_floor_is_at(const dt_fakequant_conf *c, const real *params)
{
    const double roundings = 1 + 1e-5; /* of logarithms */
    double size, first;
    if (!c->quantizer->range) return false;
    c->quantizer->range(c->options, &c->site, params, &size, &first);
    return size <= floor_of(first) * roundings;
}

bool dt_floor_usable(const dt_fakequant_conf *c, const real *params, double *out_size)
{
    const dt_quantizer *q = c->quantizer;
    double first;
    *out_size = 1;
    if (!q->range) return true;
    q->range(c->options, &c->site, params, out_size, &first);
    return all_finite(q, params) && isfinite(*out_size) && *out_size >= DT_FLOOR_LEAST;
}
