/* A batch norm: part of the convolution in front of it; of other codes, a table for each channel.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_batchnorm.h"
#include "autograd/query.h"
#include "forms/channels.h"

static dt_status lower(dt_int_builder *b, const dt_node *n)
{
    if (dt_query_norm_alone(b->g, b->l->needed, n)) return dt_channels_lower(b, n);
    b->state[n->out[0]] = b->state[n->in[0]];
    return DT_OK;
}

static dt_status in_float(dt_onnx_walker *w, const dt_node *node)
{
    const dt_batchnorm_conf *c = node->conf;
    const char *in[DT_ONNX_MAX_IN + 1] = { dt_onnx_floats(w, node->in[0]) };
    for (int i = 1; i <= DT_BN_VAR; i++) {
        const dt_value *v = &w->src->graph->value[node->in[i]];
        dt_onnx_constant(w->m, v->name, DT_ONNX_FLOAT, &v->shape, w->src->state->data[node->in[i]]);
        in[i] = v->name;
    }
    const char *out = dt_onnx_out(w, node, "BatchNormalization");
    const dt_onnx_attr attr[] = { { .name = "epsilon", .is_float = true, .f = (float)c->eps },
                                  { .name = NULL } };
    dt_onnx_node(w->m, "BatchNormalization", in, out, attr);
    return dt_onnx_set(w, node, out);
}

static dt_status onnx(dt_onnx_walker *w, const dt_node *node)
{
    if (w->value[node->out[0]]) return DT_OK; /* folded into its conv */
    bool codes =
        dt_query_norm_alone(w->src->graph, w->needed, node) && dt_channels_has_codes(w, node);
    return codes ? dt_onnx_defer(w, node) : in_float(w, node);
}

static dt_status onnx_deferred(dt_onnx_walker *w, const dt_node *node, const dt_node *site,
                               const dt_lower_grid *grid)
{
    return site ? dt_channels_onnx(w, node, site, grid) : in_float(w, node);
}

const dt_form dt_form_batchnorm = {
    .name = "batchnorm", .lower = lower, .onnx = onnx, .onnx_deferred = onnx_deferred
};
