/* Bits of weights; a budget is their mean. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "ptq/sensitivity.h"

static int64_t cost(const dt_ptq_mixed_layer *l, int bits)
{
    return l->weights * bits;
}

const dt_ptq_resource dt_ptq_resource_bits = {
    .row = { .name = "bits", .help = "mean bits of a weight" },
    .cost = cost,
    .unit = "bits a weight",
};
