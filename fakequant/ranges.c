/* The table of range initialisers, and how quantizers ask it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "fakequant/range.h"

#define DT_RANGE(name) extern const dt_range dt_range_row_##name;
#include "fakequant/ranges.def"
#undef DT_RANGE

static const dt_row *const rows[] = {
#define DT_RANGE(name) &dt_range_row_##name.row,
#include "fakequant/ranges.def"
#undef DT_RANGE
    NULL,
};

const dt_table dt_ranges = { "range initialiser", rows };

const char dt_range_choices[] = "auto"
#define DT_RANGE(name) "|" #name
#include "fakequant/ranges.def"
#undef DT_RANGE
    ;

static const dt_range *range_of(const dt_row *row)
{
    return (const dt_range *)(const void *)row;
}

dt_status dt_range_check(const dt_range_conf *conf, bool offset, dt_error *err)
{
    if (conf->rule == 0 || !offset) return DT_OK;
    const dt_range *rule = range_of(rows[conf->rule - 1]);
    if (!rule->scale_only) return DT_OK;
    return dt_fail(err, DT_ERR_ARG, NULL,
                   "init %s knows no offset, which is learned here; take mse", rule->row.name);
}

static dt_status fit(const dt_range_call *call, const char *own, const dt_quant_site *site,
                     double *scale, double *offset, dt_error *err)
{
    if (site->has_range) {
        dt_range_from_ends(call, site->range_low, site->range_high, scale, offset);
        return DT_OK;
    }
    const dt_row *row = NULL;
    if (call->conf->rule)
        row = rows[call->conf->rule - 1];
    else
        DT_TRY(dt_table_get(&dt_ranges, own, NULL, &row, err));
    return range_of(row)->fit(call, scale, offset, err);
}

dt_status dt_range_start(const dt_range_call *call, const char *own, const dt_quant_site *site,
                         double *out_scale, double *out_offset, dt_error *err)
{
    double scale = 0, offset = 0, low, high;
    dt_range_call c = *call;
    c.n = site->count;
    c.sample = site->features;
    dt_range_ends(c.n, c.x, &low, &high);
    if (!isfinite(low) || !isfinite(high))
        return dt_fail(err, DT_ERR_NUMERIC, NULL, "values are not finite");
    DT_TRY(fit(&c, own, site, &scale, &offset, err));
    *out_scale = scale > 0 ? scale : 1; /* all equal: any scale is exact */
    *out_offset = call->offset ? offset : 0;
    return DT_OK;
}
