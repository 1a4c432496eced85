/* The walk over the graph; what a node becomes is its form's to say. Activations are [N,H,W,C] in
 * the graph and [N,C,H,W] in ONNX; nothing else depends on the layout. Forms are those that
 * onnxruntime fuses into QLinearConv, QLinearAdd, QLinearGlobalAveragePool and QGemm: activations
 * are always uint8, a relu is followed by a zero point of 0, sub-byte grids are an integer Clip
 * between Q and DQ. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "exchange/onnx/onnx_walker.h"

static dt_status emit(dt_onnx_walker *w, const dt_node *node)
{
    const dt_form *f = dt_form_of(node->op);
    if (f && f->onnx) {
        DT_TRY(f->onnx(w, node));
        return w->status;
    }
    return dt_fail(w->err, DT_ERR_UNSUPPORTED, &(dt_where){ .key = node->name },
                   "operation '%s' has no ONNX form here", node->op->name);
}

/* Outputs under their names. */
static void finish(dt_onnx_walker *w)
{
    int outputs[DT_GRAPH_PORTS];
    int count = dt_graph_wanted(w->src->graph, w->src->logits, outputs);
    for (int k = 0; k < count; k++) {
        const char *y = dt_onnx_floats(w, outputs[k]);
        const char *output = dt_onnx_output_name(w->src->graph, outputs[k]);
        if (strcmp(y, output) != 0) dt_onnx_unary(w, "Identity", y, output, NULL);
    }
}

dt_status dt_onnx_walk(const dt_lowered *l, const dt_onnx_walk_params *params, dt_onnx *m,
                       dt_error *err)
{
    const dt_lower_source *src = &l->src;
    const dt_graph *g = src->graph;
    dt_onnx_walker w = {
        .params = params, .l = l, .src = src, .needed = l->needed, .m = m, .err = err
    };
    w.value = dt_arena_get(dt_onnx_arena(m), (size_t)g->value_count * sizeof *w.value);
    if (!w.value) return dt_onnx_no_memory(err);
    dt_onnx_ports(m, g, src->logits);
    for (int k = 0, v; (v = dt_graph_input(g, k)) >= 0; k++) {
        const char *name = dt_graph_port_name(g, v, "input");
        dt_onnx_value *input = dt_arena_get(dt_onnx_arena(m), sizeof *input);
        if (!input) return dt_onnx_no_memory(err);
        *input = (dt_onnx_value){ .floats = name, .maker = name };
        w.value[v] = input;
    }
    for (int i = 0; i < g->node_count; i++)
        if (w.needed[i]) DT_TRY(emit(&w, &g->node[i]));
    finish(&w);
    return w.status;
}
