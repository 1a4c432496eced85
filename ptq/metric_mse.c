/* The squared change of the weight itself; needs no pictures. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "ptq/metric.h"

static dt_status fill(dt_ptq_sense *s, dt_error *err)
{
    s->total = s->mixed->count;
    for (int i = 0; i < s->mixed->count; i++) {
        DT_TRY(dt_ptq_sense_tell(s, s->mixed->layer[i].name, err));
        DT_TRY(dt_ptq_sense_changes(s, i, err));
        for (int k = 0; k < s->mixed->widths; k++)
            for (int64_t j = 0; j < s->weight[i].count; j++)
                s->mixed->layer[i].damage[k] += (double)s->change[k][j] * (double)s->change[k][j];
    }
    return DT_OK;
}

const dt_ptq_metric dt_ptq_metric_mse = {
    .row = { .name = "mse", .help = "squared change of the weight" },
    .fill = fill,
};
