/* Two blocks at a time, after the stem (MRECG, Ma 2023, arXiv:2303.11906, joins neighbours). */
/* SPDX-License-Identifier: Apache-2.0 */
#include "ptq/units.h"

static dt_status cut(dt_ptq *q, dt_ptq_units *to, dt_error *err)
{
    for (int i = 0; i < q->border_count;) {
        int next = i ? i + 2 : 1;
        if (next >= q->border_count) return dt_ptq_add_ends(q, to, q->border[i], err);
        DT_TRY(dt_ptq_add_unit(q, to, q->border[i], q->border[next], err));
        i = next;
    }
    return DT_OK;
}

const dt_ptq_cutter dt_ptq_unit_joint = {
    .row = { .name = "joint", .help = "two blocks at a time" },
    .cut = cut,
};
