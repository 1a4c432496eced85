/* From one border of the net to the next: residual and transformer blocks, the stem, the head. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "ptq/units.h"

static dt_status cut(dt_ptq *q, dt_ptq_units *to, dt_error *err)
{
    for (int i = 0; i < q->border_count; i++) {
        int out = i + 1 < q->border_count ? q->border[i + 1] : dt_ptq_last(q);
        DT_TRY(dt_ptq_add_unit(q, to, q->border[i], out, err));
    }
    return DT_OK;
}

const dt_ptq_cutter dt_ptq_unit_block = {
    .row = { .name = "block", .help = "between values through which all goes" },
    .cut = cut,
};
