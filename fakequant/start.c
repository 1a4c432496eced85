/* Starting quantizers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "fakequant/start.h"

#include "core/alloc.h"
#include "core/compiler.h"

static dt_status start_groups(const dt_fakequant_conf *c, const dt_quant_site *site, const real *x,
                              real *const *param, dt_error *err)
{
    const dt_quantizer *q = c->quantizer;
    for (int64_t group = 0; q->init && group < site->groups; group++) {
        real p[DT_QUANT_MAX_PARAMS] = { 0 };
        DT_TRY(q->init(c->options, site, x + group * site->count, p, err));
        for (int i = 0; i < q->param_count; i++)
            param[i][group] = p[i];
    }
    return DT_OK;
}

dt_status dt_quant_start(const dt_fakequant_conf *c, const dt_quant_site *site, const real *x,
                         real *const *param, dt_error *err)
{
    const dt_quantizer *q = c->quantizer;
    if (!dt_quant_transforms(q, site)) return start_groups(c, site, x, param, err);
    /* With a transform, the initialiser sees transformed values. */
    size_t n = (size_t)(site->count * site->groups), stats = (size_t)(site->groups * q->stat_count);
    real *t = dt_get_array(NULL, n, sizeof *t, "calibration");
    real *stat = dt_get_array(NULL, stats, sizeof *stat, "calibration");
    dt_status st = DT_ERR_NOMEM;
    if (t && stat) {
        q->transform(c->options, site, x, t, stat);
        st = start_groups(c, site, t, param, err);
    } else {
        dt_fail(err, st, NULL, "no memory");
    }
    dt_put(NULL, stat);
    dt_put(NULL, t);
    return st;
}
