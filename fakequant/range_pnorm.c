/* Least sum of |error|^norm, 2.4 by default (Nahshan 2019, arXiv:1911.07190, as BRECQ uses it): a
 * grid of candidates, then golden section. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "fakequant/range.h"

static dt_status fit(const dt_range_call *c, double *out_scale, double *out_offset, dt_error *err)
{
    (void)err;
    if (c->offset) {
        dt_range_least_error_ends(c, c->conf->norm, true, out_scale, out_offset);
        return DT_OK;
    }
    *out_scale = dt_range_least_error(c->n, c->x, c->qmin, c->qmax, c->conf->norm, true);
    *out_offset = 0;
    return DT_OK;
}

const dt_range dt_range_row_pnorm = {
    .row = { .name = "pnorm", .help = "least sum of a power of the error" },
    .fit = fit,
};
