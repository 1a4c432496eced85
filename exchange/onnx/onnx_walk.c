/* The walk over the graph; what a node becomes is its form's to say. Activations are [N,H,W,C] in
 * the graph and [N,C,H,W] in ONNX; nothing else depends on the layout. Forms are those that
 * onnxruntime fuses into QLinearConv, QLinearAdd, QLinearGlobalAveragePool and QGemm: activations
 * are always uint8, a relu is followed by a zero point of 0, sub-byte grids are an integer Clip
 * between Q and DQ. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "exchange/onnx/onnx_parts.h"

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

/* The logits under their name. */
static void finish(dt_onnx_walker *w)
{
    const char *y = dt_onnx_floats(w, w->src->logits);
    if (strcmp(y, "logits") != 0) dt_onnx_unary(w, "Identity", y, "logits", NULL);
}

dt_status dt_onnx_walk(const dt_lowered *l, const dt_onnx_walk_params *params, dt_onnx *m,
                       dt_error *err)
{
    const dt_lower_source *src = &l->src;
    const dt_graph *g = src->graph;
    dt_onnx_value input = { .floats = "input", .maker = "input" };
    dt_onnx_walker w = {
        .params = params, .l = l, .src = src, .needed = l->needed, .m = m, .err = err
    };
    w.value = dt_arena_get(dt_onnx_arena(m), (size_t)g->value_count * sizeof *w.value);
    if (!w.value) return dt_onnx_no_memory(err);
    const dt_shape *x = &g->value[src->input].shape;
    const dt_shape picture = DT_SHAPE(x->dim[0], x->dim[3], x->dim[1], x->dim[2]);
    dt_onnx_input(m, "input", &picture);
    dt_onnx_output(m, "logits", &g->value[src->logits].shape);
    w.value[src->input] = &input;
    for (int i = 0; i < g->node_count; i++)
        if (w.needed[i]) DT_TRY(emit(&w, &g->node[i]));
    finish(&w);
    return w.status;
}
