/* Least mean square error: a grid of candidates, then golden section. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "fakequant/range.h"

static dt_status fit(const dt_range_call *c, double *out_scale, double *out_offset, dt_error *err)
{
    (void)err;
    if (c->offset) {
        dt_range_least_error_ends(c, 2, true, out_scale, out_offset);
        return DT_OK;
    }
    *out_scale = dt_range_least_error(c->n, c->x, c->qmin, c->qmax, 2, true);
    *out_offset = 0;
    return DT_OK;
}

const dt_range dt_range_row_mse = {
    .row = { .name = "mse", .help = "least square error: grid, then golden section" },
    .fit = fit,
};
