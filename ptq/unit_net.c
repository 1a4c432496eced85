/* The whole net. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "ptq/units.h"

static dt_status cut(dt_ptq *q, dt_ptq_units *to, dt_error *err)
{
    return dt_ptq_add_ends(q, to, q->start, err);
}

const dt_ptq_cutter dt_ptq_unit_net = {
    .row = { .name = "net", .help = "the whole net" },
    .cut = cut,
};
