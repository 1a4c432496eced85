/* Around the quantizer of a weight: part of its convolution, as that is. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/onnx_walker.h"
#include "integer/builder.h"

static dt_status lower(dt_int_builder *b, const dt_node *n)
{
    (void)b;
    (void)n;
    return DT_OK;
}

static dt_status onnx(dt_onnx_walker *w, const dt_node *node)
{
    (void)w;
    (void)node;
    return DT_OK;
}

const dt_form dt_form_fold_norm = { .name = "fold_norm", .lower = lower, .onnx = onnx };
