/* Values of the graph in ONNX. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/onnx/onnx_walker.h"

#include <string.h>

#include "autograd/query.h"

const dt_shape dt_onnx_scalar = { .rank = 0 };

dt_status dt_onnx_no_memory(dt_error *err)
{
    return dt_fail(err, DT_ERR_NOMEM, NULL, "no memory for the ONNX model");
}

const char *dt_onnx_out(dt_onnx_walker *w, const dt_node *node, const char *op)
{
    if (dt_lower_is_output(w->src, node->out[0]))
        return dt_onnx_output_name(w->src->graph, node->out[0]);
    return dt_onnx_text(w->m, "%s/%s", node->name, op);
}

static dt_onnx_value *new_value(dt_onnx_walker *w, const dt_node *node)
{
    dt_onnx_value *v = dt_arena_get(dt_onnx_arena(w->m), sizeof *v);
    if (!v) return NULL;
    *v = (dt_onnx_value){ .maker = node->name };
    w->value[node->out[0]] = v;
    return v;
}

dt_status dt_onnx_set_moved(dt_onnx_walker *w, const dt_node *node, const char *floats,
                            dt_onnx_move *move)
{
    dt_onnx_value *v = new_value(w, node);
    if (!v) return dt_onnx_no_memory(w->err);
    v->floats = floats;
    v->move = move;
    v->mover = node;
    return DT_OK;
}

dt_status dt_onnx_set(dt_onnx_walker *w, const dt_node *node, const char *floats)
{
    return dt_onnx_set_moved(w, node, floats, NULL);
}

dt_status dt_onnx_defer(dt_onnx_walker *w, const dt_node *node)
{
    DT_TRY(dt_onnx_set(w, node, NULL));
    w->value[node->out[0]]->deferred = node;
    return DT_OK;
}

dt_status dt_onnx_set_codes(dt_onnx_walker *w, const dt_node *node, const char *site, float scale,
                            const char *codes)
{
    dt_onnx_value *v = new_value(w, node);
    if (!v) return dt_onnx_no_memory(w->err);
    v->step = scale;
    v->scale = dt_onnx_text(w->m, "%s.scale", site);
    v->zero = dt_onnx_text(w->m, "%s.zero_point", site);
    v->codes = codes;
    return DT_OK;
}

/* What was left for later, in float. */
static void write_deferred(dt_onnx_walker *w, dt_onnx_value *v)
{
    const dt_node *node = v->deferred;
    const dt_form *form = dt_form_of(node->op);
    dt_status st = form->onnx_deferred(w, node, NULL, NULL);
    if (w->status == DT_OK) w->status = st;
    if (w->value[node->out[0]] != v) *v = *w->value[node->out[0]];
    v->deferred = NULL;
    if (!v->floats) v->floats = "";
}

void dt_onnx_pass(dt_onnx_walker *w, const dt_node *node)
{
    w->value[node->out[0]] = w->value[node->in[0]];
}

static void dequantize(dt_onnx_walker *w, const char *codes, const char *scale, const char *zero,
                       const char *out)
{
    dt_onnx_node(w->m, "DequantizeLinear", (const char *[]){ codes, scale, zero, NULL }, out, NULL);
}

const char *dt_onnx_raw(dt_onnx_walker *w, int value)
{
    dt_onnx_value *v = w->value[value];
    if (v->deferred) write_deferred(w, v);
    if (v->floats) return v->floats;
    bool last = dt_lower_is_output(w->src, value) && !v->move;
    v->floats = last ? dt_onnx_output_name(w->src->graph, value)
                     : dt_onnx_text(w->m, "%s/DequantizeLinear", v->maker);
    dequantize(w, v->codes, v->scale, v->zero, v->floats);
    return v->floats;
}

const char *dt_onnx_floats(dt_onnx_walker *w, int value)
{
    dt_onnx_value *v = w->value[value];
    const char *x = dt_onnx_raw(w, value);
    const char *last =
        dt_lower_is_output(w->src, value) ? dt_onnx_output_name(w->src->graph, value) : NULL;
    if (v->move) v->floats = v->move(w, v->mover, v->maker, x, NULL, last);
    v->move = NULL;
    return v->floats;
}

const char *dt_onnx_moved(dt_onnx_walker *w, const dt_node *node, const char *prefix, int value,
                          dt_onnx_move *move, double factor, bool *out_scaled)
{
    const dt_onnx_value *v = w->value[value];
    bool codes = v->codes && !v->move;
    *out_scaled = codes || factor == 1;
    if (!codes) return move(w, node, prefix, dt_onnx_floats(w, value), NULL, NULL);
    const char *scale = v->scale, *out = dt_onnx_text(w->m, "%s/DequantizeLinear", prefix);
    if (factor != 1) {
        const float step = (float)((double)v->step * factor);
        scale = dt_onnx_text(w->m, "%s.scale", prefix);
        dt_onnx_constant(w->m, scale, DT_ONNX_FLOAT, &dt_onnx_scalar, &step);
    }
    if (w->params->symmetric) { /* DequantizeLinear directly behind QuantizeLinear */
        dequantize(w, v->codes, scale, v->zero, out);
        return move(w, node, prefix, out, NULL, NULL);
    }
    dequantize(w, move(w, node, prefix, v->codes, v->zero, NULL), scale, v->zero, out);
    return out;
}

void dt_onnx_byte(dt_onnx_walker *w, const char *name, int value)
{
    unsigned char byte = (unsigned char)value;
    dt_onnx_constant(w->m, name, w->params->symmetric ? DT_ONNX_S8 : DT_ONNX_U8, &dt_onnx_scalar,
                     &byte);
}

dt_status dt_onnx_quantize(dt_onnx_walker *w, const dt_onnx_site *site, const dt_node *node,
                           const char *x, const dt_onnx_value *value)
{
    dt_onnx *m = w->m;
    const dt_onnx_value from = *value; /* may be replaced by the new one */
    const char *codes = dt_onnx_text(m, "%s/QuantizeLinear", node->name);
    DT_TRY(dt_onnx_set_codes(w, node, site->name, site->scale, codes));
    dt_onnx_value *v = w->value[node->out[0]];
    dt_onnx_node(m, "QuantizeLinear", (const char *[]){ x, v->scale, v->zero, NULL }, v->codes,
                 NULL);
    if (site->clip) {
        const char *low = dt_onnx_text(m, "%s.low", site->name);
        const char *high = dt_onnx_text(m, "%s.high", site->name);
        const char *clipped = dt_onnx_text(m, "%s/Clip", node->name);
        dt_onnx_node(m, "Clip", (const char *[]){ v->codes, low, high, NULL }, clipped, NULL);
        v->codes = clipped;
    }
    if (from.move && w->params->symmetric) { /* DequantizeLinear comes first */
        v->move = from.move;
        v->mover = from.mover;
    } else if (from.move) {
        v->codes = from.move(w, from.mover, node->name, v->codes, v->zero, NULL);
    }
    return DT_OK;
}

const char *dt_onnx_parameter(dt_onnx_walker *w, const dt_node *node, int value)
{
    const char *name = w->src->graph->value[value].name, *part = strrchr(name, '.');
    return dt_onnx_text(w->m, "%s%s", node->name, part ? part : ".parameter");
}

const char *dt_onnx_unary(dt_onnx_walker *w, const char *op, const char *x, const char *out,
                          const dt_onnx_attr *attr)
{
    dt_onnx_node(w->m, op, (const char *[]){ x, NULL }, out, attr);
    return out;
}

const char *dt_onnx_flatten(dt_onnx_walker *w, const char *x, const char *out)
{
    return dt_onnx_unary(w, "Flatten", x, out,
                         (dt_onnx_attr[]){ { .name = "axis", .i = 1 }, { .name = NULL } });
}

const char *dt_onnx_reshape(dt_onnx_walker *w, const char *x, const char *out, int rank,
                            const int64_t *dims)
{
    const char *shape = dt_onnx_text(w->m, "%s.shape", out);
    dt_onnx_constant(w->m, shape, DT_ONNX_S64, &DT_SHAPE(rank), dims);
    dt_onnx_node(w->m, "Reshape", (const char *[]){ x, shape, NULL }, out, NULL);
    return out;
}

/* A node with one input and one output that takes the place of a graph node. */
dt_status dt_onnx_simple(dt_onnx_walker *w, const dt_node *node, const char *op,
                         const dt_onnx_attr *attr)
{
    const char *x = dt_onnx_floats(w, node->in[0]);
    return dt_onnx_set(w, node, dt_onnx_unary(w, op, x, dt_onnx_out(w, node, op), attr));
}

/* Does every reader quantize the value, or join it with others for such readers alone? `above`:
 * with codes below the zero point. */
static bool ends_on_grids(const dt_onnx_walker *w, int value, bool above)
{
    const dt_graph *g = w->src->graph;
    if (dt_lower_is_output(w->src, value)) return false;
    DT_QUERY_EACH_USE(u, g, value)
    {
        const dt_node *n = &g->node[u->node];
        const dt_lower_grid *grid = w->l->grid[u->node];
        if (!w->needed[u->node]) continue;
        bool ends = grid ? !above || grid->zero_point > grid->low
                         : n->op->joins && ends_on_grids(w, n->out[0], above);
        if (!ends) return false;
    }
    return true;
}

/* Is a ReLU the lower limit of the codes behind it? Runtimes join a ReLU with its operator where
 * the zero point is the lowest code; with another one this says the same in integers. */
bool dt_onnx_is_limit(const dt_onnx_walker *w, const dt_node *relu)
{
    double low, high;
    if (!relu->op->limits || w->params->symmetric) return false;
    relu->op->limits(relu->conf, &low, &high);
    return low == 0 && ends_on_grids(w, relu->out[0], true);
}

/* Behind nodes that keep a grid, the same grid again, so that they run on codes. */
dt_status dt_onnx_requantize(dt_onnx_walker *w, const dt_node *node, const char *y)
{
    const dt_node *site = dt_query_site(w->src->graph, node->in[0]);
    DT_TRY(dt_onnx_set(w, node, y));
    if (!site) return DT_OK;
    const dt_lower_grid *grid = w->l->grid[dt_query_index(w->src->graph, site)];
    const dt_onnx_site same = { site->name, grid->scale, false };
    return dt_onnx_quantize(w, &same, node, y, w->value[node->out[0]]);
}

bool dt_onnx_is_only_quantized(const dt_onnx_walker *w, int value)
{
    return ends_on_grids(w, value, false);
}
