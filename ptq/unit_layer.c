/* A product with its norm and activation function. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "ptq/units.h"

static dt_status cut(dt_ptq *q, dt_ptq_units *to, dt_error *err)
{
    for (int i = 0; i < q->g->node_count; i++) {
        const dt_node *node = &q->g->node[i];
        const dt_op_product *of = node->op->product;
        if (!q->needed[i] || !of) continue;
        int in = dt_ptq_unquantized(q->g, node->in[of->x]);
        DT_TRY(dt_ptq_add_unit(q, to, in, dt_ptq_end_of(q, node), err));
    }
    return DT_OK;
}

const dt_ptq_cutter dt_ptq_unit_layer = {
    .row = { .name = "layer", .help = "one convolution or linear layer" },
    .cut = cut,
};
