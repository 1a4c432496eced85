/* Bytes of weights at their bits. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "ptq/sensitivity.h"

static int64_t cost(const dt_ptq_mixed_layer *l, int bits)
{
    return (l->weights * bits + 7) / 8;
}

const dt_ptq_resource dt_ptq_resource_bytes = {
    .row = { .name = "bytes", .help = "bytes of weights at their bits" },
    .cost = cost,
    .unit = "bytes",
    .per_unit = 1,
};
