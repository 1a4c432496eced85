/* What is its input outside of training. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/onnx_walker.h"
#include "integer/builder.h"

static dt_status lower(dt_int_builder *b, const dt_node *n)
{
    b->state[n->out[0]] = b->state[n->in[0]];
    return DT_OK;
}

static dt_status onnx(dt_onnx_walker *w, const dt_node *node)
{
    dt_onnx_pass(w, node);
    return DT_OK;
}

const dt_form dt_form_identity = { .name = "identity", .lower = lower, .onnx = onnx };
