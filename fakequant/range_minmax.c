/* Smallest and largest value. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "fakequant/range.h"

static dt_status fit(const dt_range_call *c, double *out_scale, double *out_offset, dt_error *err)
{
    (void)err;
    double low, high;
    dt_range_ends(c->n, c->x, &low, &high);
    dt_range_from_ends(c, low, high, out_scale, out_offset);
    return DT_OK;
}

const dt_range dt_range_row_minmax = {
    .row = { .name = "minmax", .help = "the smallest and the largest value" },
    .fit = fit,
};
