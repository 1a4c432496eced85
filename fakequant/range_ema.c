/* Smallest and largest value of each sample of the batch, averaged with exponentially falling
 * weights: e += momentum (sample's end - e), from the first sample on. A weight is one sample. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "fakequant/range.h"

static dt_status fit(const dt_range_call *c, double *out_scale, double *out_offset, dt_error *err)
{
    (void)err;
    double low = 0, high = 0;
    for (int64_t at = 0; at < c->n; at += c->sample) {
        double a, b, m = at ? c->conf->momentum : 1;
        dt_range_ends(c->sample, c->x + at, &a, &b);
        low += m * (a - low);
        high += m * (b - high);
    }
    dt_range_from_ends(c, low, high, out_scale, out_offset);
    return DT_OK;
}

const dt_range dt_range_row_ema = {
    .row = { .name = "ema", .help = "averaged ends of the samples of the first batch" },
    .fit = fit,
};
