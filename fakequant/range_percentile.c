/* Ends that a share of the values lies below (upper) and above (lower), from a sorted even sample
 * of at most 65536 values. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "fakequant/range.h"

#include <math.h>
#include <stdlib.h>

#include "core/alloc.h"

enum { SAMPLE = 65536 };

/* nan sorts last, so that it shows in the result. */
static int ascending(const void *a, const void *b)
{
    real x = *(const real *)a, y = *(const real *)b;
    if (isnan(x) || isnan(y)) return isnan(x) - isnan(y);
    return (x > y) - (x < y);
}

static dt_status fit(const dt_range_call *c, double *out_scale, double *out_offset, dt_error *err)
{
    int64_t stride = (c->n + SAMPLE - 1) / SAMPLE, m = (c->n + stride - 1) / stride;
    real *x = dt_get_array(NULL, (size_t)m, sizeof *x, "percentile");
    if (!x) return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory");
    for (int64_t i = 0; i < m; i++) { /* a place by hash, as for the least error */
        uint32_t hash = (uint32_t)(i + 1) * 2654435769u;
        int64_t at = i * stride + (int64_t)((uint64_t)hash * (uint64_t)stride >> 32);
        x[i] = c->x[at < c->n ? at : i * stride];
    }
    qsort(x, (size_t)m, sizeof *x, ascending);
    int64_t cut = (int64_t)rint((double)(m - 1) * (1 - c->conf->percentile));
    double low = (double)x[cut], high = (double)x[m - 1 - cut];
    dt_put(NULL, x);
    dt_range_from_ends(c, low, high, out_scale, out_offset);
    return DT_OK;
}

const dt_range dt_range_row_percentile = {
    .row = { .name = "percentile", .help = "ends without the outermost values" },
    .fit = fit,
};
