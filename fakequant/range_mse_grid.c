/* Least mean square error of 100 candidates up to the largest value (Nagel 2022,
 * arXiv:2203.11086, code). */
/* SPDX-License-Identifier: Apache-2.0 */
#include "fakequant/range.h"

static dt_status fit(const dt_range_call *c, double *out_scale, double *out_offset, dt_error *err)
{
    (void)err;
    if (c->offset) {
        dt_range_least_error_ends(c, 2, false, out_scale, out_offset);
        return DT_OK;
    }
    *out_scale = dt_range_least_error(c->n, c->x, c->qmin, c->qmax, 2, false);
    *out_offset = 0;
    return DT_OK;
}

const dt_range dt_range_row_mse_grid = {
    .row = { .name = "mse_grid", .help = "least square error of 100 candidates" },
    .fit = fit,
};
