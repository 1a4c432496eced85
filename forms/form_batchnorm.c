/* A batch norm: part of the convolution in front of it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "autograd/op_batchnorm.h"
#include "autograd/query.h"
#include "exchange/onnx/onnx_walker.h"
#include "integer/builder.h"

static dt_status lower(dt_int_builder *b, const dt_node *n)
{
    const dt_node *conv = dt_query_maker(b->g, n->in[0]);
    if (!conv || dt_query_norm(b->g, b->l->needed, conv) != n)
        return dt_int_refuse(b, n,
                             "a batch norm that is not alone behind a conv has no integer form");
    b->state[n->out[0]] = b->state[n->in[0]];
    return DT_OK;
}

static dt_status onnx(dt_onnx_walker *w, const dt_node *node)
{
    if (w->value[node->out[0]]) return DT_OK; /* folded into its conv */
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

const dt_form dt_form_batchnorm = { .name = "batchnorm", .lower = lower, .onnx = onnx };
