/* 2 mean|x| / sqrt(qmax) (Esser 2020, arXiv:1902.08153, section 2.1). */
/* SPDX-License-Identifier: Apache-2.0 */
#include "fakequant/range.h"

static dt_status fit(const dt_range_call *c, double *out_scale, double *out_offset, dt_error *err)
{
    (void)err;
    *out_scale = dt_range_lsq(c->n, c->x, c->qmax);
    *out_offset = 0;
    return DT_OK;
}

const dt_range dt_range_row_lsq = {
    .row = { .name = "lsq", .help = "2 mean|x| / sqrt(qmax), the rule of LSQ" },
    .fit = fit,
    .scale_only = true,
};
