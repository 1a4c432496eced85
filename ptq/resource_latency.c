/* Time of a layer by its bits, from a table of measurements (ptq/latency.c). */
/* SPDX-License-Identifier: Apache-2.0 */
#include "ptq/sensitivity.h"

static int64_t cost(const dt_ptq_mixed_layer *l, int bits)
{
    return l->time_ns[bits];
}

const dt_ptq_resource dt_ptq_resource_latency = {
    .row = { .name = "latency", .help = "microseconds by a table of layers and bits" },
    .cost = cost,
    .unit = "microseconds",
    .per_unit = 1000,
    .wants_table = true,
};
