/* From one border of the net to the next: residual and transformer blocks, the stem, the head. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "ptq/units.h"

static dt_status cut(dt_ptq *q, dt_ptq_units *to, dt_error *err)
{
    int i = 0;
    for (; i + 1 < q->border_count; i++)
        DT_TRY(dt_ptq_add_unit(q, to, q->border[i], q->border[i + 1], err));
    return dt_ptq_add_ends(q, to, q->border[i], err);
}

const dt_ptq_cutter dt_ptq_unit_block = {
    .row = { .name = "block", .help = "between values through which all goes" },
    .cut = cut,
};
