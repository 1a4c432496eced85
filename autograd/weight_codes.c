/* Grids and codes for fused products. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/weight_codes.h"

#include <tgmath.h>

#include "core/thread.h"

enum { PIECE = 1 << 14 }; /* weights of a task, unless an output has more */

dt_grid dt_grid_of_group(const dt_fakequant_conf *c, const dt_shape *shape, void *const *param,
                         int64_t group)
{
    dt_quant_site site = dt_fakequant_site(c, shape);
    real params[DT_QUANT_MAX_PARAMS];
    dt_grid grid;
    for (int i = 0; i < c->quantizer->param_count; i++)
        params[i] = ((const real *)param[i])[group];
    c->quantizer->grid(c->options, &site, params, NULL, &grid);
    return grid;
}

static int64_t weights_of_output(const dt_weight_codes *k)
{
    return dt_shape_count(k->shape) / k->shape->dim[0];
}

static int64_t outputs_of_task(const dt_weight_codes *k)
{
    int64_t fit = PIECE / weights_of_output(k);
    return fit > 1 ? fit : 1;
}

static void codes_task(void *arg, int64_t task, int thread)
{
    (void)thread;
    const dt_weight_codes *k = arg;
    int64_t n = weights_of_output(k), each = outputs_of_task(k), O = k->shape->dim[0];
    int64_t first = task * each, end = O - first < each ? O : first + each;
    bool one = k->quantizer->site.groups <= 1, lost = false; /* the scale tells it too */
    dt_grid grid = dt_grid_of_group(k->quantizer, k->shape, k->param, one ? 0 : first);
    for (int64_t o = first; o < end; o++) {
        if (!one) grid = dt_grid_of_group(k->quantizer, k->shape, k->param, o);
        k->scale[o] = dt_fakequant_codes(&grid, n, k->w + o * n, k->code + o * n, &lost);
    }
}

void dt_weight_codes_make(const dt_weight_codes *k, int threads, bool *lost)
{
    dt_weight_codes job = *k;
    int64_t O = k->shape->dim[0], each = outputs_of_task(k);
    dt_parallel(threads, (O + each - 1) / each, codes_task, &job);
    for (int64_t o = 0; o < O; o++) {
        if (isnan(k->scale[o])) *lost = true;
        k->scale[o] *= k->scale_x;
    }
    for (int64_t lane = O; lane < k->lanes; lane++)
        k->scale[lane] = k->scale[lane - O];
}
