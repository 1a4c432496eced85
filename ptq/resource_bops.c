/* Bit operations: multiply-accumulates times bits of both operands. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "ptq/sensitivity.h"

static int64_t cost(const dt_ptq_mixed_layer *l, int bits)
{
    return l->macs * bits * l->x_bits;
}

const dt_ptq_resource dt_ptq_resource_bops = {
    .row = { .name = "bops", .help = "multiply-accumulates times bits of weight and input" },
    .cost = cost,
    .unit = "bit operations",
    .per_unit = 1,
};
